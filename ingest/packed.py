"""Compression: gzip, zstd, bzip2 and xz, unpacked piece by piece in bounded memory."""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import zstandard

Codec = Literal["gzip", "zstd", "bzip2", "xz"]

#: The ends of names that compressed files have.
PACKED: Final = re.compile(r"\.(?:gz|zst|bz2|xz)$")

#: So many first bytes tell how a file is compressed.
MAGIC_BYTES: Final = 10

#: Read so many compressed bytes at a time.
PACKED_READ: Final = 1 << 18

_MAGIC: Final[dict[Codec, re.Pattern[bytes]]] = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
}
_GZIP_WINDOW: Final = 31
#: Files that need more memory than this to be unpacked are refused (xz -9 needs 65 MiB).
_MEMORY: Final = 128 << 20
#: Four bytes of zstd can stand for 128 KiB, and its unpacker cannot be told to stop before.
_ZSTD_STEP: Final = 512


class _Member(Protocol):
    """One compressed stream; a file may hold several, one after the other."""

    def step(self, packed: bytes, limit: int) -> tuple[bytes, bytes]:
        """Return (unpacked bytes, at most about `limit` of them; packed bytes left over)."""
        ...

    @property
    def eof(self) -> bool: ...


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def step(self, packed: bytes, limit: int) -> tuple[bytes, bytes]:
        data = self._stream.decompress(packed, limit)
        return data, self._stream.unused_data if self.eof else self._stream.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._stream.eof


class _Buffered:
    """bz2 and lzma keep what they were given until it is used."""

    def __init__(self, stream: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._stream = stream

    def step(self, packed: bytes, limit: int) -> tuple[bytes, bytes]:
        data = self._stream.decompress(packed, limit)
        return data, self._stream.unused_data if self.eof else b""

    @property
    def eof(self) -> bool:
        return self._stream.eof


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()

    def step(self, packed: bytes, limit: int) -> tuple[bytes, bytes]:
        pieces, size, at = [], 0, 0
        while at < len(packed) and size < limit and not self.eof:
            pieces.append(self._stream.decompress(packed[at : at + _ZSTD_STEP]))
            size += len(pieces[-1])
            at += _ZSTD_STEP
        left = packed[at:]
        return b"".join(pieces), self._stream.unused_data + left if self.eof else left

    @property
    def eof(self) -> bool:
        return self._stream.eof


_MEMBERS: Final[dict[Codec, Callable[[], _Member]]] = {
    "gzip": _Gzip,
    "zstd": _Zstd,
    "bzip2": lambda: _Buffered(bz2.BZ2Decompressor()),
    "xz": lambda: _Buffered(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)),
}
_ERRORS: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError)


def codec_of(first: bytes) -> Codec | None:
    """Return how a file that begins with `first` (MAGIC_BYTES of it) is compressed, if it is."""
    return next((codec for codec, magic in _MAGIC.items() if magic.match(first)), None)


class Unpacker:
    """Unpacks one compressed file that is handed over in pieces, in blocks of about `limit`.

    `damage` says why unpacking had to end, None while all is well. Several streams in one file
    are one; zeros after them are padding.
    """

    def __init__(self, codec: Codec, limit: int) -> None:
        self.codec: Codec = codec
        self.damage: str | None = None
        self._limit = limit
        self._member: _Member | None = None
        self._begun = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what the next piece holds; it must be used up before the next is fed."""
        while self.damage is None:
            if self._member is None:
                packed = packed.lstrip(b"\0") if self._begun else packed
                if not packed:
                    return
                self._member, self._begun = _MEMBERS[self.codec](), True
            try:
                data, packed = self._member.step(packed, self._limit)
            except _ERRORS:
                self.damage = f"the {self.codec} data is damaged"
                return
            if data:
                yield data
            if self._member.eof:
                self._member = None
            elif not data and not packed:
                return

    def finish(self) -> str | None:
        """Return what is wrong with a file that ends here."""
        if self.damage is None and (self._member is not None or not self._begun):
            self.damage = f"truncated: the {self.codec} data ends too early"
        return self.damage


def unpacked(
    first: bytes, codec: Codec, packed: Iterator[bytes], size: int, damaged: Callable[[str], None]
) -> Iterator[bytes]:
    """Unpack a whole file in blocks of about `size`; `damaged` is told what is wrong."""
    unpacker = Unpacker(codec, size)
    held: list[bytes] = []
    held_size = 0
    for piece in _with(first, packed):
        for data in unpacker.feed(piece):
            held.append(data)
            held_size += len(data)
            if held_size >= size:
                yield b"".join(held)
                held, held_size = [], 0
        if unpacker.damage is not None:
            break
    if held:
        yield b"".join(held)
    problem = unpacker.finish()
    if problem is not None:
        damaged(problem)


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
