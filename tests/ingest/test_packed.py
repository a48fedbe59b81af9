"""Compressed files: every kind, in pieces, damaged, and small files that unpack to a lot."""

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunks import LogChunks
from ingest.identity import head_of
from ingest.logs import Log
from ingest.packed import Unpacker, codec_of

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": lambda data: zstandard.compress(data, 1),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
KINDS = pytest.mark.parametrize("kind", PACK)


def unpack(packed: bytes, piece: int, limit: int) -> tuple[bytes, str | None]:
    codec = codec_of(packed[:10])
    assert codec is not None
    unpacker = Unpacker(codec, limit)
    data = b"".join(
        block
        for at in range(0, len(packed), piece)
        for block in unpacker.feed(packed[at : at + piece])
    )
    return data, unpacker.finish()


@KINDS
@settings(deadline=None)
@given(members=st.lists(st.binary(max_size=300), min_size=1, max_size=4), piece=st.integers(1, 99))
def test_what_was_packed_comes_out_however_it_is_cut(
    kind: str, members: list[bytes], piece: int
) -> None:
    packed = b"".join(PACK[kind](member) for member in members)
    assert unpack(packed, piece, 7) == (b"".join(members), None)


@KINDS
def test_files_are_read_whatever_packed_them(kind: str, tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(5000))
    file = tmp_path / "access.log"  # the name does not matter
    file.write_bytes(PACK[kind](lines[:9000]) + PACK[kind](lines[9000:]))
    chunks = LogChunks(Log(str(file), (file,)), 1000)
    assert b"".join(chunk.data for chunk in chunks) == lines
    assert chunks.problems == []
    assert chunks.bytes_read == file.stat().st_size
    assert head_of(file) == lines[:1024]


@KINDS
@settings(deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_gives_what_is_there(kind: str, cut: float) -> None:
    whole = b"".join(b"%d," % number for number in range(9999))
    packed = PACK[kind](whole)
    end = 10 + int(cut * (len(packed) - 10))
    data, problem = unpack(packed[:end], 500, 1000)
    assert whole.startswith(data)
    assert problem is not None


@KINDS
def test_a_damaged_file_is_told(kind: str, tmp_path: Path) -> None:
    packed = bytearray(PACK[kind](bytes(range(256)) * 999))
    packed[20] ^= 0xFF
    packed[-5] ^= 0xFF
    file = tmp_path / f"access.log.1.{kind}"
    file.write_bytes(packed + b"rubbish")
    chunks = LogChunks(Log(str(file), (file,)))
    assert list(chunks) is not None
    (problem,) = chunks.problems
    assert "damaged" in problem.reason


@KINDS
def test_a_bomb_is_unpacked_in_bounded_memory(kind: str) -> None:
    packed = PACK[kind](bytes(50 << 20))
    codec = codec_of(packed)
    assert codec is not None
    unpacker = Unpacker(codec, 1 << 20)
    tracemalloc.start()
    assert sum(len(block) for block in unpacker.feed(packed)) == 50 << 20
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 34 << 20


@pytest.mark.parametrize(
    "first", [b"", b"203.0.113.7", b'{"time":1}', b"BZh9 - - [", b"\x1f", b"xz7zXZ\0"]
)
def test_plain_text_is_no_compression(first: bytes) -> None:
    assert codec_of(first) is None
