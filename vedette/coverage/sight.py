"""What each detector can see of a log: everything, part of it, or nothing, and for want of what."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from detectors.catalogue import Catalogue
from detectors.learned.families import Families
from detectors.learned.needs import NEEDS
from detectors.needs import (
    EDGE,
    columns_of,
    columns_of_learned,
    is_blind,
    is_blind_learned,
    lessened,
    narrowed_by,
)
from detectors.registry import DETECTORS, HEALTH
from detectors.rules import Rule
from vedette.coverage.filled import Filled

#: Working: sees all. Partly: what it needs is missing in part of the events. Blind: nothing has
#: it. Off: the settings switch it off, or do not give what it works with.
State = Literal["working", "partly", "blind", "off"]

#: From which share of the events on a column counts as filled.
NEARLY_ALL: Final = 0.99

#: Why a detector that learns may be off although it is not switched off.
_OFF: Final[Mapping[str, str]] = {
    "blocked_country": "countries.blocked names no country",
    "unexpected_country": "countries.expected names no country",
    "user_impossible_travel": "needs a real geo database, not the labels that come with Vedette",
    "api_key_impossible_travel": "needs a real geo database, not the labels that come with Vedette",
    "client_outlier": "no model yet: vedette train makes one",
    "shadow_endpoint": "routes.openapi names no document",
    "zombie_endpoint": "routes.openapi names no document",
    "undeclared_method": "routes.openapi names no document",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What a detector sees of a log.

    `share` is the part of the events that it can see, from 0 to 1. `missing` are the columns for
    want of which that is not all: those without which it is blind, or the rarest that it needs.
    `notes` say what it does worse, or why it is off.
    """

    detector: str
    title: str
    tags: tuple[str, ...]
    state: State
    share: float
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sights(filled: Filled, catalogue: Catalogue, families: Families) -> list[Sight]:
    """Return what every detector sees, rules first, each in order of names."""
    found = [_of_rule(rule, filled) for rule in catalogue.rules]
    active = set(families.detectors)
    for each in sorted(DETECTORS, key=lambda detector: detector.name):
        told = (each.name, each.title, each.tags)
        if each in HEALTH:
            found.append(Sight(*told, "working", 1.0))
        elif each.name not in active:
            why = _OFF.get(each.name, "switched off by the settings")
            found.append(Sight(*told, "off", 0.0, notes=(why,)))
        else:
            found.append(Sight(*told, *_learned(each.name, filled)))
    return found


def _of_rule(rule: Rule, filled: Filled) -> Sight:
    told = (rule.name, rule.title, rule.tags)
    looked = columns_of(rule)
    missing = filled.missing & looked
    if is_blind(rule, missing):
        alone = [name for name in sorted(missing) if is_blind(rule, {name})]
        return Sight(*told, "blind", 0.0, tuple(alone or sorted(missing)))
    rare = [name for name in looked - missing if filled.share(name) < NEARLY_ALL]
    needed = {name: filled.share(name) for name in rare if is_blind(rule, {name})}
    state, share, short = _partly(needed)
    narrowed = narrowed_by(rule, missing)
    notes = lessened(rule, missing)
    if narrowed:
        notes = [f"does not see what stands in {' and '.join(narrowed)}", *notes]
        state, short = "partly", (*short, *narrowed)
    return Sight(*told, state, share, short, tuple(notes))


def _learned(detector: str, filled: Filled) -> tuple[State, float, tuple[str, ...]]:
    missing = filled.missing
    if is_blind_learned(detector, missing):
        looked = missing & columns_of_learned(detector)
        alone = [name for name in sorted(looked) if is_blind_learned(detector, {name})]
        return "blind", 0.0, tuple(alone or sorted(looked))
    groups = {
        max(group, key=filled.share): max(map(filled.share, group))
        for group in NEEDS.get(detector, ())
    }
    return _partly(groups)


def _partly(needed: Mapping[str, float]) -> tuple[State, float, tuple[str, ...]]:
    """Return how much is seen by a detector that needs columns which such shares of events have."""
    share = min(needed.values(), default=1.0)
    if share >= NEARLY_ALL:
        return "working", share, ()
    return "partly", share, tuple(sorted(n for n, each in needed.items() if each == share))


def counted(found: Iterable[Sight]) -> dict[State, int]:
    """Return how many detectors there are in each state, all of them named."""
    counts: dict[State, int] = {"working": 0, "partly": 0, "blind": 0, "off": 0}
    for each in found:
        counts[each.state] += 1
    return counts


def wanted(filled: Filled, found: Iterable[Sight]) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns that no event has and detectors want, with these; the most wanted first.

    What no log line can mend, the role of the source, is among them as EDGE.
    """
    by_column: dict[str, list[str]] = {}
    for each in found:
        for name in filled.missing.intersection(each.missing):
            by_column.setdefault(name, []).append(each.detector)
    yield from sorted(by_column.items(), key=lambda entry: (-len(entry[1]), entry[0]))


def worked_out(columns: Collection[str]) -> frozenset[str]:
    """Return the columns that a log would have to fill for some to be there."""
    return frozenset(_FROM.get(name, name) for name in columns)


#: Columns that are worked out, and what from.
_FROM: Final[Mapping[str, str]] = {
    "client_network": "client_ip",
    "route": "path",
    "asn": "client_ip",
    "city": "client_ip",
    "location": "client_ip",
    "anonymous": "client_ip",
    EDGE: EDGE,
}
