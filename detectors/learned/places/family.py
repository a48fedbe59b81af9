"""The detectors of impossible travel and of countries."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import polars as pl

from detectors.detector import Detector, active
from detectors.exhibits import masked_evidence
from detectors.findings import EntityType, Finding, merge_runs
from detectors.learned.family import Learning
from detectors.learned.places import services, travel
from detectors.learned.places.arrivals import (
    ALL,
    ARRIVAL_SCHEMA,
    PLACE,
    added,
    arrivals,
    no_arrivals,
)
from detectors.learned.places.catalogue import DETECTORS, TRAVEL
from detectors.learned.places.coordinates import place
from detectors.learned.places.journeys import journey
from detectors.learned.places.services import BLOCKED, NEW, UNEXPECTED, Services, watched
from detectors.learned.places.settings import CountrySettings
from detectors.learned.places.travel import Travel
from detectors.learned.seen.memory import Memory
from detectors.learned.slots import DAY_US, SLOT_CAP, SLOT_US, Waiting, shown_events
from detectors.overrides import RuleOverride
from ingest.times import moment

VERSION: Final = 2

#: The version before knew no coordinates; its state lacks what is empty without.
_BEFORE: Final = 1

#: Users and keys, and services, remembered at most.
ENTITY_CAP: Final = 100_000
SERVICE_CAP: Final = 1_000

_END: Final = 2**62

_SHOWN_COUNTRIES: Final = 5

_STATE_SCHEMA: Final = pl.Schema(
    {"version": pl.Int64(), "evicted": pl.Int64(), "closed": pl.Int64()}
)
_SCHEMAS: Final = {
    **travel.SCHEMAS,
    **services.SCHEMAS,
    "open": ARRIVAL_SCHEMA,
    "state": _STATE_SCHEMA,
}


class Places:
    """Impossible travel, and blocked, unexpected and new countries.

    With countries that are not reliable (`settings`; by default those that come with Vedette are
    not), travel is not judged and what is found of countries is in monitor mode. `overrides` are
    the settings of its detectors; those of others are passed over. Raises DetectorSettingsError.
    """

    name: Final = "places"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: CountrySettings | None = None,
        *,
        country_is_bundled: bool = False,
        entity_cap: int = ENTITY_CAP,
        service_cap: int = SERVICE_CAP,
        slot_cap: int = SLOT_CAP,
    ) -> None:
        self.settings = (settings or CountrySettings()).given(bundled=country_is_bundled)
        self.detectors: Mapping[str, Detector] = _judging(
            active(DETECTORS, overrides or {}), self.settings
        )
        self._travellers: dict[EntityType, Detector] = {
            each.entity_type: each for each in self.detectors.values() if each.name in TRAVEL
        }
        self._watchers = {n: each for n, each in self.detectors.items() if n not in TRAVEL}
        self._watched = watched(self.settings)
        self._travel = Travel(self.settings.travel_days, self.settings.memory_days, entity_cap)
        self._services = Services(self.settings, service_cap)
        answers = pl.col("type") == "service"
        self._waiting = Waiting(added, no_arrivals(), answers, PLACE, slot_cap)
        self._closed = -_END
        self._state = pl.DataFrame([(0, 0, 0)], schema=_STATE_SCHEMA, orient="row")

    @property
    def evicted(self) -> int:
        """How many users, keys, services, and arrivals of a slot were dropped as too many."""
        forgotten = self._travel.memory.evicted + self._services.memory.evicted
        return forgotten + self._waiting.dropped

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the arrivals (ARRIVAL_SCHEMA) of a batch."""
        return arrivals(
            events,
            tuple(self._travellers),
            services=bool(self._watchers),
            watched=self._watched,
        )

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Add arrivals; close the panes that end before the watermark (us)."""
        self._waiting.add(sums)
        if watermark is None:
            return []
        return self._close(watermark // SLOT_US * SLOT_US)

    def finish(self) -> list[Finding]:
        """Close all panes."""
        return self._close(_END)

    def status(self) -> list[Learning]:
        """Say how far travel and new countries are learned, over all users, keys and services."""
        found = [
            _learning(each, self._travel.memory, self.settings.travel_days)
            for each in self._travellers.values()
        ]
        if NEW in self._watchers:
            learned = self._services.memory
            found.append(_learning(self._watchers[NEW], learned, self.settings.learning_days))
        return found

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state; most parts change only when somebody or something is new, or a day."""
        told = (VERSION, self.evicted, self._closed)
        if self._state.row(0) != told:
            self._state = pl.DataFrame([told], schema=_STATE_SCHEMA, orient="row")
        return {
            **self._travel.parts(),
            **self._services.parts(),
            "open": self._waiting.frame(),
            "state": self._state,
        }

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state; of another version or of none, all detectors begin anew."""
        parts = _upgraded(parts)
        same = all(name in parts and parts[name].schema == s for name, s in _SCHEMAS.items())
        if not same or parts["state"]["version"].to_list() != [VERSION]:
            return list(self.detectors)
        self._travel.restore(parts)
        self._services.restore(parts)
        self._waiting.restore(parts["open"])
        _, self._travel.memory.evicted, self._closed = parts["state"].row(0)
        return []

    def _close(self, until: int) -> list[Finding]:
        """Judge and learn all panes that begin before a time (us)."""
        if until <= self._closed:
            return []
        self._closed = until if until < _END else self._closed
        days = self._waiting.due(until).group_by(pl.col("pane") // DAY_US, maintain_order=True)
        return merge_runs([], chain.from_iterable(self._day(seen) for _, seen in days))

    def _day(self, seen: pl.DataFrame) -> Iterator[Finding]:
        answers = pl.col("type") == "service"
        travelling = seen.filter(~answers).with_columns(place=place("location"))
        answering = seen.filter(answers)
        for part in _parts(travelling, self._travel.memory):
            yield from self._travelled(part)
            self._travel.evict()
        for part in _parts(answering, self._services.memory):
            yield from self._answered(part)
            self._services.memory.evict()

    def _travelled(self, seen: pl.DataFrame) -> Iterator[Finding]:
        limits = {kind: each.threshold for kind, each in self._travellers.items()}
        for leap in self._travel.take(seen, limits).iter_rows(named=True):
            detector = self._travellers[leap["type"]]
            if not detector.excepts(leap["entity"], leap["first"]):
                both = [row for row in (leap["from_row"], leap["row"]) if row is not None]
                yield _finding(
                    detector,
                    leap["entity"],
                    seen[both],
                    span=(leap["first"], leap["last"]),
                    value=leap["speed"],
                    pane=leap["pane"],
                    note=journey(leap, detector.threshold),
                )

    def _answered(self, seen: pl.DataFrame) -> Iterator[Finding]:
        limits = {name: each.threshold for name, each in self._watchers.items()}
        violating = self._services.take(seen, limits)
        if violating.height:
            flagged = self._services.flagged(seen).partition_by(
                "detector", "key", "apart", "pane", as_dict=True
            )
            for row in violating.iter_rows(named=True):
                rows = flagged[row["detector"], row["key"], row["apart"], row["pane"]]
                yield from self._violation(row, rows)
        self._services.forget(int(seen["pane"][-1]))

    def _violation(self, row: dict[str, Any], rows: pl.DataFrame) -> Iterator[Finding]:
        detector = self._watchers[row["detector"]]
        entity, first = rows["entity"][0], rows["first"].to_list()
        if detector.excepts(entity, min(first)):
            return
        counted = self._services.countries(row["detector"], row["key"], row["apart"], row["pane"])
        told = ", ".join(f"{requests} from {name}" for name, requests in counted[:_SHOWN_COUNTRIES])
        more = len(counted) - _SHOWN_COUNTRIES
        rest = f" and {more} more countries" if more > 0 else ""
        found = _finding(
            detector,
            entity,
            rows,
            span=(min(first), max(rows["last"].to_list())),
            value=row["value"],
            pane=row["pane"],
            note=f"Requests within the hour: {told}{rest}",
        )
        yield replace(
            found,
            entity_type="all" if entity == ALL else detector.entity_type,
            members=frozenset(rows["client"].drop_nulls().to_list()),
        )


def _upgraded(parts: Mapping[str, pl.DataFrame]) -> Mapping[str, pl.DataFrame]:
    """Return a state of the version before as one of this version, any other as it is."""
    state = parts.get("state")
    if state is None or state.schema != _STATE_SCHEMA or state["version"].to_list() != [_BEFORE]:
        return parts
    none = [pl.lit(None, pl.String).alias(name) for name in ("location", "operator")]
    wider = {
        name: parts[name].with_columns(none).select(_SCHEMAS[name].names())
        for name in ("open", "last")
        if name in parts and set(_SCHEMAS[name]) <= {*parts[name].columns, "location", "operator"}
    }
    empty = {name: pl.DataFrame(schema=_SCHEMAS[name]) for name in ("short_leapers", "short_exits")}
    now = {"state": state.with_columns(version=pl.lit(VERSION, pl.Int64))}
    return {**parts, **wider, **empty, **now}


def _judging(found: dict[str, Detector], settings: CountrySettings) -> dict[str, Detector]:
    """Return the detectors that have something to judge, as far as the countries allow."""
    if not settings.blocked:
        found.pop(BLOCKED, None)
    if not settings.expected:
        found.pop(UNEXPECTED, None)
    if settings.reliable is not False:
        return found
    return {
        name: replace(each, mode="monitor") for name, each in found.items() if name not in TRAVEL
    }


def _parts(seen: pl.DataFrame, memory: Memory) -> Iterator[pl.DataFrame]:
    """Yield what may be taken in at once: all of it, or pane by pane if it is too much."""
    if seen.is_empty():
        return
    if memory.fits(seen):
        yield seen
        return
    for _, pane in seen.group_by("pane", maintain_order=True):
        yield pane


def _finding(
    detector: Detector,
    entity: str,
    rows: pl.DataFrame,
    *,
    span: tuple[int, int],
    value: int,
    pane: int,
    note: str,
) -> Finding:
    return Finding(
        detector=detector.name,
        entity_type=detector.entity_type,
        entity=entity,
        first=moment(span[0]),
        last=moment(span[1]),
        value=value,
        threshold=detector.threshold,
        unit=detector.unit,
        window=detector.window,
        level=detector.level,
        mode=detector.mode,
        tags=detector.tags,
        evidence=masked_evidence(shown_events(rows)),
        reached=moment(pane + SLOT_US),
        note=note,
    )


def _learning(detector: Detector, memory: Memory, of_days: int) -> Learning:
    mine = memory.entities.filter(pl.col("type") == detector.entity_type)
    since = mine["since"].min()
    return Learning(
        detector=detector.name,
        entity_type=detector.entity_type,
        entity=ALL,
        since=moment(since * DAY_US) if isinstance(since, int) else None,
        days=min(max(mine["days"].to_list(), default=0), of_days),
        of_days=of_days,
        series=mine.height,
    )
