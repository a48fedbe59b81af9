"""The batches of a fetch, taken from kafka-python before it makes objects of their records."""

from collections.abc import Iterator
from typing import Any, Final

from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError, KafkaError
from kafka.record import MemoryRecords

from ingest.topics.blocks import Batch, Block, Opened
from ingest.topics.client import Sealed, TopicPartition

_HEADER: Final = 61  # bytes before the records of a batch in format 2
_FORMAT: Final = 2
_MANY: Final = 1_000_000  # more offsets than a batch spans


class LibraryBatches(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What the library's fetcher keeps of one partition's fetch; gives batches, not records.

    As the library does, it leaves out transactions that were aborted, and says before each batch
    where reading goes on behind it. A batch that cannot be read stops nothing.
    """

    next_fetch_offset: int

    def _maybe_skip_record(self, _batch: object) -> bool:
        return False  # a batch knows itself from which offset on it is wanted

    def _unpack_records(
        self,
        tp: Any,  # noqa: ANN401 - the library has no types
        records: MemoryRecords,
        *_deserializers: object,
    ) -> Iterator[Sealed]:
        partition = TopicPartition(*tp)
        while records.has_next():
            first = self.next_fetch_offset
            try:
                batch = records.next_batch()
            except (KafkaError, ValueError, AssertionError):
                yield self._passed(_unreadable(partition, first, first + 1))
                break  # where the next one begins is not known either: it is fetched anew
            try:
                found = self._sealed(partition, batch, first)
            except (KafkaError, ValueError, AssertionError):
                found = _unreadable(partition, first, first + 1)
            yield self._passed(found)
        self.drain()

    def _passed(self, found: Sealed) -> Sealed:
        self.next_fetch_offset = found.next_offset
        self.records_read += 1
        self.bytes_read += found.size
        return found

    def _sealed(self, partition: TopicPartition, batch: Any, first: int) -> Sealed:  # noqa: ANN401
        if batch.magic < _FORMAT:
            return _opened(partition, batch, first)
        self.leader_epoch = batch.leader_epoch
        following = batch.next_offset
        if not batch.validate_crc():
            credible = first < following <= first + _MANY
            return _unreadable(partition, first, following if credible else first + 1)
        if self._aborted(batch) or batch.is_control_batch:
            return Batch(partition, batch.base_offset, following, first, 0, 0, b"")
        data = bytes(memoryview(batch._buffer)[_HEADER:])  # noqa: SLF001 - has no other name
        return Batch(
            partition,
            batch.base_offset,
            following,
            first,
            batch.records_count,
            batch.compression_type,
            data,
        )

    def _aborted(self, batch: Any) -> bool:  # noqa: ANN401
        """Keep account of transactions; whether this batch belongs to one that was aborted."""
        if self.isolation_level != IsolationLevel.READ_COMMITTED or not batch.has_producer_id():
            return False
        self._consume_aborted_transactions_up_to(batch.last_offset)
        if self._contains_abort_marker(batch):
            self.aborted_producer_ids.discard(batch.producer_id)
            return False
        return bool(self._is_batch_aborted(batch))


def _unreadable(partition: TopicPartition, first: int, following: int) -> Batch:
    return Batch(partition, first, following, first, 0, 0, b"", readable=False)


def _opened(partition: TopicPartition, batch: Any, first: int) -> Opened:  # noqa: ANN401
    """Open a batch of the formats before 2, which the library does, slowly."""
    if not batch.validate_crc():
        raise CorruptRecordError
    records = [(record.offset, record.value) for record in batch]
    wanted = [(offset, value) for offset, value in records if offset >= first]
    readable = [(offset, value) for offset, value in wanted if value is not None]
    return Opened(
        Block(
            partition,
            max([first, *(offset + 1 for offset, _ in records)]),
            [value for _, value in readable],
            [offset for offset, _ in readable],
            [offset for offset, value in wanted if value is None],
        )
    )
