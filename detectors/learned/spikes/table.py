"""Entities of one pane length, with their baselines: panes in, violations out."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from detectors.learned.spikes.arrays import Bools, Ints
from detectors.learned.spikes.baselines import Baselines
from detectors.learned.spikes.kinds import BIG, KINDS, SLOW, VOLUME
from detectors.learned.spikes.scores import Limits, Violation, chance_of
from detectors.learned.spikes.seasons import DAY, HOUR
from detectors.learned.spikes.sums import BUCKETS, LATENCY
from detectors.learned.spikes.tails import Floats

#: What stands for all entities that are beyond the cap.
OTHER: Final = "other"

#: An entity without requests for so long may make room for another (us).
IDLE: Final = 7 * DAY

#: Silence of everything that is taken for silence; what is longer was not seen (us).
SEEN_SILENT: Final = 6 * HOUR

#: One answer in so many is slow or big when that is learned; so many must have been counted.
RARE: Final = 20
ENOUGH: Final = 200

#: A share of slow or big answers from which on another limit of slow and big is learned.
COMMON: Final = 0.2

Key = tuple[str, str]


class Told(NamedTuple):
    """A violation of a series of an entity, in the pane that begins at a time (us)."""

    entity: Key
    time: int
    violation: Violation


class Table:
    """The series of some types of entities, all of one pane length.

    `share` is the number of false alarms a day that each type may have, `cap` how many entities.
    `least` and `judged` are as in Limits, one for each kind. `beyond` counts how often an entity
    had to share OTHER, and `evicted` those that were forgotten to make room.
    """

    def __init__(
        self,
        types: Sequence[str],
        *,
        length: int,
        windows: Sequence[int],
        zone: ZoneInfo,
        learning: int,
        share: float,
        cap: int,
        least: tuple[Floats, Floats],
        judged: tuple[Bools, Bools],
    ) -> None:
        self.types, self.length, self.cap = tuple(types), length, cap
        self._share, self._least, self._judged = share, least, judged
        self._learning = learning
        self.baselines = Baselines(
            kinds=KINDS, length=length, windows=windows, zone=zone, learning=learning
        )
        self.row_of: dict[Key, int] = {}
        self.names: list[Key] = []
        self.last: list[int] = []
        self.free: list[int] = []
        self.beyond = 0
        self.next: int | None = None
        self.last_event = 0
        self.ended = False
        self.evicted = 0
        self.histogram = np.zeros((0, 2, BUCKETS))
        self.edge = np.zeros((0, 2), np.int64)
        self.type_of = np.zeros(0, np.int64)

    def close(self, due: pl.DataFrame, until: int) -> Iterator[Told]:
        """Judge and learn the panes that begin before a time, of which `due` has all sums."""
        names = due.select("type", "entity").unique().sort("type", "entity").with_row_index("code")
        if self.next is not None:
            due = due.filter(pl.col("pane") >= self.next)
        panes = due.join(names, on=("type", "entity")).sort("pane", "code", "measure", "bucket")
        keys = [(kind, entity) for _, kind, entity in names.iter_rows()]
        start, code, measure, bucket, count = (
            panes[name].to_numpy().astype(np.int64)
            for name in ("pane", "code", "measure", "bucket", "count")
        )
        places = np.flatnonzero(np.diff(start, prepend=-1))
        for begin, end in pairwise([*places.tolist(), len(start)]):
            time = int(start[begin])
            yield from self._silent(time)
            part = slice(begin, end)
            rows = self._rows(time, keys, code[part], np.where(measure < LATENCY, count, 0)[part])
            yield from self._pane(time, rows, measure[part], bucket[part], count[part])
            self.last_event, self.ended = time, False
            self.next = time + self.length
        yield from self._silent(until)

    def _silent(self, until: int) -> Iterator[Told]:
        """Judge the panes up to a time in which nothing at all was seen."""
        if self.next is None or self.next >= until:
            return
        limit = self.next if self.ended else self.last_event + SEEN_SILENT
        while self.next < min(until, limit):
            yield from self._step(self.next, np.zeros((self.baselines.rows, KINDS)))
            self.next += self.length
        if self.next < until:
            panes = -(-(until - self.next) // self.length)
            self.baselines.pause(panes)
            self.next += panes * self.length

    def _pane(
        self, time: int, rows: Ints, measure: Ints, bucket: Ints, count: Ints
    ) -> Iterator[Told]:
        size = self.baselines.rows
        answers = measure < LATENCY
        width = LATENCY
        by_status = np.bincount(
            rows[answers] * width + measure[answers], count[answers], size * width
        ).reshape(size, width)
        timed = ~answers
        cell = (rows[timed] * 2 + measure[timed] - LATENCY) * BUCKETS + bucket[timed]
        histogram = np.bincount(cell, count[timed], size * 2 * BUCKETS).astype(np.float64)
        counted = np.zeros((size, KINDS))
        counted[:, :SLOW] = by_status
        counted[:, VOLUME] = by_status.sum(axis=1)
        yield from self._step(time, counted, histogram.reshape(size, 2, BUCKETS))

    def _step(self, time: int, counted: Floats, histogram: Floats | None = None) -> Iterator[Told]:
        known = self.baselines.series.since > 0
        out_of = np.repeat(counted[:, :1], KINDS, axis=1)
        out_of[:, VOLUME] = known[:, VOLUME]
        out_of[:, SLOW:] = 0.0
        if histogram is not None:
            beyond = np.arange(BUCKETS) >= self.edge[:, :, None]
            counted[:, SLOW:] = (histogram * beyond).sum(axis=2)
            out_of[:, SLOW:] = histogram.sum(axis=2) * (self.edge < BUCKETS)
            self.histogram += histogram
        found = self.baselines.step(time, counted, out_of, self._limits(time))
        for each in found:
            yield Told(self.names[each.row], time, each)
            if each.ends and each.kind in {SLOW, BIG}:
                self._common(each.row, each.kind, time)
        self._learn_edges(time)

    def _common(self, row: int, kind: int, time: int) -> None:
        """Learn another limit of what is slow or big, where too much has become so."""
        measure = kind - SLOW
        every = self.histogram[row, measure]
        if every[self.edge[row, measure] :].sum() > COMMON * every.sum():
            self.edge[row, measure] = BUCKETS
            self.baselines.clear(row, [kind], time)

    def _learn_edges(self, time: int) -> None:
        """Learn from which bucket on answers are slow or big, once for each series."""
        since = self.baselines.series.since[:, SLOW:]
        wanting = (self.edge == BUCKETS) & (since > 0) & (time - since >= self._learning // 7)
        if wanting.any():
            beyond = self.histogram[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
            every = beyond[:, :, 0]
            ready = wanting & (every >= ENOUGH)
            first = (beyond * RARE <= every[:, :, None]).argmax(axis=2)
            self.edge = np.where(ready, first, self.edge)
        if time % DAY == 0:
            self.histogram *= 0.5

    def _limits(self, time: int) -> Limits:
        """Return the limits of each series: of each type, its share over its tests a day."""
        base = self.baselines
        mature = base.mature(time)
        tests = DAY // self.length * len(base.windows)
        number = sum((mature & side).sum(axis=1) for side in self._judged)
        chance = np.ones(base.rows)
        for kind in range(len(self.types)):
            ours = self.type_of == kind
            chance[ours] = chance_of(self._share, tests * max(int(number[ours].sum()), 1))
        return Limits(chance[:, None], self._least, self._judged)

    def _rows(self, time: int, keys: Sequence[Key], code: Ints, requests: Ints) -> Ints:
        """Return the row of each sum's entity; entities that are new get one, or share OTHER."""
        there = np.unique(code)
        total = np.bincount(code, requests)
        row_of = np.zeros(int(there[-1]) + 1, np.int64)
        for at in sorted(there.tolist(), key=lambda at: (-total[at], keys[at])):
            row_of[at] = self._row(keys[at], time)
        return row_of[code]

    def _row(self, key: Key, time: int) -> int:
        row = self.row_of.get(key)
        if row is None:
            if key[1] == OTHER or self._room(key[0], time):
                row = self._begin(key, time)
            else:
                return self._row((key[0], OTHER), time)
        self.last[row] = time
        return row

    def _room(self, kind: str, time: int) -> bool:
        """Make room for an entity of a type: who has been idle longest goes, then by name."""
        ours = [(self.last[row], key) for key, row in self.row_of.items() if key[0] == kind]
        if len(ours) < self.cap:
            return True
        last, key = min(entry for entry in ours if entry[1][1] != OTHER)
        if time - last < IDLE:
            self.beyond += 1
            return False
        self.free.append(self.row_of.pop(key))
        self.evicted += 1
        return True

    def _begin(self, key: Key, time: int) -> int:
        row = self.free.pop() if self.free else len(self.names)
        self.baselines.add(row, time)
        if row == len(self.names):
            self.names.append(key)
            self.last.append(time)
        self.fit()
        self.row_of[key] = row
        self.names[row] = key
        self.type_of[row] = self.types.index(key[0])
        self.histogram[row] = 0.0
        self.edge[row] = BUCKETS
        return row

    def fit(self) -> None:
        """Give all arrays as many rows as the baselines have."""
        more = self.baselines.rows - len(self.edge)
        if more:
            self.histogram = np.pad(self.histogram, ((0, more), (0, 0), (0, 0)))
            self.edge = np.pad(self.edge, ((0, more), (0, 0)), constant_values=BUCKETS)
            self.type_of = np.pad(self.type_of, (0, more), constant_values=-1)

    def start(self, time: int) -> int:
        """Return the start of the pane that holds a time (us)."""
        return time // self.length * self.length
