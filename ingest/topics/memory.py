"""A cluster in memory that behaves as Kafka does towards a TopicClient: for tests, and demos."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import Final
from uuid import uuid4

from ingest.sources import KafkaSource
from ingest.topics.blocks import Block, Opened
from ingest.topics.client import (
    ClientError,
    Cluster,
    OutOfRangeError,
    Sealed,
    Topic,
    TopicPartition,
)

_MISSING: Final = ("there is no such topic", "create it, or correct topics")


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record; without a value it is a tombstone, unreadable it is damaged."""

    offset: int
    value: bytes | None
    time_ms: int = 0
    readable: bool = True


@dataclass
class MemoryLog:
    """One partition: records from offset `begin`; the next one is number `end`."""

    begin: int = 0
    end: int = 0
    records: list[MemoryRecord] = field(default_factory=list)


@dataclass
class MemoryTopic:
    """A topic with an id of its own."""

    partitions: list[MemoryLog]
    id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class MemoryCluster:
    """Topics by name; `failure` is raised by every question as long as it is set.

    `batch` is how many records a fetch brings of each partition, `committed` what was told. Threads
    may send while others fetch: what changes topics, or looks at them, holds `changed`.
    """

    id: str = "memory"
    batch: int = 500
    topics: dict[str, MemoryTopic] = field(default_factory=dict)
    failure: ClientError | None = None
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    connections: int = 0
    changed: Condition = field(default_factory=Condition, repr=False, compare=False)

    def create(self, topic: str, partitions: int = 1) -> None:
        """Create a topic, or another one of that name."""
        with self.changed:
            self.topics[topic] = MemoryTopic([MemoryLog() for _ in range(partitions)])

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        with self.changed:
            del self.topics[topic]

    def grow(self, topic: str, partitions: int) -> None:
        """Add partitions to a topic until it has so many."""
        with self.changed:
            logs = self.topics[topic].partitions
            logs.extend(MemoryLog() for _ in range(partitions - len(logs)))

    def send(
        self,
        topic: str,
        *values: bytes | None,
        partition: int = 0,
        time_ms: int = 0,
        readable: bool = True,
    ) -> None:
        """Append a record for each value."""
        with self.changed:
            log = self.log(topic, partition)
            for value in values:
                log.records.append(MemoryRecord(log.end, value, time_ms, readable))
                log.end += 1
            self.changed.notify_all()

    def forget(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete the records before an offset, as retention does."""
        with self.changed:
            log = self.log(topic, partition)
            log.begin = before
            log.records = [record for record in log.records if record.offset >= before]

    def log(self, topic: str, partition: int) -> MemoryLog:
        """Return a partition."""
        return self.topics[topic].partitions[partition]

    def connect(self, _source: KafkaSource) -> "MemoryClient":
        """Connect to it, as KafkaClient does; raises ClientError while it fails."""
        self.check()
        self.connections += 1
        return MemoryClient(self)

    def check(self) -> None:
        """Fail if that was asked for."""
        if self.failure is not None:
            raise self.failure


class MemoryClient:
    """A TopicClient of a MemoryCluster."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._offsets: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def describe(self, topics: Collection[str]) -> Cluster:
        """Say which topics there are now."""
        self._cluster.check()
        with self._cluster.changed:
            found = {
                name: Topic(topic.id, tuple(range(len(topic.partitions))))
                for name, topic in self._cluster.topics.items()
                if name in topics
            }
        missing = frozenset(topics) - frozenset(found)
        return Cluster(self._cluster.id, found, dict.fromkeys(missing, _MISSING), missing)

    def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Say where each partition begins and ends."""
        self._cluster.check()
        with self._cluster.changed:
            logs = {at: self._cluster.log(*at) for at in partitions}
            return {at: (log.begin, log.end) for at, log in logs.items()}

    def offsets_at(
        self, partitions: Collection[TopicPartition], time_ms: int
    ) -> Mapping[TopicPartition, int | None]:
        """Say which record is the first of that time."""
        self._cluster.check()
        with self._cluster.changed:
            logs = {at: self._cluster.log(*at) for at in partitions}
            return {
                at: next((r.offset for r in log.records if r.time_ms >= time_ms), None)
                for at, log in logs.items()
            }

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        self._offsets = dict(offsets)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch from all assigned partitions but these."""
        self._paused = set(partitions)

    def fetch(self, seconds: float) -> Sequence[Sealed]:
        """Return the next batch of each partition; wait so long if there is none."""
        found: list[Sealed] = []

        def there() -> bool:
            found.extend(self._fetched())
            return bool(found)

        with self._cluster.changed:
            self._cluster.changed.wait_for(there, seconds)
        return found

    def _fetched(self) -> Sequence[Sealed]:
        self._cluster.check()
        reading = {at: offset for at, offset in self._offsets.items() if at not in self._paused}
        lost = [at for at, offset in reading.items() if not self._has(at, offset)]
        if lost:
            raise OutOfRangeError(lost)
        blocks = [self._block(at, offset) for at, offset in reading.items() if self._there(at)]
        for block in blocks:
            self._offsets[block.partition] = block.next_offset
        return [Opened(block) for block in blocks if block.next_offset > reading[block.partition]]

    def ends(self) -> Mapping[TopicPartition, int]:
        """Say what the next offsets are."""
        with self._cluster.changed:
            return {at: self._cluster.log(*at).end for at in self._offsets if self._there(at)}

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Keep these offsets."""
        self._cluster.committed.update(offsets)

    @property
    def commit_failure(self) -> str | None:
        """Commits do not fail here."""
        return None

    def close(self) -> None:
        """Forget what was assigned."""
        self._offsets = {}

    def _there(self, partition: TopicPartition) -> bool:
        topic = self._cluster.topics.get(partition.topic)
        return topic is not None and partition.partition < len(topic.partitions)

    def _has(self, partition: TopicPartition, offset: int) -> bool:
        if not self._there(partition):
            return True  # a broker answers this with an error that passes
        log = self._cluster.log(*partition)
        return log.begin <= offset <= log.end

    def _block(self, partition: TopicPartition, offset: int) -> Block:
        log = self._cluster.log(*partition)
        wanted = [record for record in log.records if record.offset >= offset]
        batch = wanted[: self._cluster.batch]
        whole = len(batch) == len(wanted)
        readable = [record for record in batch if record.readable and record.value is not None]
        return Block(
            partition,
            log.end if whole else batch[-1].offset + 1,
            [record.value for record in readable if record.value is not None],
            [record.offset for record in readable],
            [record.offset for record in batch if record not in readable],
        )
