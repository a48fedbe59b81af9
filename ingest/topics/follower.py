"""Follows topics: what was sent since the last poll, as batches of events."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

import polars as pl

from ingest.events import Batch, no_events, no_readings
from ingest.follow import IDLE, wall_clock
from ingest.formats.detection import Detection
from ingest.gaps import Gap
from ingest.logs import InputProblem
from ingest.normalising import Read
from ingest.partitions import Partition, Tally
from ingest.reader import least, watermark_of
from ingest.sources import KafkaSource
from ingest.topics.blocks import Block
from ingest.topics.buffers import Buffers, Start
from ingest.topics.client import ClientError, Connect, TopicClient, TopicPartition
from ingest.topics.fetching import SURVEY_SECONDS, WAIT_SECONDS, Fetching
from ingest.topics.followed import Followed
from ingest.topics.places import Place

#: Bytes of values that wait to be read, over all partitions.
BUFFER_BYTES: Final = 32 << 20

#: About so much becomes one batch.
BATCH_BYTES: Final = 12 << 20
BATCH_RECORDS: Final = 50_000

#: If more than that waits, the next batch is read while the caller works on this one.
READ_AHEAD_BYTES: Final = 2 << 20

#: A partition so far ahead of the slowest in event time waits for it, but not for ever.
AHEAD: Final = timedelta(minutes=10)
PATIENCE: Final = timedelta(seconds=5)

_POLL_SECONDS: Final = 0.05
_FIRST_SECONDS: Final = 3.0
_CLOSE_SECONDS: Final = 5.0
_MICROSECOND: Final = timedelta(microseconds=1)
_TICK: Final = timedelta(seconds=1)
_ABSENT: Final = ":absent"  # no topic has a colon in its name


def connect_to_kafka(source: KafkaSource) -> TopicClient:
    """Connect; raises ClientError. The library is loaded by whoever has topics."""
    from ingest.topics.kafka_client import KafkaClient  # noqa: PLC0415 - see above

    return KafkaClient(source)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Blocks of a partition that are read, maybe in another thread, and not returned yet.

    `under` is the fingerprint of the enrichment when reading began.
    """

    partition: TopicPartition
    blocks: list[Block]
    read: Future[Read]
    under: str


class TopicFollower:
    """Reads the topics of one source; `poll` waits some hundredths of a second at most.

    Making one waits a few seconds at most, for the cluster to say where partitions stand.

    `positions` is what `positions()` returned before a restart: it fits the batches returned until
    then, so that no event is lost or seen twice. A partition without one begins where the source
    says; one that appears later at its beginning. Whatever the cluster does is told in `problems`;
    nothing is raised. Once it has not answered for `hold_back`, time passes without it, for the
    sake of others; None means never. With `threaded` False nothing happens between calls of
    `poll`, for tests.
    """

    def __init__(
        self,
        source: KafkaSource,
        *,
        tally: Tally,
        make_partition: Callable[[str], Partition],
        positions: Mapping[str, Any] | None = None,
        idle: timedelta = IDLE,
        clock: Callable[[], int] = wall_clock,
        monotonic: Callable[[], float] = monotonic,
        connect: Connect = connect_to_kafka,
        buffer_bytes: int = BUFFER_BYTES,
        survey_seconds: float = SURVEY_SECONDS,
        hold_back: timedelta | None = None,
        threaded: bool = True,
    ) -> None:
        self._source = source
        self._tally = tally
        self._make_partition = make_partition
        self._idle = idle // _MICROSECOND
        self._hold_back = None if hold_back is None else hold_back // _MICROSECOND
        self._away_since: int | None = None
        self._clock = clock
        self._monotonic = monotonic
        self._stored = {
            name: dict(state) for name, state in (positions or {}).items() if self._is_ours(name)
        }
        self._followed: dict[TopicPartition, Followed] = {}
        self._ahead: list[_Taken] = []
        self._pool = ThreadPoolExecutor(1, "topics-reading")
        self._buffers = Buffers(buffer_bytes)
        self._fetching = Fetching(
            source,
            connect,
            self._buffers,
            stored={
                name: Place.stored(state)
                for name, state in self._stored.items()
                if not name.endswith(_ABSENT)
            },
            absent=[name.removesuffix(_ABSENT) for name in self._stored if name.endswith(_ABSENT)],
            wait=WAIT_SECONDS if threaded else 0.0,
            monotonic=monotonic,
            survey_seconds=survey_seconds,
        )
        self._connections = 0
        self._told: dict[TopicPartition, int] = {}
        self._closing = Event()
        self._thread: Thread | None = None
        if threaded:
            self._thread = self._begin()
            self._await_places()

    def poll(self) -> list[Batch]:
        """Return what was sent, in one batch; at most so much, furthest behind first."""
        self._supervise()
        now = self._clock()
        if self._connections != self._fetching.connections:  # what comes now was held up
            self._connections = self._fetching.connections
            for followed in self._followed.values():
                followed.read_at = followed.event_at = now
        ahead, self._ahead = self._ahead, []
        events = [self._feed(taken, now) for taken in ahead]
        events += [self._start(start) for start in self._buffers.take_starts()]
        if not ahead:
            events += [self._feed(taken, now) for taken in self._take(now)]
        if self._buffers.size >= READ_AHEAD_BYTES:
            self._ahead = self._take(now)
        found = [frame for frame in events if frame is not None]
        rows = [followed.partition.readings() for followed in self._followed.values()]
        readings = pl.concat([no_readings(), *rows])
        if not found and readings.is_empty():
            return []
        return [Batch(pl.concat([no_events(), *found]), self.watermark, readings)]

    def tick(self, now: int | None = None) -> list[Batch]:
        """Let time pass, up to `idle` ago, for partitions that had nothing new for `idle`.

        `now` is in microseconds since 1970, the clock's time if None. Time passes for a partition
        only while the cluster answers and all of it was read: what a broken connection holds back
        is not late, unless that takes longer than others should wait.
        """
        instant = self._clock() if now is None else now
        until = instant - self._idle
        if not self._fetching.connected:
            return self._tick_without(until) if self._is_given_up(instant) else []
        self._away_since = None
        waiting = {*self._buffers.filled(), *(taken.partition for taken in self._ahead)}
        batches = []
        for partition, followed in self._followed.items():
            busy = partition in waiting or partition in self._fetching.stalled
            if busy or instant - followed.event_at < self._idle:
                continue
            before = followed.partition.clock.newest
            if self._behind(partition) or (
                before is not None and until < before + _TICK // _MICROSECOND
            ):
                continue
            events = followed.tick(until)
            batches.append(Batch(events, self.watermark, followed.partition.readings()))
        return batches

    def _is_given_up(self, now: int) -> bool:
        """Whether the cluster has not answered for longer than others should wait."""
        if self._away_since is None:
            self._away_since = now
        return self._hold_back is not None and now - self._away_since >= self._hold_back

    def _tick_without(self, until: int) -> list[Batch]:
        """Let time pass for all partitions, also for those of before a restart."""
        batches = []
        for followed in self._followed.values():
            before = followed.partition.clock.newest
            if before is None or until >= before + _TICK // _MICROSECOND:
                events = followed.tick(until)
                batches.append(Batch(events, self.watermark, followed.partition.readings()))
        if not self._connections:
            due = [
                state
                for name, state in self._stored.items()
                if not name.endswith(_ABSENT)
                and until >= (state.get("newest") or 0) + _TICK // _MICROSECOND
            ]
            for state in due:
                state["newest"] = until
            if due:
                batches.append(Batch(no_events(), self.watermark))
        return batches

    def positions(self) -> dict[str, dict[str, Any]]:
        """Return where each partition stands after the batches returned so far; plain JSON."""
        stands = dict(self._stored)
        for topic in self._fetching.absent - {at.topic for at in self._followed}:
            stands[topic + _ABSENT] = {}
        for partition, followed in self._followed.items():
            state = followed.state()
            self._told[partition] = state["offset"]
            stands[str(partition)] = state
        return stands

    def commit(self) -> None:
        """Tell the cluster, for lag tools, that what `positions` returned last is stored."""
        self._fetching.commit(self._told)

    @property
    def has_partitions(self) -> bool:
        """Whether any partition was found, now or before a restart."""
        return bool(self._followed) or any(not name.endswith(_ABSENT) for name in self._stored)

    @property
    def watermark(self) -> int | None:
        """Event time up to which all partitions are complete, None while one has not begun.

        Until the cluster answers for the first time, that of the partitions before the restart.
        """
        if self._followed or self._connections:
            return watermark_of([followed.partition for followed in self._followed.values()])
        times = [s.get("newest") for name, s in self._stored.items() if not name.endswith(_ABSENT)]
        lateness = self._source.lateness // _MICROSECOND
        return least([None if time is None else time - lateness for time in times])

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong with the connection, the topics, or the formats; and gaps."""
        gaps = [
            InputProblem(f"partition {gap.partition}", str(gap), "keep records for longer")
            for gap in self.gaps
        ]
        formats = [entry.problem for entry in self._followed.values() if entry.problem is not None]
        return [*list(self._fetching.problems.values()), *formats, *gaps]

    @property
    def gaps(self) -> list[Gap]:
        """The last gap of each reason, of each partition that has one."""
        return [gap for entry in self._followed.values() for gap in entry.gaps.last]

    def take_gaps(self) -> list[Gap]:
        """Return the gaps that are new or changed since the last call."""
        return [gap for entry in self._followed.values() for gap in entry.gaps.take()]

    @property
    def lag(self) -> dict[str, int]:
        """Records of each partition that were not returned yet."""
        return {str(partition): self._behind(partition) for partition in self._followed}

    @property
    def late(self) -> int:
        """Events whose effective time is later than their timestamp."""
        return sum(followed.partition.clock.late for followed in self._followed.values())

    @property
    def detections(self) -> dict[str, Detection]:
        """The format of each partition that was begun."""
        return {
            str(partition): followed.partition.detection
            for partition, followed in self._followed.items()
            if followed.partition.detection is not None
        }

    def close(self) -> None:
        """End fetching and the connection."""
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        else:
            self._fetching.close()

    def _is_ours(self, name: str) -> bool:
        topic = name.removesuffix(_ABSENT) if name.endswith(_ABSENT) else name.rpartition("-")[0]
        return topic in self._source.topics

    def _begin(self) -> Thread:
        thread = Thread(target=self._fetch, name="topics", daemon=True)
        thread.start()
        return thread

    def _await_places(self) -> None:
        """Wait until the cluster said where partitions stand, or it takes long or fails.

        So that they are in the first `positions`: else a crash soon after the first start would
        lose what a source that starts at the end has seen.
        """
        deadline = self._monotonic() + _FIRST_SECONDS
        while self._monotonic() < deadline and not self._fetching.problems:
            self._buffers.wait(_POLL_SECONDS)
            starts = self._buffers.take_starts()
            for start in starts:
                self._start(start)
            if starts:
                return

    def _fetch(self) -> None:
        while not self._closing.is_set():
            self._closing.wait(self._fetching.step())
        self._fetching.close()

    def _supervise(self) -> None:
        if self._thread is None:
            self._fetching.step()
            return
        if not self._thread.is_alive() and not self._closing.is_set():
            reason = "fetching ended by an error in the program"
            self._fetching.begin_anew(ClientError(reason, "see its log, and report it"))
            self._thread = self._begin()
        if not self._ahead:
            self._buffers.wait(_POLL_SECONDS)

    def _start(self, start: Start) -> pl.DataFrame | None:
        """Begin a partition, or go on elsewhere in it."""
        name = str(start.partition)
        followed = self._followed.get(start.partition)
        if followed is None:
            now = self._clock()
            followed = Followed(self._make_partition(name), start.place, now, now)
            state = self._stored.pop(name, None)
            if state is not None:
                followed.restore(state)
            self._stored.pop(start.partition.topic + _ABSENT, None)
            self._followed[start.partition] = followed
        events = followed.begin(start)
        return events if events.height else None

    def _due(self, now: int) -> Sequence[TopicPartition]:
        """Return the partitions to read from now, furthest behind in event time first.

        None is read that is too far ahead of the slowest, even if that one's data is still on its
        way: it has some time to come.
        """
        filled = [at for at in self._buffers.filled() if at in self._followed]
        patience = PATIENCE // _MICROSECOND
        expected = [
            at
            for at, followed in self._followed.items()
            if at not in filled and self._behind(at) and now - followed.read_at < patience
        ]
        newest = {at: self._followed[at].partition.clock.newest for at in (*filled, *expected)}
        if any(newest[at] is None for at in expected):
            return [at for at in filled if newest[at] is None]
        known = [time for time in newest.values() if time is not None]
        horizon = min(known, default=0) + AHEAD // _MICROSECOND
        due = [(time or 0, at) for at in filled if (time := newest[at]) is None or time <= horizon]
        return [at for _, at in sorted(due)]

    def _behind(self, partition: TopicPartition) -> int:
        end = self._fetching.ends.get(partition, 0)
        return max(0, end - self._followed[partition].place.offset)

    def _take(self, now: int) -> list[_Taken]:
        """Take what is due off the buffers and have it read by a thread of its own."""
        taken = []
        size, count = BATCH_BYTES, BATCH_RECORDS
        for at in self._due(now):
            blocks = self._buffers.take(at, size, count)
            if not blocks:
                continue
            followed = self._followed[at]
            under = followed.partition.enrichment.fingerprint
            read = self._pool.submit(followed.read, blocks)
            taken.append(_Taken(at, blocks, read, under))
            size -= sum(block.size for block in blocks)
            count -= sum(len(block.values) for block in blocks)
            if size <= 0 or count <= 0:
                break
        return taken

    def _feed(self, taken: _Taken, now: int) -> pl.DataFrame | None:
        followed = self._followed[taken.partition]
        read = taken.read.result()
        if taken.under != followed.partition.enrichment.fingerprint:
            # A checkpoint came between: what follows it is read as a restart would read it.
            read = followed.read(taken.blocks)
        events = followed.feed(taken.blocks, read, now)
        return events if any(block.values for block in taken.blocks) else None
