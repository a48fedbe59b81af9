"""Readings: how a partition fares, in a few rows beside its events, for what watches sources.

A partition's own time is its newest accepted time as of each line, so that it never goes back.
Lines are summed by slots of it. The sums are the same however the stream was cut into calls:
what became of lines behind one that the clock holds back is counted when that one is decided on,
and read again after a restart. Lines before a partition's first time have none; they are not
counted.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from ingest.effective import NO_TIME, Decided
from ingest.events import READING_SCHEMA, no_readings
from ingest.lines import Ints

#: Length of a slot in microseconds.
SLOT_US: Final = 10_000_000

#: With so many lines to a slot its bounds are looked up, else lines are compared.
_SPARSE: Final = 8

_NAMES: Final = READING_SCHEMA.names()[2:]
FIRST, LAST, EVENTS, LATE, FUTURE, UNREAD = range(len(_NAMES))


class Meter:
    """Collects the readings of one partition until they are taken."""

    def __init__(self, partition: str) -> None:
        self._partition = partition
        self._lines: list[Ints] = []
        self._ticks: list[int] = []
        self._waiting: dict[int, int] = {}

    def count(
        self,
        before: int | None,
        decided: Decided | None,
        unread: Ints,
        held: Sequence[int],
    ) -> None:
        """Count records that the clock has decided on, and lines that are no records.

        `before` is the newest time before the call, `unread` the positions of the lines, in
        order, `held` those of records that wait for a decision, after all that are decided on.
        """
        if decided is not None:
            self._count_decided(decided)
        if not (len(unread) or self._waiting):
            return
        earlier = np.fromiter(self._waiting.keys(), np.int64, len(self._waiting))
        counted = np.fromiter(self._waiting.values(), np.int64, len(self._waiting))
        positions = np.concatenate([earlier, unread])
        weights = np.concatenate([counted, np.ones(len(unread), np.int64)])
        ready = len(positions)
        if held:
            ready = int(np.searchsorted(positions, held[0]))
        self._wait(positions[ready:], weights[ready:], held)
        times = _times(before, decided, positions[:ready])
        self._count_unread(times, weights[:ready])

    def tick(self, time: int) -> None:
        """Note that the partition was idle up to `time`."""
        self._ticks.append(time)

    def take(self) -> pl.DataFrame:
        """Return what was collected (READING_SCHEMA) and begin anew."""
        if not (self._lines or self._ticks):
            return no_readings()
        ticks = np.zeros((len(self._ticks), len(_NAMES)), np.int64)
        ticks[:, FIRST] = ticks[:, LAST] = self._ticks
        rows = np.concatenate([*self._lines, ticks])
        counts = rows.shape[0] - len(ticks)
        self._lines, self._ticks = [], []
        columns = [pl.Series(name, rows[:, n]) for n, name in enumerate(_NAMES)]
        partition = pl.repeat(self._partition, len(rows), dtype=pl.String, eager=True)
        tick = pl.Series("tick", np.arange(len(rows)) >= counts)
        return pl.DataFrame([partition.alias("partition"), tick, *columns])

    def _count_decided(self, decided: Decided) -> None:
        times = decided.times
        begun = int(np.searchsorted(times, NO_TIME, side="right"))
        wild, late = decided.wild[begun:], decided.late[begun:]
        rows, first = _rows(times[begun:])
        if not len(first):
            return
        rows[:, EVENTS] = np.diff(first, append=len(wild))
        if late.any():
            rows[:, LATE] = np.add.reduceat(late, first, dtype=np.int64)
        if wild.any():
            rows[:, FUTURE] = np.add.reduceat(wild, first, dtype=np.int64)
            rows[:, EVENTS] -= rows[:, FUTURE]
        self._lines.append(rows)

    def _count_unread(self, times: Ints, weights: Ints) -> None:
        begun = int(np.searchsorted(times, NO_TIME, side="right"))
        rows, first = _rows(times[begun:])
        if len(first):
            rows[:, UNREAD] = np.add.reduceat(weights[begun:], first)
            self._lines.append(rows)

    def _wait(self, positions: Ints, weights: Ints, held: Sequence[int]) -> None:
        """Keep lines by the held record before them: of these there are never more than a few."""
        places = np.searchsorted(held, positions, side="right") - 1
        self._waiting = {}
        for place in np.unique(places).tolist():
            self._waiting[held[place]] = int(weights[places == place].sum())


def _rows(times: Ints) -> tuple[Ints, Ints]:
    """Return a row for each slot of times that never decrease, and where each begins.

    Their first and last times are set, the counts are 0.
    """
    if not len(times):
        return np.zeros((0, len(_NAMES)), np.int64), np.zeros(0, np.int64)
    slots = int(times[-1]) // SLOT_US - int(times[0]) // SLOT_US + 1
    if slots < len(times) // _SPARSE:
        bounds = (int(times[0]) // SLOT_US + np.arange(slots, dtype=np.int64)) * SLOT_US
        first = np.unique(np.searchsorted(times, bounds))
    else:
        first = np.flatnonzero(np.diff(times // SLOT_US, prepend=NO_TIME))
    rows = np.zeros((len(first), len(_NAMES)), np.int64)
    rows[:, FIRST] = times[first]
    rows[:-1, LAST] = times[first[1:] - 1]
    rows[-1, LAST] = times[-1]
    return rows, first


def _times(before: int | None, decided: Decided | None, positions: Ints) -> Ints:
    """Return a partition's time at some positions, NO_TIME where it has none yet."""
    start = NO_TIME if before is None else before
    if decided is None:
        return np.full(len(positions), start, np.int64)
    times = np.concatenate([np.array([start], np.int64), decided.times])
    return times[np.searchsorted(decided.positions, positions, side="right")]
