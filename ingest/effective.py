"""Effective time: what decides the pane, worked out for one partition in order of positions.

Effective time = max(timestamp, newest accepted time - lateness), so that no event is ever behind
its partition's watermark. A record more than 10 min ahead of its partition, and its first, waits
for the next three records: if most of them (all, if it is more than a day ahead) are no more than
10 min older it is accepted, else it is quarantined and moves nothing. Only such candidates are
looked at one by one. Results depend on the order of records only, not on how they were cut into
calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from ingest.events import TIME_SCHEMA, UTC_TIME
from ingest.lines import Flags, Ints

_SECOND: Final = 1_000_000
WILD_US: Final = 600 * _SECOND
MOVED_US: Final = 60 * _SECOND
#: A last record is believed unless it is this far ahead of its partition.
ALONE_US: Final = 366 * 86_400 * _SECOND
#: A record this far ahead is believed only if all its witnesses agree, else most of them do.
FAR_US: Final = 86_400 * _SECOND
WITNESSES: Final = 3

#: What stands for the newest time before there is one.
NO_TIME: Final = -(2**63)

#: With more rejections in one call, the rest is gone through record by record.
_REJECTIONS: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """The records that were decided on, in order of positions.

    `times` are the newest accepted times as of each, NO_TIME before the first. `late` marks those
    that were moved by more than 60 s, `wild` those that were not accepted.
    """

    positions: Ints
    times: Ints
    late: Flags
    wild: Flags


@dataclass(frozen=True, slots=True)
class Timed:
    """Accepted events with the columns of TIME_SCHEMA, and the positions of wild ones."""

    events: pl.DataFrame
    future: tuple[int, ...] = ()
    decided: Decided | None = None


@dataclass
class PartitionClock:
    """The time rules of one partition; `feed` takes its records in order of positions.

    `newest` is the newest accepted time in microseconds since 1970, None before the first.
    """

    lateness: timedelta
    newest: int | None = None
    late: int = 0
    _held: pl.DataFrame | None = field(default=None, repr=False)

    @property
    def watermark(self) -> int | None:
        """Event time up to which the partition is complete, in microseconds."""
        return None if self.newest is None else self.newest - self._lateness_us

    @property
    def held(self) -> int:
        """Records that wait for a decision."""
        return 0 if self._held is None else self._held.height

    @property
    def held_from(self) -> int | None:
        """Position of the first record that waits for a decision."""
        return None if self._held is None else int(self._held["position"][0])

    @property
    def held_at(self) -> tuple[int, ...]:
        """Positions of the records that wait for a decision: at most as many as decide."""
        return () if self._held is None else tuple(self._held["position"].to_list())

    def feed(self, records: pl.DataFrame) -> Timed:
        """Take records (columns timestamp, never null, and position among others)."""
        return self._decide(self._joined(records), at_end=False)

    def finish(self) -> Timed | None:
        """Decide what waits with the witnesses there are: the input has ended."""
        if self._held is None:
            return None
        return self._decide(self._joined(None), at_end=True)

    def tick(self, now: int) -> Timed | None:
        """Let time pass to `now` (microseconds): the partition was idle up to then.

        What waits is accepted if it is at most 10 min ahead of `now`. Later events older than
        `now` - lateness are moved.
        """
        held, self._held = self._held, None
        timed = None
        if held is not None:
            times = held["timestamp"].to_physical().to_numpy()
            timed = self._release(held, times <= now + WILD_US)
        if self.newest is None or now > self.newest:
            self.newest = now
        return timed

    def state(self) -> Mapping[str, int | None]:
        """Return what a restart needs; what waits is read again (see `held_from`)."""
        return {"newest": self.newest, "late": self.late}

    @property
    def _lateness_us(self) -> int:
        return int(self.lateness / timedelta(microseconds=1))

    def _joined(self, records: pl.DataFrame | None) -> pl.DataFrame:
        frames = [frame for frame in (self._held, records) if frame is not None]
        self._held = None
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def _decide(self, records: pl.DataFrame, *, at_end: bool) -> Timed:
        times = records["timestamp"].to_physical().to_numpy()
        accepted, decided = accept(times, self.newest, at_end=at_end)
        if decided < len(times):
            self._held = records[decided:]
            records = records[:decided]
        return self._release(records, accepted)

    def _release(self, records: pl.DataFrame, accepted: Flags) -> Timed:
        positions = records["position"].to_numpy()
        if accepted.all():
            timed, newest, late = self._move(records)
            return Timed(timed, (), Decided(positions, newest, late, ~accepted))
        before = NO_TIME if self.newest is None else self.newest
        timed, newest, late = self._move(records.filter(pl.Series(accepted)))
        so_far = np.cumsum(accepted)
        times = np.append(np.array([before], np.int64), newest)[so_far]
        was_late = np.zeros(len(accepted), dtype=np.bool_)
        was_late[accepted] = late
        future = positions[~accepted]
        return Timed(timed, tuple(future.tolist()), Decided(positions, times, was_late, ~accepted))

    def _move(self, records: pl.DataFrame) -> tuple[pl.DataFrame, Ints, Flags]:
        """Add TIME_SCHEMA to accepted records; also return the newest times, and what is late."""
        times = records["timestamp"].to_physical().to_numpy()
        if not len(times):
            empty = [pl.Series(name, [], dtype) for name, dtype in TIME_SCHEMA.items()]
            return records.with_columns(empty), times, np.zeros(0, dtype=np.bool_)
        newest = np.maximum.accumulate(times)
        if self.newest is not None:
            newest = np.maximum(newest, self.newest)
        effective = np.maximum(times, newest - self._lateness_us)
        moved = effective - times
        self.newest = int(newest[-1])
        self.late += int(np.count_nonzero(moved))
        late = moved > MOVED_US
        columns = [
            pl.Series("effective_time", effective).cast(UTC_TIME),
            pl.Series("windowed", ~late),
        ]
        return records.with_columns(columns), newest, late


def accept(times: Ints, newest: int | None, *, at_end: bool) -> tuple[Flags, int]:
    """Decide which records are accepted: (a flag for each decided record, how many are).

    `times` are microseconds in order of positions, `newest` what was accepted before. The first
    record that needs witnesses which are not there yet, and all after it, stay undecided, unless
    the input has ended.
    """
    accepted = np.ones(len(times), dtype=np.bool_)
    start, rejections = 0, 0
    while start < len(times):
        ahead, before = _ahead(times[start:], newest)
        rejected = None
        for offset in np.flatnonzero(ahead).tolist():
            index = start + offset
            known = None if newest is None and offset == 0 else int(before[offset])
            verdict = _verdict(times, index, known, at_end=at_end)
            if verdict is None:
                return accepted[:index], index
            if not verdict:
                rejected, newest = index, known
                break
        if rejected is None:
            break
        accepted[rejected] = False
        start, rejections = rejected + 1, rejections + 1
        if rejections > _REJECTIONS:
            return _accept_singly(times, newest, accepted, start, at_end=at_end)
    return accepted, len(times)


def _ahead(times: Ints, newest: int | None) -> tuple[Flags, Ints]:
    """Mark the records that need witnesses; also return the newest time before each."""
    before = np.empty_like(times)
    peak = np.maximum.accumulate(times)
    before[1:] = peak[:-1]
    if newest is None:
        before[0] = times[0]
    else:
        before[0] = newest
        np.maximum(before, newest, out=before)
    ahead: Flags = times > before + WILD_US
    ahead[0] |= newest is None
    return ahead, before


def _verdict(times: Ints, index: int, newest: int | None, *, at_end: bool) -> bool | None:
    witnesses = times[index + 1 : index + 1 + WITNESSES]
    if len(witnesses) < WITNESSES and not at_end:
        return None
    if not len(witnesses):
        return newest is None or int(times[index]) <= newest + ALONE_US
    agreeing = int(np.count_nonzero(witnesses >= times[index] - WILD_US))
    if newest is not None and int(times[index]) > newest + FAR_US:
        return agreeing == len(witnesses)
    return 2 * agreeing >= len(witnesses)


def _accept_singly(
    times: Ints, newest: int | None, accepted: Flags, start: int, *, at_end: bool
) -> tuple[Flags, int]:
    for index in range(start, len(times)):
        time = int(times[index])
        if newest is None or time > newest + WILD_US:
            verdict = _verdict(times, index, newest, at_end=at_end)
            if verdict is None:
                return accepted[:index], index
            if not verdict:
                accepted[index] = False
                continue
        newest = time if newest is None else max(newest, time)
    return accepted, len(times)
