"""Opened files of a log, plain or compressed, read in whole lines from where reading stands."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final, Literal

from ingest.chunks import Chunk, LineCutter
from ingest.identity import HEAD_BYTES, READ_BYTES, Candidate, Identity, Traces, head_of
from ingest.lines import LINE_LIMIT
from ingest.packed import MAGIC_BYTES, PACKED_READ, Codec, Unpacker, codec_of

#: Unpacked at most in one call, so that a file that unpacks to a lot holds no other log up.
_AT_ONCE: Final = 64 << 20

Change = Literal["shorter", "other", "rewritten"]


class PlainFile:
    """A file that may grow.

    `offset` is where the next line begins, `end` how far the file was looked at, `drained`
    whether the last read found nothing new, `unread` how many bytes it left. `change` says that
    the file is "shorter" than what was read of it, holds "other" content, or was "rewritten": it
    begins as before, and what was read last is not there any more. Then nothing more comes of it.
    `traces` are those of what was read last, None if that is not known.
    """

    def __init__(
        self,
        descriptor: int,
        candidate: Candidate,
        offset: int,
        size: int,
        traces: Traces | None = None,
    ) -> None:
        self.path = candidate.path
        self.offset = offset
        self.traces = traces
        self.drained = False
        self.unread = 0
        self.change: Change | None = None
        self.damage: str | None = None
        self.identity = Identity.of(os.fstat(descriptor), self._head_of(descriptor))
        self._descriptor = descriptor
        self._size = size
        self._skipped = 0

    def grew(self) -> bool:
        """Whether there is more than was looked at. Raises OSError."""
        return os.fstat(self._descriptor).st_size > self.end

    @property
    def end(self) -> int:
        """How far the file was looked at: behind `offset` within a line over the limit."""
        return self.offset + self._skipped

    def read(self, *, final: bool) -> Chunk | None:
        """Return the next whole lines; with `final` what remains is a line, too.

        What was read counts only if the file still is the same afterwards.
        """
        offset, skipped = self.offset, self._skipped
        chunk = self._lines(final=final)
        traces = self._traces(self.offset)
        status = os.fstat(self._descriptor)
        head = self._head_of(self._descriptor)
        if self.identity.head is not None and not self.identity.head.fits(head):
            self.change = "other"
        elif status.st_size < self.end:
            self.change = "shorter"
        elif self.traces is not None and self.traces != self._traces(offset):
            self.change = "rewritten"
        if self.change is not None:
            self.offset, self._skipped = offset, skipped
            return None
        self.traces = traces
        self.identity = self.identity.grown(status, head)
        self.unread = status.st_size - self.end
        self.drained = chunk is None
        return chunk

    def status(self) -> os.stat_result:
        """Return the file's status, even if it has no name any more."""
        return os.fstat(self._descriptor)

    def head(self, size: int) -> bytes:
        """Return how the file begins."""
        return os.pread(self._descriptor, size, 0)

    def last_line_start(self) -> int:
        """Return where the line begins that is not complete yet."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - LINE_LIMIT)
        tail = os.pread(self._descriptor, size - start, start)
        return start + tail.rfind(b"\n") + 1 if b"\n" in tail or start == 0 else size

    def next_line_start(self) -> int:
        """Return where the first line begins at `offset` or behind it; the end if none does."""
        at = self.offset - 1
        while data := os.pread(self._descriptor, LINE_LIMIT, at):
            if (found := data.find(b"\n")) >= 0:
                return at + found + 1
            at += len(data)
        return at

    def close(self) -> None:
        """Close the file."""
        _close(self._descriptor)

    @staticmethod
    def _head_of(descriptor: int) -> bytes:
        return os.pread(descriptor, HEAD_BYTES, 0)

    def _traces(self, offset: int) -> Traces:
        size = min(READ_BYTES, offset)
        return Traces.of(os.pread(self._descriptor, size, offset - size))

    def _lines(self, *, final: bool) -> Chunk | None:
        if self._skipped:
            return self._skip(final=final)
        data = self._bytes(max(self._size, LINE_LIMIT + 1))
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > LINE_LIMIT:
            self._skipped = len(data)
            return self._skip(final=final)
        if final and not cut:
            cut = len(data)
        if not cut:
            return None
        position = self.offset
        self.offset += cut
        return Chunk(position, data[:cut])

    def _skip(self, *, final: bool) -> Chunk | None:
        """Go over the rest of a line that is over the limit."""
        end = -1
        while end < 0 and (data := self._bytes(self._size)):
            end = data.find(b"\n")
            self._skipped += end if end >= 0 else len(data)
        if end < 0 and not final:
            return None
        position, length = self.offset, self._skipped
        self.offset += length + (end >= 0)
        self._skipped = 0
        return Chunk(self.offset, b"", ((position, length),))

    def _bytes(self, size: int) -> bytes:
        return os.pread(self._descriptor, size, self.offset + self._skipped)


class PackedFile:
    """A compressed file, with the attributes of PlainFile: offsets are those of what it holds.

    It is unpacked from its beginning, and may still be written. `damage` says why it was not
    read to its end.
    """

    def __init__(
        self, descriptor: int, candidate: Candidate, codec: Codec, offset: int, size: int
    ) -> None:
        self.path = candidate.path
        self.offset = offset
        self.drained = False
        self.unread = 0
        self.change: Change | None = None
        self.damage: str | None = None
        self.traces: Traces | None = None
        self.identity = Identity.of(os.fstat(descriptor), candidate.head)
        self._descriptor = descriptor
        self._unpacker = Unpacker(codec, max(size, LINE_LIMIT + 1))
        self._cutter = LineCutter()
        self._chunks: Iterator[Chunk | None] = iter(())
        self._at = 0

    @property
    def end(self) -> int:
        """How far the file was looked at."""
        return max(self.offset, self._cutter.pushed)

    def read(self, *, final: bool) -> Chunk | None:
        """Return the next whole lines; with `final` what remains is a line, too."""
        chunk = self._next(final=final)
        if chunk is None:
            return None
        seen = min(max(self.offset - chunk.base, 0), len(chunk.data))
        too_long = tuple(entry for entry in chunk.too_long if entry[0] >= self.offset)
        self.offset = max(self.offset, chunk.base + len(chunk.data))
        return Chunk(chunk.base + seen, chunk.data[seen:], too_long)

    def status(self) -> os.stat_result:
        """Return the file's status, even if it has no name any more."""
        return os.fstat(self._descriptor)

    def head(self, size: int) -> bytes:
        """Return how the file begins, unpacked."""
        return head_of(self.path, size)

    def close(self) -> None:
        """Close the file."""
        _close(self._descriptor)

    def _next(self, *, final: bool) -> Chunk | None:
        self.drained = False
        until = self._cutter.pushed + _AT_ONCE
        while self._cutter.pushed < until:
            chunk = next(self._chunks, _NONE)
            if chunk is _NONE:
                packed = os.pread(self._descriptor, PACKED_READ, self._at)
                if not packed or self._unpacker.damage:
                    return self._ended(final=final)
                self._at += len(packed)
                self._chunks = self._cut(packed)
            elif self._is_new(chunk):
                return chunk
        return None

    def _cut(self, packed: bytes) -> Iterator[Chunk | None]:
        for block in self._unpacker.feed(packed):
            yield self._cutter.push(block)

    def _ended(self, *, final: bool) -> Chunk | None:
        self.drained = True
        self.damage = self._unpacker.finish() if final else self._unpacker.damage
        chunk = self._cutter.end() if final else None
        return chunk if self._is_new(chunk) else None

    def _is_new(self, chunk: Chunk | None) -> bool:
        return chunk is not None and chunk.base + len(chunk.data) > self.offset


_NONE: Final = Chunk(-1, b"")

OpenFile = PlainFile | PackedFile


def open_file(
    candidate: Candidate, offset: int, size: int, traces: Traces | None = None
) -> OpenFile | None:
    """Open a file to be read from `offset` in chunks of about `size`; None if it is another now.

    `traces` are those of what was read of it before. Raises OSError.
    """
    descriptor = os.open(candidate.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        codec = codec_of(os.pread(descriptor, MAGIC_BYTES, 0))
        file: OpenFile
        if codec is None:
            file = PlainFile(descriptor, candidate, offset, size, traces)
        else:
            file = PackedFile(descriptor, candidate, codec, offset, size)
        known = file.identity.known_content and candidate.agrees(file.identity)
    except OSError:
        _close(descriptor)
        raise
    if known or candidate.same_inode(file.identity):
        return file
    file.close()
    return None


def _close(descriptor: int) -> None:
    """Close a file that was only read: an error then means nothing."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
