"""Chunks: a log's bytes in blocks that end at a line's end, in bounded memory."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from ingest.lines import LINE_LIMIT
from ingest.logs import InputProblem, Log

CHUNK_BYTES: Final = 12 << 20

_GZIP_MAGIC: Final = b"\x1f\x8b"
_PACKED_READ: Final = 1 << 18
_GZIP_WINDOW: Final = 31


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, and where they begin in the log; the position of the first byte is `base`.

    `too_long` holds (position, length) of lines over the limit that ended before `base`; their
    bytes are in no chunk.
    """

    base: int
    data: bytes
    too_long: tuple[tuple[int, int], ...] = ()


@dataclass
class LogChunks:
    """Reads the files of one log, one after the other, as one sequence of bytes.

    Iterating yields chunks of about `chunk_bytes`; a partial last line of a file is a line.
    `bytes_read` counts bytes of the files as they lie on disk (compressed). Files that cannot
    be read further are noted in `problems`; what could be read before is used.
    """

    log: Log
    chunk_bytes: int = CHUNK_BYTES
    stdin: BinaryIO | None = None
    bytes_read: int = 0
    problems: list[InputProblem] = field(default_factory=list)

    def __iter__(self) -> Iterator[Chunk]:
        base = 0
        for file in self.log.files:
            for chunk, size in cut_lines(self._blocks(file), base):
                base = chunk.base + size
                yield chunk

    @property
    def bytes_total(self) -> int | None:
        """Bytes on disk; None for standard input."""
        if self.log.is_stdin:
            return None
        return sum(file.stat().st_size for file in self.log.files if file.exists())

    def _blocks(self, file: Path) -> Iterator[bytes]:
        try:
            if self.log.is_stdin:
                if self.stdin is None:
                    raise ValueError("standard input was not handed over")
                yield from self._unpacked(self.stdin, "standard input")
                return
            with file.open("rb") as stream:
                yield from self._unpacked(stream, str(file))
        except OSError as error:
            reason = f"reading failed: {error.strerror or type(error).__name__}"
            self._note(str(file), reason, "check the file and its disk")

    def _unpacked(self, stream: BinaryIO, name: str) -> Iterator[bytes]:
        first = stream.read(len(_GZIP_MAGIC))
        self.bytes_read += len(first)
        if first != _GZIP_MAGIC:
            yield first
            yield from self._read(stream, self.chunk_bytes)
            return
        yield from gunzip(
            first,
            self._read(stream, _PACKED_READ),
            self.chunk_bytes,
            lambda reason: self._note(name, reason, "what could be read was used"),
        )

    def _read(self, stream: BinaryIO, size: int) -> Iterator[bytes]:
        while block := stream.read(size):
            self.bytes_read += len(block)
            yield block

    def _note(self, path: str, reason: str, advice: str) -> None:
        self.problems.append(InputProblem(path, reason, advice))


def gunzip(
    first: bytes, packed: Iterator[bytes], size: int, damaged: Callable[[str], None]
) -> Iterator[bytes]:
    """Unpack gzip members in blocks of at most `size`; `damaged` is told what is wrong."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    pending, begun = first, True
    for block in packed:
        pending += block
        while pending:
            if not begun and pending[:1] == b"\0":  # padding after the last member
                pending = pending.lstrip(b"\0")
                continue
            try:
                data = unpacker.decompress(pending, size)
            except zlib.error:
                damaged("the gzip data is damaged")
                return
            begun = not unpacker.eof
            pending = unpacker.unconsumed_tail
            if data:
                yield data
            if unpacker.eof:
                pending = unpacker.unused_data
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
            elif not data:
                break
    if begun:
        damaged("truncated: the gzip data ends too early")


def cut_lines(blocks: Iterator[bytes], base: int) -> Iterator[tuple[Chunk, int]]:
    """Cut blocks at lines' ends, yielding each chunk and how many bytes it stands for.

    Of a line over the limit at most the limit and one block are in memory.
    """
    carry = b""
    skipped = 0
    too_long: list[tuple[int, int]] = []
    for block in blocks:
        rest = block
        if skipped:
            end = rest.find(b"\n")
            if end < 0:
                skipped += len(rest)
                continue
            too_long.append((base, skipped + end))
            base += skipped + end + 1
            rest, skipped = rest[end + 1 :], 0
        cut = rest.rfind(b"\n") + 1
        if cut:
            data = b"".join((carry, memoryview(rest)[:cut]))
            carry = rest[cut:]
            yield Chunk(base, data, tuple(too_long)), len(data)
            base += len(data)
            too_long.clear()
        else:
            carry += rest
        if len(carry) > LINE_LIMIT:
            skipped, carry = len(carry), b""
    if skipped:
        too_long.append((base, skipped))
        base += skipped
    if carry or too_long:
        yield Chunk(base, carry, tuple(too_long)), len(carry)
