"""What learned detectors expect of one entity, as they have learned up to now, in words.

Read from the state that families keep anyway, so that a stored one tells as much as a running one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import polars as pl

from detectors.findings import EntityType
from detectors.learned.families import Families
from detectors.learned.family import Family
from detectors.learned.places import Places
from detectors.learned.seen import Seen
from detectors.learned.sizes import Sizes
from detectors.learned.sizes.entries import OBJECTS, SIZES
from detectors.learned.sizes.sums import OBJECT, SIZE
from detectors.learned.slots import DAY_US
from detectors.learned.spikes import Spikes
from ingest.times import moment

#: Values of one kind that are told; of more only how many there are.
_SHOWN: Final = 5
#: Routes of a client whose limits are told.
_ROUTES: Final = 5
_LIMITED: Final = (
    (SIZES.name, SIZE, "bytes"),
    (OBJECTS.name, OBJECT, "objects for one caller in ten minutes"),
)
_WORDS: Final = {"country": "countries", "network": "networks", "agent": "user agents"}


class Expectation(NamedTuple):
    """What a detector takes for usual of an entity; `learned` is False while it only learns."""

    detector: str
    expects: str
    learned: bool


def expectations(
    families: Families, kind: EntityType, entity: str, routes: Sequence[str] = ()
) -> list[Expectation]:
    """Return what is expected of an entity, as far as the families can tell.

    `routes` are those that a client used: it is held against what these usually give.
    """
    return [
        each
        for family in families.by_name.values()
        for each in _of_family(family, kind, entity, routes)
    ]


def _of_family(
    family: Family, kind: EntityType, entity: str, routes: Sequence[str]
) -> Iterator[Expectation]:
    if isinstance(family, Seen):
        yield from _seen(family, kind, entity)
    elif isinstance(family, Places):
        yield from _places(family, kind, entity)
    elif isinstance(family, Sizes) and kind in {"client", "route"}:
        yield from _sizes(family, [entity] if kind == "route" else routes)
    elif isinstance(family, Spikes):
        for detector, expects in family.expected(kind, entity):
            yield Expectation(detector, expects, learned=True)


def _seen(family: Seen, kind: EntityType, entity: str) -> Iterator[Expectation]:
    parts, needed = family.snapshot(), family.settings
    for detector in _watching(family, kind):
        row = _row(parts["entities"], kind, entity)
        if row is None:
            yield Expectation(detector, "never seen before: everything is learned", learned=False)
            continue
        known = row["days"] >= needed.learning_days and row["requests"] >= needed.learning_requests
        usual = "; ".join(_values(parts["values"], row["key"]))
        far = (
            f"{row['days']} of {needed.learning_days} days and {row['requests']} of"
            f" {needed.learning_requests} requests learned"
        )
        told = f"known since {_day(row['since'])}: {usual}" if known else f"{far}: {usual}"
        yield Expectation(detector, told, known)


def _places(family: Places, kind: EntityType, entity: str) -> Iterator[Expectation]:
    parts, needed = family.snapshot(), family.settings
    part, values, days = "travellers", "traveller_countries", needed.travel_days
    if kind == "service":
        part, values, days = "services", "service_countries", needed.learning_days
    row = _row(parts[part], kind, entity)
    for detector in _watching(family, kind):
        if row is None:
            yield Expectation(detector, "never seen before with a country", learned=False)
            continue
        usual = "; ".join(_values(parts[values], row["key"]))
        far = f"{row['days']} of {days} days learned: {usual}"
        yield Expectation(detector, far, row["days"] >= days)


def _sizes(family: Sizes, routes: Sequence[str]) -> Iterator[Expectation]:
    limits = family.limits
    for detector, kind, unit in _LIMITED:
        if detector not in family.detectors:
            continue
        mine = limits.filter(pl.col("kind") == kind, pl.col("route").is_in(list(routes)))
        for row in mine.head(_ROUTES).iter_rows(named=True):
            told = f"{row['route']}: 999 of 1,000 are at most {row['most']:,} {unit}"
            limit = f"odd from {row['limit']:,} on"
            yield Expectation(detector, f"{told}; {limit}", learned=True)
        unknown = [route for route in routes if route not in set(mine["route"])]
        if unknown and len(unknown) == len(routes):
            told = f"none of its {len(unknown)} routes is known well enough yet"
            yield Expectation(detector, told, learned=False)


def _watching(family: Family, kind: EntityType) -> Iterable[str]:
    return (name for name, each in family.detectors.items() if each.entity_type == kind)


def _row(entities: pl.DataFrame, kind: EntityType, entity: str) -> Mapping[str, int] | None:
    mine = entities.filter(pl.col("type") == kind, pl.col("entity") == entity)
    return mine.row(0, named=True) if mine.height else None


def _values(values: pl.DataFrame, key: int) -> Iterator[str]:
    mine = values.filter(pl.col("key") == key).sort("days", "value", descending=[True, False])
    for kind, word in _WORDS.items():
        found = mine.filter(pl.col("kind") == kind)["value"].to_list()
        if found:
            rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield f"{word} {', '.join(found[:_SHOWN])}{rest}"


def _day(day: int) -> str:
    return f"{moment(day * DAY_US):%Y-%m-%d}"
