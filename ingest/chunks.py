"""Chunks: a log's bytes in blocks that end at a line's end, in bounded memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from ingest.lines import LINE_LIMIT
from ingest.logs import InputProblem, Log, problem_of
from ingest.packed import MAGIC_BYTES, PACKED_READ, codec_of, unpacked

CHUNK_BYTES: Final = 12 << 20

#: Where a block's last line is looked for before it is read.
_NEAR: Final = 64 << 10


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
            self.problems.append(problem_of(str(file), error))

    def _unpacked(self, stream: BinaryIO, name: str) -> Iterator[bytes]:
        first = stream.read(MAGIC_BYTES)
        self.bytes_read += len(first)
        codec = codec_of(first)
        if codec is None and self.chunk_bytes > _NEAR and stream.seekable():
            stream.seek(-len(first), os.SEEK_CUR)
            self.bytes_read -= len(first)
            yield from self._read(stream, self.chunk_bytes, whole_lines=True)
            return
        if codec is None:
            yield first
            yield from self._read(stream, self.chunk_bytes)
            return
        yield from unpacked(
            first,
            codec,
            self._read(stream, PACKED_READ),
            self.chunk_bytes,
            lambda reason: self._note(name, reason, "what could be read was used"),
        )

    def _read(self, stream: BinaryIO, size: int, *, whole_lines: bool = False) -> Iterator[bytes]:
        while block := stream.read(_to_line_end(stream, size) if whole_lines else size):
            self.bytes_read += len(block)
            yield block

    def _note(self, path: str, reason: str, advice: str) -> None:
        self.problems.append(InputProblem(path, reason, advice))


def _to_line_end(stream: BinaryIO, size: int) -> int:
    """Return how many bytes to read such that they end with a line, if one ends near `size`.

    What ends so is cut without being copied.
    """
    begin = stream.tell()
    stream.seek(begin + size - _NEAR)
    near = stream.read(_NEAR)
    stream.seek(begin)
    end = near.rfind(b"\n") + 1
    return size - _NEAR + end if end and len(near) == _NEAR else size


def cut_lines(blocks: Iterator[bytes], base: int) -> Iterator[tuple[Chunk, int]]:
    """Cut blocks at lines' ends, yielding each chunk and how many bytes it stands for.

    Of a line over the limit at most the limit and one block are in memory.
    """
    cutter = LineCutter(base)
    for block in blocks:
        chunk = cutter.push(block)
        if chunk is not None:
            yield chunk, len(chunk.data)
    chunk = cutter.end()
    if chunk is not None:
        yield chunk, len(chunk.data)


class LineCutter:
    """Cuts blocks at lines' ends; `base` is the position of the first byte not yet in a chunk."""

    def __init__(self, base: int = 0) -> None:
        self.base = base
        self._carry = b""
        self._skipped = 0
        self._too_long: list[tuple[int, int]] = []

    @property
    def pushed(self) -> int:
        """The position after the last byte pushed."""
        return self.base + self._skipped + len(self._carry)

    def push(self, block: bytes) -> Chunk | None:
        """Take a block; return the lines that are whole now, if there are any."""
        rest = block
        if self._skipped:
            end = rest.find(b"\n")
            if end < 0:
                self._skipped += len(rest)
                return None
            self._too_long.append((self.base, self._skipped + end))
            self.base += self._skipped + end + 1
            rest, self._skipped = rest[end + 1 :], 0
        cut = rest.rfind(b"\n") + 1
        chunk = None
        if cut:
            whole = cut == len(rest) and not self._carry
            data = rest if whole else b"".join((self._carry, memoryview(rest)[:cut]))
            self._carry = rest[cut:]
            chunk = self._chunk(data)
        else:
            self._carry += rest
        if len(self._carry) > LINE_LIMIT:
            self._skipped, self._carry = len(self._carry), b""
        return chunk

    def end(self) -> Chunk | None:
        """Return what is left, at the end: a partial last line is a line."""
        if self._skipped:
            self._too_long.append((self.base, self._skipped))
            self.base += self._skipped
            self._skipped = 0
        data, self._carry = self._carry, b""
        return self._chunk(data) if data or self._too_long else None

    def _chunk(self, data: bytes) -> Chunk:
        chunk = Chunk(self.base, data, tuple(self._too_long))
        self.base += len(data)
        self._too_long.clear()
        return chunk
