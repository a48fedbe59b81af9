"""Batches into values: every codec, damage of any kind, the library's own reading as the truth."""

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition as KafkaPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from ingest.records import Records
from ingest.topics.blocks import Batch, Block
from ingest.topics.client import TopicPartition
from ingest.topics.library_batches import LibraryBatches
from ingest.topics.unpacking import UnpackError, unpack

AT = TopicPartition("web", 0)
CODECS = [0, 1, 2, 3, 4]
Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]

RECORDS: st.SearchStrategy[list[Record]] = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=200),
        st.none() | st.binary(max_size=200),
        st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=3),
        st.integers(0, 2**41),
    ),
    min_size=1,
    max_size=20,
)


def batch_of(records: Sequence[Record], codec: int = 0, base: int = 0) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 24)
    for delta, (key, value, headers, time) in enumerate(records):
        builder.append(delta, time, key, value, headers)
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")
    return data


def lines(*values: bytes | None) -> list[Record]:
    return [(None, value, [], 1_000) for value in values]


def opened(data: bytes, fetch_offset: int = 0) -> list[Block]:
    parsed = LibraryBatches(fetch_offset, KafkaPartition(*AT), MemoryRecords(data))
    return [sealed.open() for sealed in parsed.take()]


@given(RECORDS, st.sampled_from(CODECS), st.integers(0, 2**40), st.integers(0, 25))
@settings(max_examples=150, deadline=None)
def test_a_batch_reads_as_the_library_reads_it(
    records: list[Record], codec: int, base: int, skipped: int
) -> None:
    data = batch_of(records, codec, base)
    (block,) = opened(bytes(data), base + skipped)
    truth = [(r.offset, r.value) for r in DefaultRecordBatch(data) if r.offset >= base + skipped]
    assert list(zip(block.offsets, block.values, strict=True)) == [
        (offset, value) for offset, value in truth if value is not None
    ]
    assert list(block.poison) == [offset for offset, value in truth if value is None]
    assert block.next_offset == base + len(records)


@given(RECORDS, st.sampled_from(CODECS), st.integers(0), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_no_damage_raises_or_is_taken_for_a_line(
    records: list[Record], codec: int, place: int, change: int
) -> None:
    """One byte behind the header differs: the checksum tells."""
    data = batch_of(records, codec)
    data[61 + place % (len(data) - 61)] ^= change
    (block,) = opened(bytes(data))
    assert list(block.values) == []
    assert list(block.poison) == list(range(len(records)))


@given(st.binary(max_size=300), st.integers(0, 7), st.integers(0, 50))
@settings(max_examples=300, deadline=None)
def test_anything_behind_a_header_is_read_or_poison(data: bytes, codec: int, count: int) -> None:
    block = Batch(AT, 100, 100 + count, 100, count, codec, data).open()
    told = [*block.offsets, *block.poison]
    assert sorted(told) == sorted(set(told))
    assert all(100 <= offset < 100 + count for offset in told)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_answer_of_a_broker_moves_on(data: bytes) -> None:
    offset = 5
    for block in opened(data, offset):
        assert block.next_offset >= offset
        offset = block.next_offset


def test_behind_a_damaged_batch_reading_goes_on() -> None:
    good, bad, last = (batch_of(lines(b"a", b"b"), 3, base) for base in (0, 2, 4))
    bad[70] ^= 1
    blocks = opened(bytes(good + bad + last))
    assert [list(block.values) for block in blocks] == [[b"a", b"b"], [], [b"a", b"b"]]
    assert [list(block.poison) for block in blocks] == [[], [2, 3], []]


def test_what_is_known_of_a_spoilt_header_is_not_believed() -> None:
    data = batch_of(lines(b"a"))
    data[23:27] = (2**31 - 1).to_bytes(4, "big")  # the last offset's distance
    (block,) = opened(bytes(data))
    assert (list(block.poison), block.next_offset) == ([0], 1)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_old_formats_are_read_by_the_library(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for number in range(3):
        builder.append(number, 1_000, None, b"line %d" % number)
    blocks = opened(bytes(builder.build()))
    assert [value for block in blocks for value in block.values] == [
        b"line 0",
        b"line 1",
        b"line 2",
    ]
    assert blocks[-1].next_offset == 3


def test_the_library_still_has_what_is_taken_from_it() -> None:
    """LibraryBatches takes the place of this class, and calls these."""
    for name in ("_unpack_records", "_maybe_skip_record", "take", "drain", "_is_batch_aborted"):
        assert callable(getattr(Fetcher.PartitionRecords, name))


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_unpacks_beyond_the_bound(codec: int) -> None:
    value = bytes(1_000_000)
    data = DefaultRecordBatch(batch_of(lines(value), codec))
    packed = bytes(data._buffer[61:])
    assert len(unpack(codec, packed)) > 1_000_000
    with pytest.raises(UnpackError, match="unpacks into more"):
        unpack(codec, packed, 999_999)


def test_gzip_of_several_members_is_one() -> None:
    members = []
    for part in (b"one", b"two"):
        packer = zlib.compressobj(wbits=31)
        members.append(packer.compress(part) + packer.flush())
    assert unpack(1, b"".join(members)) == b"onetwo"
    with pytest.raises(UnpackError):
        unpack(1, members[0][:-4])


@given(st.lists(st.lists(st.sampled_from([b"", b"a", b"\n", b"bc\n", b"d\n\n"])), max_size=8))
def test_records_are_the_lines_of_values(pieces: list[list[bytes]]) -> None:
    values = [b"".join(parts) for parts in pieces]
    offsets = [7 + 2 * number for number in range(len(values))]
    records = Records.of_values(values, offsets)
    found = [
        (records.positions[index], records.lines[index]) for index in range(len(records.lines))
    ]
    assert found == [
        (offset, line)
        for offset, value in zip(offsets, values, strict=True)
        for line in value.removesuffix(b"\n").split(b"\n")
    ]
