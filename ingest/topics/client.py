"""What is asked of a Kafka cluster, and what its answers look like."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ingest.sources import KafkaSource
from ingest.topics.blocks import Block


class TopicPartition(NamedTuple):
    """A partition of a topic; equal to the library's own."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its id (None from brokers before 2.8), and those partitions that have a leader."""

    id: str | None
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster's id, and those of the topics asked for that can be read.

    `refused` says for the others, or for some partitions of a topic, why not and what to do;
    `missing` are topics that do not exist.
    """

    id: str | None
    topics: Mapping[str, Topic]
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


class Sealed(Protocol):
    """A batch as it was sent: opening it, which costs, needs no cluster and never raises."""

    @property
    def partition(self) -> TopicPartition:
        """Where it comes from."""

    @property
    def next_offset(self) -> int:
        """The offset at which reading goes on after it."""

    @property
    def size(self) -> int:
        """Bytes as sent."""

    def open(self) -> Block:
        """Return its values."""


class TopicClient(Protocol):
    """One connection to a cluster, for one thread. Every method may raise ClientError."""

    def describe(self, topics: Collection[str]) -> Cluster:
        """Ask the cluster which topics there are now; creates none."""

    def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Ask for each partition's oldest offset, and the one its next record will have."""

    def offsets_at(
        self, partitions: Collection[TopicPartition], time_ms: int
    ) -> Mapping[TopicPartition, int | None]:
        """Ask for the first offset with at least this time; None if there is none."""

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets, and no others."""

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch from all assigned partitions but these."""

    def fetch(self, seconds: float) -> Sequence[Sealed]:
        """Return what has come, in order of offsets; wait at most so long for it.

        Raises OutOfRangeError if the offset to be read next is not there.
        """

    def ends(self) -> Mapping[TopicPartition, int]:
        """Return the offsets that next records will have, as last heard."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the cluster how far reading has come; does not wait."""

    @property
    def commit_failure(self) -> str | None:
        """Why the last commit failed."""

    def close(self) -> None:
        """End the connection; never raises."""


Connect = Callable[[KafkaSource], TopicClient]


class ClientError(Exception):
    """The cluster cannot be read now: why, and what to do. Trying again later may help."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason
        self.advice = advice


class OutOfRangeError(Exception):
    """The offset to be read next of some partitions is not in the log."""

    def __init__(self, partitions: Collection[TopicPartition]) -> None:
        super().__init__(", ".join(map(str, partitions)))
        self.partitions = frozenset(partitions)
