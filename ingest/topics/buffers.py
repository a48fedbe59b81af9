"""What was fetched and not read yet: by partition, in order, within a bound of bytes."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from threading import Condition

from ingest.gaps import Gap
from ingest.topics.blocks import Block
from ingest.topics.client import TopicPartition
from ingest.topics.places import Place


@dataclass(frozen=True, slots=True)
class Start:
    """From here on, blocks begin at `place`. What was lost before it is a gap."""

    partition: TopicPartition
    place: Place
    gap: Gap | None = None


@dataclass
class _Queue:
    items: deque[Start | Block] = field(default_factory=deque)
    size: int = 0


class Buffers:
    """Filled by one thread, emptied by another.

    A partition has room while it holds less than its share of `limit`, so that one that nobody
    reads now cannot fill it all. Blocks are put whole: the bound is passed by one block each.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[TopicPartition, _Queue] = {}
        self._changed = Condition()

    def start(self, starts: Iterable[Start]) -> None:
        """Put starts, all of them at once."""
        with self._changed:
            for start in starts:
                self._queues.setdefault(start.partition, _Queue()).items.append(start)
            self._changed.notify()

    def put(self, block: Block) -> None:
        """Put a block of a partition that was started."""
        with self._changed:
            queue = self._queues[block.partition]
            queue.items.append(block)
            queue.size += block.size
            self._changed.notify()

    def has_room(self, partition: TopicPartition) -> bool:
        """Return whether more of this partition may be put."""
        with self._changed:
            return self._queues[partition].size < self._limit // len(self._queues)

    def wait(self, seconds: float) -> None:
        """Wait until something was put, at most so long."""
        with self._changed:
            self._changed.wait_for(self._any, seconds)

    def filled(self) -> Collection[TopicPartition]:
        """Return the partitions of which something waits."""
        with self._changed:
            return [partition for partition, queue in self._queues.items() if queue.items]

    def take_starts(self) -> list[Start]:
        """Take the starts that nothing precedes."""
        with self._changed:
            return [
                start
                for queue in self._queues.values()
                if queue.items and isinstance(start := queue.items[0], Start)
                if queue.items.popleft() is start
            ]

    def take(self, partition: TopicPartition, size: int, count: int) -> list[Block]:
        """Take blocks up to the next start, until they hold so many bytes or values."""
        taken: list[Block] = []
        with self._changed:
            queue = self._queues[partition]
            while queue.items and size > 0 and count > 0:
                item = queue.items[0]
                if isinstance(item, Start):
                    break
                queue.items.popleft()
                queue.size -= item.size
                size -= item.size
                count -= len(item.values)
                taken.append(item)
        return taken

    @property
    def size(self) -> int:
        """Bytes that wait."""
        with self._changed:
            return sum(queue.size for queue in self._queues.values())

    def _any(self) -> bool:
        return any(queue.items for queue in self._queues.values())
