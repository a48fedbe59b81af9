"""Tails: one log that grows, followed through rotation, in whole lines."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from ingest.chunks import CHUNK_BYTES, Chunk, LogChunks
from ingest.lines import LINE_LIMIT
from ingest.logs import InputProblem, Log, check_file, find_logs

Start = Literal["beginning", "end"]

_SPANS_KEPT: Final = 8
_KEPT_BEHIND: Final = "its end is lost if it was compressed; keep the newest rotation as it is"


@dataclass(frozen=True, slots=True)
class Span:
    """A file's place in its log: the position of its first byte."""

    device: int
    inode: int
    base: int


class LogTail:
    """The bytes of one growing log, as chunks of whole lines with positions.

    Positions go on from file to file, so that they increase strictly over rotations. A last line
    without newline waits until it is complete or its file was rotated away.
    """

    def __init__(
        self,
        log: Log,
        *,
        start: Start,
        chunk_bytes: int = CHUNK_BYTES,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.log = log
        self.path = Path(log.name)
        self.problems: list[InputProblem] = []
        self._chunk_bytes = chunk_bytes
        self._stream: BinaryIO | None = None
        self._offset = 0
        self._skipped = 0
        self._base = 0
        self._spans: deque[Span] = deque(maxlen=_SPANS_KEPT)
        self._unread_from = 0
        self._old: Iterator[Chunk] | None = None
        self._waiting: deque[Path] = deque()
        if state is not None:
            self._resume(state)
        elif start == "beginning":
            self._waiting.extend(file for file in log.files if file != self.path)
        elif self._open(self.path):
            self._offset = self._last_line_start()

    def read(self) -> Chunk | None:
        """Return the next chunk, or None if there is nothing new."""
        if self._stream is None:
            chunk = self._read_old()
            if chunk is not None or not self._open(self.path):
                return chunk
        chunk = self._read_lines(final=False)
        if chunk is None and self._truncated():
            self._note("the file became shorter", "was it cut? reading goes on from its beginning")
            self._advance(self._offset + self._skipped)
            chunk = self._read_lines(final=False)
        if chunk is None and self._rotated():
            chunk = self._read_lines(final=True)
            if chunk is None:
                self._close()
                return self.read()
        return chunk

    def head(self, size: int) -> bytes:
        """Return the first bytes of the file that is read or, if there is none, of the log."""
        if self._stream is not None:
            return os.pread(self._stream.fileno(), size, 0)
        for file in (*self._waiting, self.path):
            if file.suffix != ".gz" and file.exists():
                with file.open("rb") as stream:
                    return stream.read(size)
        return b""

    def state(self, held_from: int | None) -> dict[str, int] | None:
        """Return where to go on: device and inode of a file, its base, and an offset in it.

        None if nothing was opened yet.

        `held_from` is the position of a record that must be read again.
        """
        if not self._spans and not self._base:
            return None
        position = self._base + self._offset if held_from is None else held_from
        for span in reversed(self._spans):
            if span.base <= position:
                offset = position - span.base
                return {
                    "device": span.device,
                    "inode": span.inode,
                    "base": span.base,
                    "offset": offset,
                }
        return {"device": 0, "inode": 0, "base": self._base, "offset": 0}

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _resume(self, state: Mapping[str, Any]) -> None:
        self._base = int(state["base"])
        offset = int(state["offset"])
        rotations = [file for file in self.log.files if file != self.path]
        for number, file in enumerate(rotations):
            if file.exists() and file.stat().st_ino == state["inode"]:
                self._waiting.extend(rotations[number:])
                self._unread_from = self._base + offset
                return
        for file in (self.path, *self._siblings()):
            if file.exists() and file.stat().st_ino == state["inode"] and self._open(file):
                if os.fstat(self._file.fileno()).st_size >= offset:
                    self._offset = offset
                    return
                self.close()
        if state["inode"]:
            self._note("the file read last is gone", _KEPT_BEHIND)
        self._base += offset

    def _siblings(self) -> list[Path]:
        logs, _ = find_logs([f"{self.path}?*"])
        return [file for log in logs for file in log.files if file.suffix != ".gz"]

    @property
    def _file(self) -> BinaryIO:
        if self._stream is None:
            raise ValueError("no file is open")
        return self._stream

    def _open(self, file: Path) -> bool:
        if check_file(file, str(file)) is not None:
            return False
        self._stream = file.open("rb")
        status = os.fstat(self._stream.fileno())
        self._offset = 0
        self._spans.append(Span(status.st_dev, status.st_ino, self._base))
        return True

    def _read_old(self) -> Chunk | None:
        """Read rotations that were there at the start, oldest first."""
        while self._waiting:
            if self._old is None:
                file = self._waiting[0]
                status = file.stat()
                self._spans.append(Span(status.st_dev, status.st_ino, self._base))
                self._old = iter(LogChunks(Log(self.log.name, (file,)), self._chunk_bytes))
                self._offset = 0
            chunk = next(self._old, None)
            if chunk is not None:
                self._offset = chunk.base + len(chunk.data)
                rest = self._unread(chunk)
                if rest.data or rest.too_long:
                    return rest
                continue
            self._base += self._offset
            self._offset = 0
            self._old = None
            self._waiting.popleft()
        return None

    def _unread(self, chunk: Chunk) -> Chunk:
        """Shift a chunk of a file to its place in the log, without what was read before."""
        first = self._base + chunk.base
        seen = min(max(self._unread_from - first, 0), len(chunk.data))
        too_long = tuple(
            (self._base + at, length)
            for at, length in chunk.too_long
            if self._base + at >= self._unread_from
        )
        return Chunk(first + seen, chunk.data[seen:], too_long)

    def _read_lines(self, *, final: bool) -> Chunk | None:
        """Return the next whole lines; with `final` what remains is a line, too."""
        if self._skipped:
            return self._skip(final=final)
        data = self._bytes(max(self._chunk_bytes, LINE_LIMIT + 1))
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > LINE_LIMIT:
            self._skipped = len(data)
            return self._skip(final=final)
        if final and not cut:
            cut = len(data)
        if not cut:
            return None
        position = self._base + self._offset
        self._offset += cut
        return Chunk(position, data[:cut])

    def _skip(self, *, final: bool) -> Chunk | None:
        """Go over the rest of a line that is over the limit."""
        end = -1
        while end < 0 and (data := self._bytes(self._chunk_bytes)):
            end = data.find(b"\n")
            self._skipped += end if end >= 0 else len(data)
        if end < 0 and not final:
            return None
        position, length = self._base + self._offset, self._skipped
        self._offset += length + (end >= 0)
        self._skipped = 0
        return Chunk(self._base + self._offset, b"", ((position, length),))

    def _bytes(self, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, self._offset + self._skipped)

    def _truncated(self) -> bool:
        return os.fstat(self._file.fileno()).st_size < self._offset + self._skipped

    def _rotated(self) -> bool:
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) != (self._spans[-1].device, self._spans[-1].inode)

    def _close(self) -> None:
        """Leave a file that was rotated away; newer rotations come first, then the log."""
        status = os.fstat(self._file.fileno())
        base = self._base + self._offset
        self.close()
        self._base, self._offset, self._skipped = base, 0, 0
        siblings = sorted(self._siblings(), key=lambda file: file.stat().st_mtime)
        inodes = [file.stat().st_ino for file in siblings]
        if status.st_ino in inodes:
            self._waiting.extend(siblings[inodes.index(status.st_ino) + 1 :])

    def _advance(self, size: int) -> None:
        self._base += size
        self._offset, self._skipped = 0, 0
        last = self._spans[-1]
        self._spans.append(Span(last.device, last.inode, self._base))

    def _last_line_start(self) -> int:
        size = os.fstat(self._file.fileno()).st_size
        start = max(0, size - LINE_LIMIT)
        tail = os.pread(self._file.fileno(), size - start, start)
        return start + tail.rfind(b"\n") + 1 if b"\n" in tail or start == 0 else size

    def _note(self, reason: str, advice: str) -> None:
        self.problems.append(InputProblem(str(self.path), reason, advice))
