"""One entity at one time: what was counted, what is expected, what was found, and why.

All numbers come from the detectors as they run: the log goes through them as `vedette scan` does
it, and a probe keeps what they add up for the entity.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, get_args

import numpy as np
import polars as pl

from alerts.incidents.summary import summarise
from detectors.aggregate import matches
from detectors.arrays import Arrays
from detectors.detection import Detection
from detectors.fields import ENTITY_TYPES
from detectors.findings import EntityType, Finding, merge_runs
from detectors.learned.expecting import Expectation, expectations
from detectors.naming import name_of
from detectors.probe import Counter, Probe
from detectors.rules import Rule
from detectors.selecting import Selections
from detectors.single import why_left_out
from ingest.events import Batch, no_readings
from ingest.networks import canonical_address
from ingest.pseudonyms import Pseudonyms
from ingest.times import microseconds, moment
from vedette.settings import SettingsError

#: Events of the entity that are looked at for why they were not counted, at most.
_EVENTS: Final = 100_000

#: The longest that a finding may be away from the time and still be told.
_NEAR: Final = timedelta(minutes=30)

#: How names begin of which something was masked.
_MASKED: Final = "***"

_COLUMNS: Final[dict[EntityType, str]] = {
    **{kind: column for column, kind in ENTITY_TYPES.items()},
    "source": "partition",
}


class EntityError(SettingsError):
    """What is given is no entity, or not one that can be explained; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that is watched, as findings call it."""

    kind: EntityType
    name: str

    def __str__(self) -> str:
        """Write it as `--entity` takes it."""
        return self.kind if self.kind == "all" else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Left:
    """Requests that a rule's condition accepts and that it does not count, and why."""

    rule: str
    why: str
    requests: int


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known of an entity at a time.

    `requests` it made in all, from `first` to `last`; None where only the counters are known.
    `counters` are those of all rules that watch its type, `left` what they did not count of it.
    `findings` are about it and near the time, `beside` about others that it is a member of.
    `unknown` says what cannot be told.
    """

    entity: Entity
    time: datetime
    requests: int | None
    first: datetime | None
    last: datetime | None
    counters: tuple[Counter, ...]
    left: tuple[Left, ...]
    expected: tuple[Expectation, ...]
    findings: tuple[Finding, ...]
    beside: tuple[Finding, ...]
    unknown: tuple[str, ...] = ()
    told: tuple[str, ...] = field(default=())

    @property
    def over(self) -> list[Counter]:
        """The counters that violate."""
        return [counter for counter in self.counters if counter.over]

    @property
    def nearest(self) -> list[Counter]:
        """The counters that do not, with anything in them; those nearest to their limit first."""
        some = [c for c in self.counters if not c.over and (c.value or c.why)]
        return sorted(some, key=lambda c: (-c.value / max(c.limit, 1), c.rule.name))


def entity_of(
    text: str, pseudonyms: Pseudonyms | None = None, personal: Collection[str] = ()
) -> Entity:
    """Return the entity that is written as TYPE:NAME, or `all`; raises EntityError.

    Addresses may be in any spelling. An API key is named as incidents show it; users and clients
    of which `personal` says that they are kept as pseudonyms may be named by these, or by what
    they stand for.
    """
    kind, mark, name = text.partition(":")
    kinds = [each for each in get_args(EntityType) if each not in {"target", "source"}]
    if kind not in kinds or (not mark and kind != "all"):
        raise EntityError(f"--entity: write TYPE:NAME, with one of {', '.join(kinds)}")
    if kind == "all":
        return Entity("all", "all")
    if not name:
        raise EntityError(f"--entity: {kind}: needs a name, as in client:203.0.113.7")
    if kind == "client" and not name.startswith("client-"):
        address = canonical_address(name)
        if address is None:
            raise EntityError("--entity: client: needs an address, as in client:203.0.113.7")
        name = address
    chosen: EntityType = kind  # type: ignore[assignment]
    column = _COLUMNS[chosen]
    kept = column.replace("network", "ip") in personal
    if pseudonyms is not None and kept and not name.startswith((f"{kind}-", _MASKED)):
        name = pseudonyms.pseudonym(column, name)
    return Entity(chosen, name_of(chosen, name))


def explain_in_log(
    batches: Iterable[Batch], detection: Detection, entity: Entity, time: datetime | None
) -> Explained:
    """Put a log through new detectors, and return what they make of an entity at a time.

    Without a time it is that of the first finding about it, else when it was last seen, else the
    end of the log.
    """
    rules = detection.catalogue.rules
    at = None if time is None else microseconds(time)
    probe = Probe(rules, entity.kind, entity.name, at)
    seen = Sightings(entity)
    found: list[Finding] = []
    expected: list[Expectation] | None = None
    for batch, reached in split_at(batches, at):
        summed = detection.aggregate(batch)
        probe.add(summed.rules.sums)
        seen.add(batch.events)
        found = merge_runs(found, detection.judge(summed, batch.watermark))
        if reached:
            expected = expectations(detection.learned, entity.kind, entity.name, seen.routes)
    if expected is None:
        expected = expectations(detection.learned, entity.kind, entity.name, seen.routes)
    found = merge_runs(found, detection.finish())
    mine = [each for each in found if (each.entity_type, each.entity) == _key(entity)]
    beside = [each for each in found if entity.kind == "client" and entity.name in each.members]
    if at is None:
        at = _moment_of(mine, seen)
    when = moment(at)
    return Explained(
        entity=entity,
        time=when,
        requests=seen.requests,
        first=seen.first,
        last=seen.last,
        counters=tuple(probe.counters(at)),
        left=tuple(left_out(probe.rules, seen.events, at)),
        expected=tuple(expected),
        findings=tuple(each for each in mine if is_near(each, when)),
        beside=tuple(each for each in beside if is_near(each, when)),
    )


def verdict(explained: Explained) -> str:
    """Say in a sentence why there is an incident at that time, or none."""
    alerts = [each for each in explained.findings if each.mode == "alert"]
    if alerts:
        return f"There is an incident. {summarise(alerts)}"
    if explained.findings:
        return (
            "There is no incident that anybody is told of: what was found is in monitor mode."
            f" {summarise(explained.findings)}"
        )
    if explained.beside:
        names = ", ".join(sorted({f"{f.detector} ({f.entity})" for f in explained.beside}))
        return f"There is no incident of its own; it is one of the clients of {names}."
    if explained.over:
        names = ", ".join(counter.rule.name for counter in explained.over)
        return f"A limit is reached ({names}), but nothing of it is stored yet."
    return f"There is no incident: {_why_none(explained)}."


def _why_none(explained: Explained) -> str:
    if explained.requests == 0:
        return "the log has no request of it"
    if not explained.nearest:
        return "no rule counted anything of it at that time"
    first = explained.nearest[0]
    if first.why and first.value >= first.limit:
        return f"{first.rule.name} has {first.value:,}, but {first.why}"
    share = f"{first.value:,} of {first.limit:,} {first.rule.unit}"
    return f"no limit is reached. The nearest is {first.rule.name}, {share}"


def is_near(finding: Finding, time: datetime) -> bool:
    """Whether a finding is about that time, or so near that it is the same incident."""
    apart = max(finding.window, _NEAR)
    return finding.first - apart <= time <= finding.last + apart


def split_at(batches: Iterable[Batch], time: int | None) -> Iterator[tuple[Batch, bool]]:
    """Yield batches, one of them cut in two at a time (us); True for what ends there.

    Findings do not depend on how a stream is cut. The one that is cut is the first of which
    nothing before the time can follow: that whose watermark is later, else the last.
    """
    every = iter(batches)
    batch, cut = next(every, None), time is None
    while batch is not None:
        following = next(every, None)
        newest = following is None if batch.watermark is None else batch.watermark > (time or 0)
        if cut or time is None or not newest:
            yield batch, False
        else:
            cut, before = True, batch.events["effective_time"].to_physical() < time
            yield Batch(batch.events.filter(before), time, no_readings()), True
            yield replace(batch, events=batch.events.filter(~before)), False
        batch = following


class Sightings:
    """The events of one entity: how many, from when to when, and some of them.

    `newest` is the time of the newest event of anybody.
    """

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self._frames: list[pl.DataFrame] = []
        self._kept = 0
        self.requests = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.newest: datetime | None = None

    def add(self, events: pl.DataFrame) -> None:
        """Take in a batch (BATCH_SCHEMA)."""
        if events.is_empty():
            return
        newest = events["effective_time"].max()
        if isinstance(newest, datetime):
            self.newest = newest if self.newest is None else max(newest, self.newest)
        mine = events.filter(self._are_mine(events))
        if mine.is_empty():
            return
        self.requests += mine.height
        times = mine["effective_time"]
        first, last = times.min(), times.max()
        if isinstance(first, datetime) and isinstance(last, datetime):
            self.first = first if self.first is None else min(first, self.first)
            self.last = last if self.last is None else max(last, self.last)
        if self._kept < _EVENTS:
            self._frames.append(mine.head(_EVENTS - self._kept))
            self._kept += self._frames[-1].height

    def _are_mine(self, events: pl.DataFrame) -> pl.Series:
        if self._entity.kind == "all":
            return pl.repeat(value=True, n=events.height, eager=True)
        name = _COLUMNS[self._entity.kind]
        texts = Arrays(events).texts(name, pl.int_range(events.height, eager=True))
        return texts.eq(self._entity.name).fill_null(value=False)

    @property
    def events(self) -> pl.DataFrame:
        """Its first events, at most _EVENTS (BATCH_SCHEMA)."""
        return pl.concat(self._frames) if self._frames else pl.DataFrame()

    @property
    def routes(self) -> list[str]:
        """The routes that it used, the most used first."""
        if not self._frames:
            return []
        counted = self.events["route"].drop_nulls().value_counts(sort=True)
        return [str(route) for route in counted["route"]]


def left_out(rules: Sequence[Rule], events: pl.DataFrame, time: int) -> Iterator[Left]:
    """Yield what rules did not count of an entity's events in their windows, and why."""
    if events.is_empty():
        return
    arrays = Arrays(events)
    selections = Selections(source.part for rule in rules for source in rule.series.sources)
    accepted = selections.rows(events)
    for rule in rules:
        end = rule.panes.start(time) + rule.panes.length
        there = [source for source in rule.series.sources if len(accepted[source.part])]
        counted = matches(rule.series, arrays, accepted)
        taken = np.array([], np.uint32) if counted is None else counted.row
        every = [accepted[source.part] for source in there] or [np.array([], np.uint32)]
        rows = np.setdiff1d(np.concatenate(every), taken)
        times = arrays.time[rows]
        rows = rows[(times >= end - rule.panes.span) & (times < end)]
        if len(rows):
            whys = why_left_out(rule.series, there, events[rows])
            for why, count in (
                whys.to_frame("why").group_by("why", maintain_order=True).len().rows()
            ):
                yield Left(rule.name, why, count)


def _key(entity: Entity) -> tuple[EntityType, str]:
    return entity.kind, entity.name


def _moment_of(findings: Sequence[Finding], seen: Sightings) -> int:
    told = min((finding.reached or finding.last for finding in findings), default=None)
    if told is not None:
        return microseconds(told) - 1
    last = seen.last or seen.newest
    return microseconds(last) if last is not None else 0
