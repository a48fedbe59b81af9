"""Parts of long lines, as container runtimes write them, joined over lines.

CRI marks all parts but the last with P; Docker's json-file cuts at 16 KiB and ends the last part
with a newline. Parts of stdout and stderr may alternate. The joined line takes the place of its
last part, so that what was written in between keeps its order. A line that grows too long, or
whose next part does not come, is set aside as a whole, with its last part: that begins with what a
client chose, and alone might read as a request of somebody else.

Joining depends on the order of lines only, not on how they were cut into calls. What it remembers
is bounded, and found again after a restart by going back to the first part.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from ingest.lines import LINE_LIMIT, Flags, Ints, Lines
from ingest.records import Records
from ingest.wrappers.cri import parts_of, screen
from ingest.wrappers.envelopes import DOCKER_PART, REQUEST_FIELDS

#: A line is given up if its next part is so many lines away from its first.
PART_LINES: Final = 1_000

#: The last joined lines of which the first part's position is known: the time rules may hold some
#: of them back, and never as many.
_JOINED: Final = 8
_DOCKER: Final = "docker "
_DIGIT, _OPEN = b"2{"

Why = Literal["too_long", "partial"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A line of which the last part did not come yet; `why` says that it was given up.

    `since` is the position of its first part, `began` the number of that line.
    """

    since: int
    last: int
    began: int
    pieces: tuple[bytes, ...] = ()
    size: int = 0
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What joining remembers of one partition, by stream. Lines before `resume` were given before.

    `count` counts the lines looked at. `joined` are (first, last) positions of joined lines.
    """

    pending: Mapping[str, Pending] = field(default_factory=dict)
    joined: tuple[tuple[int, int], ...] = ()
    resume: int = 0
    count: int = 0

    def needed_from(self, position: int) -> int:
        """Return where to read from after a restart, if lines are wanted from `position` on."""
        waiting = [entry.since for entry in self.pending.values() if entry.why is None]
        firsts = [first for first, last in self.joined if last >= position]
        return min([position, *waiting, *firsts])

    def state(self, begin: int, resume: int) -> dict[str, Any]:
        """Return plain JSON for a restart that reads from `begin` on and wants lines from `resume`.

        Nothing if there is nothing to remember.
        """
        given_up = {name: entry.why for name, entry in self.pending.items() if entry.why}
        if not given_up and begin == resume:
            return {}
        return {"parts": {"resume": resume, "given_up": given_up}}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Parts":
        """Go on from a partition's stored state."""
        known = state.get("parts")
        if known is None:
            return cls()
        resume = int(known["resume"])
        pending = {name: Pending(-1, -1, 0, why=why) for name, why in known["given_up"].items()}
        return cls(pending, resume=resume)


@dataclass(frozen=True, slots=True)
class Part:
    """A line that holds a part: `text` of the line, and what is to be put `around` all of it."""

    index: int
    stream: str
    text: bytes
    last: bool
    around: bytes | dict[str, Any]

    def joined(self, pieces: Sequence[bytes]) -> bytes:
        """Return the whole line, wrapped as its last part was."""
        text = b"".join([*pieces, self.text])
        if isinstance(self.around, bytes):
            return self.around + text
        return json.dumps({**self.around, "log": text.decode(errors="surrogatepass")}).encode()


def joined(records: Records, parts: Parts) -> tuple[Records, Parts]:
    """Return records with long lines whole, and what is to be remembered for the next ones."""
    lines = records.lines
    if not (parts.pending or parts.resume or may_hold_parts(lines)):
        return records, parts
    return _Joining(records, parts).run()


def may_hold_parts(lines: Lines) -> bool:
    """Whether there may be a part in the lines: nearly free for logs without any."""
    if not len(lines):
        return False
    if (lines.lengths >= DOCKER_PART).any():
        return True
    return bool((lines.firsts == _DIGIT).any()) and screen(lines)


class _Joining:
    """Joins the parts among some records."""

    def __init__(self, records: Records, parts: Parts) -> None:
        self._records = records
        self._parts = parts
        self._pending = dict(parts.pending)
        self._joined = list(parts.joined)
        self._whole: dict[int, bytes] = {}
        self._keep: Flags = np.ones(len(records.lines), dtype=np.bool_)
        self._set_aside: dict[Why, list[int]] = {"too_long": [], "partial": []}

    def run(self) -> tuple[Records, Parts]:
        lines, positions = self._records.lines, self._records.positions
        found = [*_cri(lines, self._pending), *_docker(lines, self._pending)]
        for part in sorted(found, key=lambda part: part.index):
            self._take(part, int(positions[part.index]))
        count = self._parts.count + len(lines)
        for stream, entry in self._pending.items():
            if entry.why is None and count - entry.began > PART_LINES:
                self._pending[stream] = replace(entry, pieces=(), why="partial")
        resume = self._parts.resume
        if resume:
            self._keep &= positions >= resume
        kept = self._kept()
        left = resume if not len(positions) or int(positions[-1]) < resume else 0
        return kept, Parts(self._pending, tuple(self._joined[-_JOINED:]), left, count)

    def _take(self, part: Part, position: int) -> None:
        entry = self._pending.get(part.stream)
        if entry is None and part.last:
            return
        self._keep[part.index] = False
        if entry is not None and entry.why is not None and position < self._parts.resume:
            return  # it was given up before the restart, later than here
        if not part.last:
            self._pending[part.stream] = self._grown(entry, part, position)
        elif entry is not None:
            del self._pending[part.stream]
            self._end(entry, part, position)

    def _grown(self, entry: Pending | None, part: Part, position: int) -> Pending:
        number = self._parts.count + part.index
        known = entry or Pending(position, position, number)
        if known.why is not None:
            return replace(known, last=position)
        if number - known.began > PART_LINES:
            return replace(known, last=position, pieces=(), why="partial")
        size = known.size + len(part.text)
        if size > LINE_LIMIT:
            return replace(known, last=position, pieces=(), why="too_long")
        return replace(known, last=position, pieces=(*known.pieces, part.text), size=size)

    def _end(self, entry: Pending, part: Part, position: int) -> None:
        why = entry.why
        if why is None and self._parts.count + part.index - entry.began > PART_LINES:
            why = "partial"
        if why is None and entry.size + len(part.text.removesuffix(b"\n")) > LINE_LIMIT:
            why = "too_long"
        if why is not None:
            self._set_aside[why].append(position)
            return
        self._keep[part.index] = True
        self._whole[part.index] = part.joined(entry.pieces)
        self._joined.append((entry.since, position))

    def _kept(self) -> Records:
        records, resume = self._records, self._parts.resume
        too_long = sorted([*records.too_long, *self._set_aside["too_long"]])
        partial = [*records.partial, *self._set_aside["partial"]]
        lines, positions = records.lines, records.positions
        if self._whole or not self._keep.all():
            lines, positions = self._lines(), positions[self._keep]
        return replace(
            records,
            lines=lines,
            positions=positions,
            too_long=tuple(at for at in too_long if at >= resume),
            partial=tuple(at for at in partial if at >= resume),
        )

    def _lines(self) -> Lines:
        lines, pieces, begin = self._records.lines, [], 0
        for index in sorted(self._whole):
            if self._keep[index]:
                pieces += _run(lines, self._keep, begin, index)
                pieces.append(self._whole[index])
                begin = index + 1
        pieces += _run(lines, self._keep, begin, len(lines))
        return Lines.of(b"\n".join([*pieces, b""])) if pieces else lines.select(self._keep)


def _run(lines: Lines, keep: Flags, begin: int, end: int) -> list[bytes]:
    """Return the bytes of the lines that are kept among some; nothing if none is."""
    where = begin + np.flatnonzero(keep[begin:end])
    if not len(where):
        return []
    some = lines.select(where)
    return [some.joined().removesuffix(b"\n") if some.whole else some.joined()]


def _cri(lines: Lines, pending: Mapping[str, Pending]) -> Iterator[Part]:
    """Yield the parts in CRI's format, and the whole lines that may be a last one."""
    where, streams, parts, lengths = parts_of(lines)
    for stream in ("stdout", "stderr"):
        of_stream = np.flatnonzero(streams == stream)
        is_part = parts[of_stream]
        goes_on = np.concatenate(([stream in pending], is_part[:-1])) if len(of_stream) else is_part
        for at in of_stream[is_part | goes_on].tolist():
            line = lines[int(where[at])]
            cut = int(lengths[at])
            head = line[:cut] if line[cut - 1 : cut] == b" " else line[:cut] + b" "
            yield Part(int(where[at]), stream, line[cut:], not parts[at], head)


def _docker(lines: Lines, pending: Mapping[str, Pending]) -> Iterator[Part]:
    """Yield the parts of Docker's json-file, and of each stream the line behind a part."""
    waiting = {name for name in pending if name.startswith(_DOCKER)}
    long: Ints = np.flatnonzero(lines.lengths >= DOCKER_PART)
    if not (len(long) or waiting):
        return
    objects = np.flatnonzero(lines.firsts == _OPEN).tolist()
    may_begin = set(long.tolist())
    for index in objects:
        if not waiting and index not in may_begin:
            continue
        part = _docker_part(index, lines[index])
        if part is None or (part.last and part.stream not in waiting):
            continue
        (waiting.discard if part.last else waiting.add)(part.stream)
        yield part


def _docker_part(index: int, line: bytes) -> Part | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value.keys().isdisjoint(REQUEST_FIELDS):
        return None
    if not all(isinstance(value.get(name), str) for name in ("log", "stream", "time")):
        return None
    text = value["log"].encode(errors="surrogatepass")
    part = len(text) >= DOCKER_PART and not text.endswith(b"\n")
    return Part(index, _DOCKER + value["stream"], text, not part, value)
