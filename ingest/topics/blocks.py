"""Blocks: the values of a batch of records, and which offsets of it cannot be read.

Walks the records of a batch (message format 2, Kafka 0.11 and newer) itself: the library makes
two objects with thirteen fields of each record, which takes six times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ingest.topics.unpacking import UnpackError, unpack

if TYPE_CHECKING:
    from ingest.topics.client import TopicPartition

#: What a value costs in memory besides its bytes.
VALUE_OVERHEAD: Final = 64

#: A record says its length, so that one with a wrong length makes the rest of a batch unreadable.
#: Of that many offsets at most each is told.
_OFFSETS_TOLD: Final = 100_000

_CONTINUES: Final = 0x80


@dataclass(frozen=True, slots=True)
class Block:
    """Values of one partition in order of offsets, and offsets of records without a readable one.

    `next_offset` is where reading goes on: offsets may be missing, as in a compacted topic.
    """

    partition: "TopicPartition"
    next_offset: int
    values: Sequence[bytes] = ()
    offsets: Sequence[int] = ()
    poison: Sequence[int] = ()
    size: int = field(init=False)

    def __post_init__(self) -> None:
        size = sum(map(len, self.values)) + VALUE_OVERHEAD * len(self.values)
        object.__setattr__(self, "size", size)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the broker keeps it: `data` is what follows the header.

    Offsets before `first` were read before.
    """

    partition: "TopicPartition"
    base_offset: int
    next_offset: int
    first: int
    count: int
    codec: int
    data: bytes
    readable: bool = True

    @property
    def size(self) -> int:
        """Bytes as sent."""
        return len(self.data)

    def open(self) -> Block:
        """Return its values; what cannot be read is poison."""
        values: list[bytes] = []
        offsets: list[int] = []
        poison: list[int] = []
        last = self.first - 1
        whole = self.readable
        if whole:
            try:
                data = unpack(self.codec, self.data)
            except UnpackError:
                whole = False
            else:
                last, whole = walk(data, self, values, offsets, poison)
        if not whole:
            lost = range(max(last + 1, self.first), self.next_offset)
            poison.extend(lost[:_OFFSETS_TOLD])
        return Block(self.partition, self.next_offset, values, offsets, poison)


@dataclass(frozen=True, slots=True)
class Opened:
    """A batch that was opened at once."""

    block: Block

    @property
    def partition(self) -> "TopicPartition":
        """Where it comes from."""
        return self.block.partition

    @property
    def next_offset(self) -> int:
        """The offset at which reading goes on after it."""
        return self.block.next_offset

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.block.size

    def open(self) -> Block:
        """Return its values."""
        return self.block


def walk(
    data: bytes, batch: Batch, values: list[bytes], offsets: list[int], poison: list[int]
) -> tuple[int, bool]:
    """Take the records of `data` apart: (the last offset read, whether all could be).

    A record: length, attributes (one byte), time, offset, key, value, headers; the numbers are
    zigzag varints. A record without a value, which deletes a key from a compacted topic, is
    poison.
    """
    at, last = 0, batch.base_offset - 1
    try:
        for _ in range(batch.count):
            length, at = _varint(data, at)
            end = at + length
            at += 1
            while data[at] >= _CONTINUES:
                at += 1
            delta, at = _varint(data, at + 1)
            size, at = _varint(data, at)
            if size > 0:
                at += size
            size, at = _varint(data, at)
            offset = batch.base_offset + delta
            if not (last < offset < batch.next_offset and at + size < end <= len(data)):
                return last, False
            if offset >= batch.first:
                if size >= 0:
                    values.append(data[at : at + size])
                    offsets.append(offset)
                else:
                    poison.append(offset)
            last, at = offset, end
    except IndexError:
        return last, False
    return last, at == len(data)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return (a number, where the next one begins); raises IndexError at the end of data."""
    byte = data[at]
    if byte < _CONTINUES:
        return (byte >> 1) ^ -(byte & 1), at + 1
    number = byte & 0x7F
    shift = 7
    while byte >= _CONTINUES:
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at + 1
