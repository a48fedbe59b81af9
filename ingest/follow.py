"""Follows logs that grow: what was appended since the last poll, as batches of events."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from ingest.chunks import CHUNK_BYTES
from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.formats.detection import SAMPLE_BYTES, Detection
from ingest.logs import STDIN_PATH, InputProblem, find_logs
from ingest.partitions import Partition, Tally, first_lines
from ingest.reader import watermark_of
from ingest.sources import FileSource
from ingest.tails import LogTail, Start

#: A partition without new lines for so long has its time moved on by the clock, which it then
#: follows at this distance: lines that a shipper or a buffer holds back no longer are not late.
IDLE: Final = timedelta(minutes=2)

#: Ticks of less are left out.
_TICK: Final = timedelta(seconds=1)

_MICROSECOND: Final = timedelta(microseconds=1)
_LOOK_AGAIN: Final = timedelta(seconds=1)


def wall_clock() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class _Followed:
    def __init__(self, partition: Partition, tail: LogTail, now: int) -> None:
        self.partition = partition
        self.tail = tail
        self.last_read = now
        self.idle = False


class LogFollower:
    """Reads what is appended to some logs; `poll` never waits.

    `start` says where a log begins that has no stored position; logs that appear later are read
    from their beginning. `positions` is what `positions()` returned before a restart: it fits the
    batches returned until then, so that no event is lost or seen twice. Raises ValueError if a
    source names standard input.
    """

    def __init__(
        self,
        sources: Sequence[FileSource],
        *,
        tally: Tally | None = None,
        enrichment: Enrichment | None = None,
        start: Start = "end",
        positions: Mapping[str, Any] | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        idle: timedelta = IDLE,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        if any(STDIN_PATH in source.paths for source in sources):
            raise ValueError("standard input cannot be followed: scan it, or name a file")
        self._sources = tuple(sources)
        self._chunk_bytes = chunk_bytes
        self._idle = idle // _MICROSECOND
        self._clock = clock
        self.tally = tally or Tally()
        self._enrichment = enrichment or Enrichment()
        self._stored = dict(positions or {})
        self._followed: dict[str, _Followed] = {}
        self._problems: dict[InputProblem, None] = {}
        self._looked = clock()
        self._look(start)

    def poll(self) -> list[Batch]:
        """Return batches of what was appended: at most one chunk a log, furthest behind first.

        Call again at once if it returned any.
        """
        now = self._clock()
        if now - self._looked >= _LOOK_AGAIN // _MICROSECOND:
            self._looked = now
            self._look("beginning")
        batches = []
        for followed in sorted(self._followed.values(), key=_behind):
            batch = self._read(followed, now)
            if batch is not None:
                batches.append(batch)
        return batches

    def tick(self, now: int | None = None) -> list[Batch]:
        """Let time pass, up to `idle` ago, for partitions that had nothing new for `idle`.

        `now` is in microseconds since 1970, the clock's time if None. Returns batches whose
        watermark moved; later events older than it are moved, as the time rules say.
        """
        instant = self._clock() if now is None else now
        until = instant - self._idle
        batches = []
        for followed in self._followed.values():
            if instant - followed.last_read < self._idle:
                continue
            before = followed.partition.clock.newest
            if before is not None and until < before + _TICK // _MICROSECOND:
                continue
            events = followed.partition.timed(followed.partition.clock.tick(until)).events
            batches.append(Batch(events, self.watermark))
        return batches

    def positions(self) -> dict[str, dict[str, Any]]:
        """Return where each partition stands after the batches returned so far; plain JSON."""
        stands = dict(self._stored)
        for name, followed in self._followed.items():
            place = followed.tail.state(followed.partition.clock.held_from)
            if place is not None:
                stands[name] = {**place, **followed.partition.state()}
        return stands

    @property
    def watermark(self) -> int | None:
        """Event time up to which all partitions are complete, None while one has not begun."""
        return watermark_of([followed.partition for followed in self._followed.values()])

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong with the inputs."""
        tails = [problem for entry in self._followed.values() for problem in entry.tail.problems]
        return [*self._problems, *tails]

    @property
    def lag(self) -> dict[str, int]:
        """Bytes that wait to be read, by log; of the file that is read now."""
        return {name: followed.tail.unread for name, followed in self._followed.items()}

    @property
    def late(self) -> int:
        """Events whose effective time is later than their timestamp."""
        return sum(followed.partition.clock.late for followed in self._followed.values())

    @property
    def detections(self) -> dict[str, Detection]:
        """The format of each partition that was begun."""
        return {
            name: followed.partition.detection
            for name, followed in self._followed.items()
            if followed.partition.detection is not None
        }

    def commit(self) -> None:
        """Files have no place to note how far reading has come."""

    def close(self) -> None:
        """Close all files."""
        for followed in self._followed.values():
            followed.tail.close()

    def _look(self, start: Start) -> None:
        """Find logs that were not there before."""
        self._problems = {}
        for source in self._sources:
            logs, problems = find_logs(source.paths)
            self._problems.update(dict.fromkeys(problems))
            for log in logs:
                if log.name in self._followed:
                    continue
                state = self._stored.pop(log.name, None)
                partition = Partition(log.name, source, self.tally, self._enrichment)
                if state is not None:
                    partition.restore(state)
                tail = LogTail(log, start=start, chunk_bytes=self._chunk_bytes, state=state)
                self._followed[log.name] = _Followed(partition, tail, self._clock())

    def _read(self, followed: _Followed, now: int) -> Batch | None:
        partition = followed.partition
        chunk = followed.tail.read(now)
        if chunk is None:
            return None
        if not partition.settled:
            self._detect(followed)
        followed.last_read = now
        events = partition.feed(partition.parse(partition.records(chunk))).events
        return Batch(events, self.watermark)

    def _detect(self, followed: _Followed) -> None:
        head = followed.tail.head(SAMPLE_BYTES)
        lines = first_lines(head[: head.rfind(b"\n") + 1])
        if not len(lines):
            return
        problem = followed.partition.detect(lines)
        if problem is not None:
            self._problems[problem] = None


def _behind(followed: _Followed) -> tuple[bool, int]:
    newest = followed.partition.clock.newest
    return newest is not None, newest or 0
