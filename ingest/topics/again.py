"""Records of a topic read again, by their offsets."""

from collections.abc import Iterator, Sequence
from typing import Final

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from ingest.quarantine import Sample
from ingest.records import Records
from ingest.replay import Range, RecordsGoneError, digests
from ingest.sources import KafkaSource
from ingest.topics.connection import connection_settings, servers

_ANSWER_MS: Final = 5_000
_AT_ONCE: Final = 5_000


class TopicRecords:
    """Reads records of the sources' topics, with all lines that share an offset (see RecordsAt)."""

    def __init__(self, sources: Sequence[KafkaSource]) -> None:
        self._sources = {topic: source for source in sources for topic in source.topics}

    def has(self, partition: str) -> bool:
        """Whether the partition is one of the topics'."""
        return partition.rpartition("-")[0] in self._sources

    def read(
        self, partition: str, ranges: Sequence[Range], samples: Sequence[Sample] = ()
    ) -> Iterator[Records]:
        """Yield the records with offsets in the ranges. Raises RecordsGoneError."""
        topic, _, number = partition.rpartition("-")
        source, at = self._sources[topic], KafkaPartition(topic, int(number))
        try:
            consumer = KafkaConsumer(
                **connection_settings(source),
                auto_offset_reset="none",
                enable_auto_commit=False,
                max_poll_records=_AT_ONCE,
                metrics_enabled=False,
            )
        except (KafkaError, OSError) as error:
            raise RecordsGoneError(
                f"{partition}: no broker answers at {servers(source)} ({type(error).__name__})"
            ) from error
        try:
            return iter(_read(consumer, at, ranges, samples))
        except (KafkaError, OSError) as error:
            raise RecordsGoneError(f"{partition}: {type(error).__name__} of the broker") from error
        finally:
            consumer.close(autocommit=False)


def _read(
    consumer: KafkaConsumer, at: KafkaPartition, ranges: Sequence[Range], samples: Sequence[Sample]
) -> list[Records]:
    consumer.assign([at])
    begin = consumer.beginning_offsets([at], _ANSWER_MS)[at]
    end = consumer.end_offsets([at], _ANSWER_MS)[at]
    place = f"{at.topic}-{at.partition}"
    there = [(max(first, begin), min(last, end - 1)) for first, last in ranges]
    there = [(first, last) for first, last in there if first <= last]
    if not there:
        raise RecordsGoneError(f"{place}: retention has deleted these records")
    found = [records for span in there for records in _span(consumer, at, span)]
    known = {sample.position: sample.sha256 for sample in samples if sample.position >= begin}
    for records in found:
        for index, offset in enumerate(records.positions.tolist()):
            if known.get(offset) in digests(records.lines[index]):
                del known[offset]
    if known:
        raise RecordsGoneError(f"{place}: other records are there now; was the topic recreated?")
    return found


def _span(consumer: KafkaConsumer, at: KafkaPartition, span: Range) -> Iterator[Records]:
    first, last = span
    consumer.seek(at, first)
    while consumer.position(at) <= last:
        polled = consumer.poll(_ANSWER_MS).get(at, [])
        if not polled:
            return
        chosen = [r for r in polled if r.offset <= last and r.value is not None]
        yield Records.of_values([r.value for r in chosen], [r.offset for r in chosen])
        if polled[-1].offset >= last:
            return
