"""Follows logs that grow: what was appended since the last poll, as batches of events."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any, Final

from ingest.chunks import CHUNK_BYTES
from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.formats.detection import SAMPLE_BYTES, Detection
from ingest.gaps import Gap, Gaps
from ingest.lines import LINE_LIMIT
from ingest.logs import STDIN_PATH, InputProblem, Log, find_logs
from ingest.partitions import Partition, Tally, first_lines
from ingest.reader import watermark_of
from ingest.rotations import Folders
from ingest.sources import FileSource
from ingest.tails import COPIED, LogTail, Start, advice_on

#: A partition without new events for so long has its time moved on by the clock, which it then
#: follows at this distance: lines that a shipper or a buffer holds back no longer are not late.
IDLE: Final = timedelta(minutes=2)

#: Ticks of less are left out.
_TICK: Final = timedelta(seconds=1)

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1) // _MICROSECOND
#: Looking for new logs takes at most this share of the time.
_LOOKING: Final = 20
#: A log without new lines for so long is looked at once a second only.
_QUIET: Final = timedelta(minutes=1) // _MICROSECOND
#: A poll returns after so long; what is left comes with the next, furthest behind first.
_AT_ONCE: Final = _SECOND
#: Files held open at most; of others only the position is kept.
OPEN_FILES: Final = 256
#: A log whose files are gone is no longer followed after this, and its position is kept for long:
#: a network mount may come back.
FORGET: Final = timedelta(minutes=10) // _MICROSECOND
FORGET_POSITION: Final = timedelta(days=7) // _MICROSECOND
#: Problems told at most.
PROBLEMS: Final = 200


def wall_clock() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class _Followed:
    def __init__(
        self, partition: Partition, tail: LogTail, gaps: Gaps, noted: Set[str], now: int
    ) -> None:
        self.idle_after = 0
        self.partition = partition
        self.tail = tail
        self.gaps = gaps
        self._noted = noted
        self.last_read = now
        self.last_event = now
        self.looked = now
        self.absent_since: int | None = None
        self.problem: InputProblem | None = None

    def position(self) -> dict[str, Any] | None:
        """Return where it stands, None if nothing was opened yet."""
        position = self.tail.position
        begin, _ = self.partition.held_from(position)
        place = self.tail.state(begin if begin < position else None)
        if place is None:
            return None
        return {**place, **self.partition.state(position), **self.gaps.state()}

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong now, and where lines may be missing: the last gap of each kind since start.

        Of a copy there is always a gap, and mostly nothing in it: it is kept, not told here.
        """
        known = [self.problem] if self.problem else []
        missing = [
            InputProblem(gap.partition, gap.reason, advice_on(gap.reason), gap.since, gap.until)
            for gap in self.gaps.last
            if gap.reason in self._noted and gap.reason != COPIED
        ]
        return [*known, *self.tail.problems, *missing]

    def idle(self, now: int) -> bool:
        """Whether it has had no events for so long, and not because they wait to be read.

        Lines that are no events do not hold time up: else a log that nobody can read would. What
        one read takes is nothing that waits: a writer's buffer may end within a line.
        """
        if now - self.last_read >= self.idle_after:
            return True
        return now - self.last_event >= self.idle_after and self.tail.unread <= LINE_LIMIT

    def due(self, now: int) -> bool:
        """Whether to look for new lines."""
        return now - self.last_read < _QUIET or now - self.looked >= _SECOND


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
        self._stored = {name: dict(state) for name, state in (positions or {}).items()}
        self._followed: dict[str, _Followed] = {}
        self._open: dict[_Followed, None] = {}
        self._problems: dict[InputProblem, None] = {}
        self._gone: list[Gap] = []
        self._folders = Folders()
        self._look_at = 0
        self._look(start)

    def poll(self) -> list[Batch]:
        """Return batches of what was appended: at most one chunk a log, furthest behind first.

        Call again at once if it returned any.
        """
        now = self._clock()
        if now >= self._look_at:
            self._look("beginning")
        batches = []
        due = [followed for followed in self._followed.values() if followed.due(now)]
        for followed in sorted(due, key=_behind):
            if not self._room_for(followed):
                continue
            if self._clock() - now > _AT_ONCE:
                break
            followed.looked = now
            batch = self._read(followed, now)
            if batch is not None:
                batches.append(batch)
            if followed.tail.is_open and (batch is not None or followed not in self._open):
                self._open.pop(followed, None)
                self._open[followed] = None
        return batches

    def tick(self, now: int | None = None) -> list[Batch]:
        """Let time pass, up to `idle` ago, for partitions that had nothing new for `idle`.

        `now` is in microseconds since 1970, the clock's time if None. Returns batches whose
        watermark moved; later events older than it are moved, as the time rules say.
        """
        instant = self._clock() if now is None else now
        batches = []
        for followed in self._followed.values():
            until = instant - followed.idle_after
            if not followed.idle(instant):
                continue
            before = followed.partition.clock.newest
            if before is not None and until < before + _TICK // _MICROSECOND:
                continue
            events = followed.partition.tick(until).events
            followed.gaps.passed(events)
            batches.append(Batch(events, self.watermark, followed.partition.readings()))
        return batches

    def positions(self) -> dict[str, dict[str, Any]]:
        """Return where each partition stands after the batches returned so far; plain JSON."""
        stands = dict(self._stored)
        for name, followed in self._followed.items():
            position = followed.position()
            if position is not None:
                stands[name] = position
        return stands

    @property
    def has_partitions(self) -> bool:
        """Whether there is any log."""
        return bool(self._followed)

    @property
    def watermark(self) -> int | None:
        """Event time up to which all partitions are complete, None while one has not begun."""
        return watermark_of([followed.partition for followed in self._followed.values()])

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong with the inputs now, and where lines may be missing; at most PROBLEMS."""
        found = dict(self._problems)
        for followed in self._followed.values():
            found.update(dict.fromkeys(followed.problems))
        told = list(found)[:PROBLEMS]
        if len(told) < len(found):
            more = f"{len(found) - len(told)} more problems with other inputs"
            told.append(InputProblem("sources", more, "mend those that are told first"))
        return told

    def take_gaps(self) -> list[Gap]:
        """Return the gaps that are new or changed since the last call."""
        gone, self._gone = self._gone, []
        return [*gone, *(gap for entry in self._followed.values() for gap in entry.gaps.take())]

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
        """Find logs that were not there before, and let go of those that are no longer there."""
        began = self._clock()
        self._problems = {}
        found: set[str] = set()
        for source in self._sources:
            logs, problems = find_logs(source.paths)
            self._problems.update(dict.fromkeys(problems))
            for log in logs:
                found.add(log.name)
                followed = self._followed.get(log.name)
                if followed is None:
                    self._followed[log.name] = self._begin(source, log, start)
                else:
                    followed.tail.refresh(log)
        self._forget(found, began)
        self._open = {entry: None for entry in self._open if entry.tail.is_open}
        now = self._clock()
        self._look_at = now + max(_SECOND, _LOOKING * (now - began))

    def _begin(self, source: FileSource, log: Log, start: Start) -> _Followed:
        state = self._stored.pop(log.name, None)
        partition = Partition(log.name, source, self.tally, self._enrichment)
        gaps = Gaps(log.name, "bytes")
        noted: set[str] = set()
        if state is not None:
            partition.restore(state)
            gaps.restore(state)

        def on_gap(position: int, reason: str, lost: int | None) -> None:
            noted.add(reason)
            gaps.add(position, reason, since=partition.clock.newest, lost=lost)

        tail = LogTail(
            log,
            start=start,
            chunk_bytes=self._chunk_bytes,
            state=state,
            on_gap=on_gap,
            folders=self._folders,
        )
        followed = _Followed(partition, tail, gaps, noted, self._clock())
        followed.idle_after = self._idle if source.idle is None else source.idle // _MICROSECOND
        return followed

    def _forget(self, found: set[str], now: int) -> None:
        for name, followed in list(self._followed.items()):
            if name in found or not followed.tail.ended:
                followed.absent_since = None
            elif followed.absent_since is None:
                followed.absent_since = now
            elif now - followed.absent_since >= FORGET:
                position = followed.position()
                if position is not None:
                    self._stored[name] = {**position, "ended": True, "absent_since": now}
                self._gone += followed.gaps.take()
                followed.tail.close()
                self._open.pop(followed, None)
                del self._followed[name]
        for name, state in list(self._stored.items()):
            if now - state.setdefault("absent_since", now) >= FORGET_POSITION:
                del self._stored[name]

    def _room_for(self, followed: _Followed) -> bool:
        """Let another file be open, by closing the one least recently read that has no more."""
        if followed.tail.is_open or len(self._open) < OPEN_FILES:
            return True
        for other in list(self._open):
            other.tail.rest()
            if not other.tail.is_open:
                del self._open[other]
                return True
        return False

    def _read(self, followed: _Followed, now: int) -> Batch | None:
        partition = followed.partition
        chunk = followed.tail.read(now)
        if chunk is None:
            return None
        if not partition.settled:
            self._detect(followed)
        followed.last_read = now
        read = partition.parse(partition.records(chunk))
        if read.events.height:
            followed.last_event = now
        events = partition.feed(read).events
        followed.gaps.passed(events)
        return Batch(events, self.watermark, partition.readings())

    def _detect(self, followed: _Followed) -> None:
        head = followed.tail.head(SAMPLE_BYTES)
        lines = first_lines(head[: head.rfind(b"\n") + 1])
        if not len(lines):
            return
        followed.problem = followed.partition.detect(lines)


def _behind(followed: _Followed) -> tuple[bool, int]:
    newest = followed.partition.clock.newest
    return newest is not None, newest or 0
