"""A partition that is followed: its blocks into timed events, and where reading stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from ingest.formats.detection import SAMPLE_LINES
from ingest.gaps import Gaps
from ingest.logs import InputProblem
from ingest.normalising import Read, Reject
from ingest.partitions import Partition
from ingest.parts import joined
from ingest.records import Records
from ingest.topics.blocks import Block
from ingest.topics.buffers import Start
from ingest.topics.places import Place


@dataclass
class Followed:
    """A partition, and where the events returned so far end.

    `read_at` is when something new was read last, by the follower's clock, and `event_at` when
    there was an event in it. `problem` says that the format is unknown. `_held` are the positions
    of events that the clock holds back, `_sizes` how many events the records at these positions
    have. The first `_dropping` events of the record at `_first` were returned before a restart.
    """

    partition: Partition
    place: Place
    read_at: int
    event_at: int
    problem: InputProblem | None = None
    gaps: Gaps = field(init=False)
    _first: int = 0
    _dropping: int = 0
    _held: list[int] = field(default_factory=list)
    _sizes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gaps = Gaps(self.partition.name, "records")

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned before a restart."""
        self.partition.restore(state)
        self.gaps.restore(state)

    def state(self) -> dict[str, Any]:
        """Return where reading goes on after a restart; plain JSON."""
        offset = self.place.offset
        begin, _ = self.partition.held_from(offset)
        place = replace(self._stands(), offset=begin)
        return {**place.state(), **self.partition.state(offset), **self.gaps.state()}

    def begin(self, start: Start) -> pl.DataFrame:
        """Go on at another place; return what was held back, decided with what there is."""
        parts = self.partition.parts
        events = self.partition.finish().events
        self._held, self._sizes = [], {}
        self.place = replace(start.place, skip=0)
        if start.gap is None:  # it is begun, maybe at the first part of a line
            self.partition.parts = parts
        first = max(start.place.offset, self.partition.parts.resume)
        self._first, self._dropping = first, start.place.skip
        if start.gap is not None:
            gap, since = start.gap, self.partition.clock.newest
            first = start.place.offset
            self.partition.begin_anew()
            self.gaps.add(gap.position, gap.reason, since=since, lost=gap.lost, goes_on=first)
        return events

    def tick(self, until: int) -> pl.DataFrame:
        """Let time pass; return what was held back and is taken now."""
        events = self.partition.tick(until).events
        self._held, self._sizes = [], {}
        return events

    def read(self, blocks: Sequence[Block]) -> Read:
        """Parse blocks; settles the format, if it is not yet, and changes nothing else.

        Another thread may do it ahead of time, for one sequence of blocks at a time.
        """
        values = [value for block in blocks for value in block.values]
        offsets = [offset for block in blocks for offset in block.offsets]
        records = Records.of_values(values, offsets)
        known = self.partition.detection
        if len(records.lines) and (known is None or known.format is None):
            few = np.arange(min(len(records.lines), SAMPLE_LINES))
            self.problem = self.partition.detect(records.lines.select(few))
        records, parts = joined(records, self.partition.parts)
        return replace(self.partition.parse(records), parts=parts)

    def feed(self, blocks: Sequence[Block], read: Read, now: int) -> pl.DataFrame:
        """Return the events of blocks, given what was read of them: these are returned now."""
        self.read_at = now
        if read.parts is not None:
            self.partition.parts = read.parts
        self.place = replace(self.place, offset=blocks[-1].next_offset)
        events = read.events
        known = self._known(events)
        fresh = events[known:]
        poison = _poison(blocks)
        lines = read.lines - known + sum(len(reject.positions) for reject in poison)
        rejects = (*read.rejects, *poison)
        timed = self.partition.feed(replace(read, events=fresh, rejects=rejects, lines=lines))
        if fresh.height:
            self.event_at = now
        self._hold(events, fresh)
        self.gaps.passed(timed.events)
        return timed.events

    def _stands(self) -> Place:
        if not self._held:
            return replace(self.place, skip=self._dropping)
        first = self._held[0]
        skip = self._sizes[first] - self._held.count(first)
        return replace(self.place, offset=first, skip=skip)

    def _known(self, events: pl.DataFrame) -> int:
        """Return how many of the first events were returned before the restart; once."""
        dropping = self._dropping
        if not dropping:
            return 0
        if self.place.offset > self._first:
            self._dropping = 0
        return min(dropping, int((events["position"] == self._first).sum()))

    def _hold(self, events: pl.DataFrame, fresh: pl.DataFrame) -> None:
        held = self.partition.clock.held
        if not held:
            self._held, self._sizes = [], {}
            return
        positions = [*self._held, *fresh["position"].tail(held).to_list()]
        self._held = positions[-held:]
        self._sizes = {
            position: self._sizes.get(position) or int((events["position"] == position).sum())
            for position in self._held
        }


def _poison(blocks: Sequence[Block]) -> tuple[Reject, ...]:
    """Return the records of blocks that could not be read."""
    offsets = [offset for block in blocks for offset in block.poison]
    return (Reject("poison", np.array(offsets, dtype=np.int64)),) if offsets else ()
