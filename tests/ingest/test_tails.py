"""One log under everything that rotates logs, at random: each line arrives once and in order."""

import bz2
import gzip
import json
import lzma
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.logs import Log
from ingest.tails import GRACE, LogTail

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


class Lifecycle(RuleBasedStateMachine):
    """A log that is written, rotated, copied and truncated, compressed, and pruned.

    `written` has every line ever appended, `read` every line that the tail gave. Nothing may be
    lost while a file that was not wholly read is only renamed, copied or compressed. Unavoidable
    is the loss of what is in no file any more: the oldest rotation is deleted only once it was
    read, and a log is truncated without a copy only when all was read. A tail that has a file
    open reads it to its end even if it was deleted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "access.log"
        self.now = 0
        self.written: list[int] = []
        self.read: list[int] = []
        self.positions: list[int] = []
        self.read_before = 0  # how many were read before the last start
        self.copied = False  # whether nobody writes to the newest rotation any more
        self.complete = True  # whether nothing was ever deleted
        self.kept: list[list[int]] = []  # the lines of each rotation, newest first
        self.live: list[int] = []

    @initialize(dated=st.booleans())
    def begin(self, dated: bool) -> None:
        self.dated = dated
        self.path.touch()
        self.tail = self.new_tail(None)
        self.rotations = 0

    def new_tail(self, state: dict[str, Any] | None) -> LogTail:
        log = Log(str(self.path), (self.path,))
        return LogTail(log, start="beginning", chunk_bytes=300, state=state)

    def read_once(self, seconds: int) -> bool:
        self.now += seconds * GRACE
        chunk = self.tail.read(self.now)
        if chunk is None:
            return False
        at = chunk.base
        for text in chunk.data.splitlines(keepends=True):
            self.read.append(int(text.split()[1]))
            self.positions.append(at)
            at += len(text)
        return True

    @rule(polls=st.integers(1, 5), seconds=st.integers(0, 2))
    def poll(self, polls: int, seconds: int) -> None:
        for _ in range(polls):
            self.read_once(seconds)

    @rule(count=st.integers(1, 30), size=st.integers(1, 60))
    def append(self, count: int, size: int) -> None:
        with self.path.open("ab") as stream:
            for _ in range(count):
                number = len(self.written)
                stream.write(b"line %d %s\n" % (number, b"x" * size))
                self.written.append(number)
                self.live.append(number)

    @rule(count=st.integers(1, 3))
    def append_to_the_rotated(self, count: int) -> None:
        """A writer that has not noticed the rotation yet."""
        newest = self.names()[-1:]
        if self.live or not newest or newest[0].suffix[1:] in PACK or self.copied:
            return
        with newest[0].open("ab") as stream:
            for _ in range(count):
                number = len(self.written)
                stream.write(b"line %d\n" % number)
                self.written.append(number)
                self.kept[0].append(number)

    def names(self) -> list[Path]:
        """The rotations, oldest first."""
        names = [file for file in self.folder.iterdir() if file != self.path]
        if self.dated:
            return sorted(names)
        return sorted(names, key=lambda file: -int(file.name.split(".")[2]))

    def rotated_name(self) -> Path:
        """Make room for the next rotation, as logrotate does."""
        self.rotations += 1
        if self.dated:
            return self.folder / f"access.log-{20260000 + 101 + self.rotations}"
        for file in self.names():
            parts = file.name.split(".")
            parts[2] = str(int(parts[2]) + 1)
            file.rename(self.folder / ".".join(parts))
        return self.folder / "access.log.1"

    @rule(create=st.booleans())
    def rotate(self, create: bool) -> None:
        if self.rotations > 25 or not self.path.exists():
            return
        self.path.rename(self.rotated_name())
        self.kept.insert(0, self.live)
        self.live = []
        self.copied = False
        if create:
            self.path.touch()

    @rule(refill=st.integers(0, 40))
    def copytruncate(self, refill: int) -> None:
        if self.rotations > 25 or not self.path.exists():
            return
        shutil.copyfile(self.path, self.rotated_name())
        self.kept.insert(0, self.live)
        self.live = []
        self.copied = True
        self.path.write_bytes(b"")
        if refill:
            self.append(refill, 40)

    @precondition(lambda self: len(self.read) == len(self.written) and self.live)
    @rule(refill=st.integers(0, 40))
    def truncate(self, refill: int) -> None:
        self.path.write_bytes(b"")
        self.complete, self.copied = False, True
        self.live = []
        if refill:
            self.append(refill, 40)

    @rule(kind=st.sampled_from(sorted(PACK)), which=st.integers(0, 3), delayed=st.booleans())
    def compress(self, kind: str, which: int, delayed: bool) -> None:
        plain = [file for file in self.names() if file.suffix[1:] not in PACK]
        if delayed:
            plain = plain[:-1]
        if not plain:
            return
        file = plain[which % len(plain)]
        packed = file.with_name(f"{file.name}.{kind}")
        packed.write_bytes(PACK[kind](file.read_bytes()))
        shutil.copystat(file, packed)
        file.unlink()

    @precondition(lambda self: self.kept)
    @rule()
    def delete_oldest(self) -> None:
        if self.kept[-1] and (not self.read or self.read[-1] < self.kept[-1][-1]):
            return
        self.names()[0].unlink()
        self.complete = False
        self.kept.pop()

    @rule()
    def restart(self) -> None:
        self.restart_with(json.loads(json.dumps(self.tail.state(None))))

    @rule(back=st.integers(1, 30))
    def restart_from_a_held_line(self, back: int) -> None:
        """A state may go back to a line read since the last start, if it still is in a file."""
        there = {*self.live, *(number for lines in self.kept for number in lines)}
        back = min(back, len(self.read) - self.read_before)
        while back and not there.issuperset(self.read[-back:]):
            back -= 1
        if back <= 0:
            return
        state = json.loads(json.dumps(self.tail.state(self.positions[-back])))
        del self.read[-back:], self.positions[-back:]
        self.restart_with(state)

    def restart_with(self, state: dict[str, Any]) -> None:
        self.tail.close()
        self.tail = self.new_tail(state)
        self.read_before = len(self.read)

    @rule()
    def rest(self) -> None:
        self.tail.rest()

    @invariant()
    def each_line_once_and_in_order(self) -> None:
        assert self.read == self.written[: len(self.read)]
        assert self.positions == sorted(set(self.positions))

    def teardown(self) -> None:
        try:
            quiet = 0
            while quiet < 8:
                quiet = 0 if self.read_once(1) else quiet + 1
            assert self.read == self.written
            if self.complete:
                assert self.tail.problems == []
        finally:
            self.tail.close()
            shutil.rmtree(self.folder)


TestLifecycle = pytest.mark.filterwarnings("error")(Lifecycle.TestCase)
Lifecycle.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
