"""Tails: one log that grows, followed through rotation, in whole lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from ingest.chunks import CHUNK_BYTES, Chunk
from ingest.identity import Candidate, Identity, Traces, candidates_of, find
from ingest.logs import InputProblem, Log
from ingest.opened import OpenFile, PlainFile, open_file
from ingest.places import Place, Places
from ingest.rotations import Folders
from ingest.troubles import Troubles
from ingest.watching import Watch

Start = Literal["beginning", "end"]
T = TypeVar("T")

#: Is told (position, reason, bytes lost or None).
OnGap = Callable[[int, str, int | None], None]

_MICROSECOND: Final = timedelta(microseconds=1)
#: A file that was rotated away is left when it had nothing new for so long: some writers go on
#: for a moment.
GRACE: Final = timedelta(seconds=1) // _MICROSECOND
#: A rotation that fails for so long is left, for what is newer.
GIVE_UP: Final = timedelta(hours=1) // _MICROSECOND

_GONE: Final = "the file read last is gone"
_SHORTER: Final = "the file became shorter"
_REWRITTEN: Final = "the file was rewritten: what was read of it is there no more"
#: Told after each copytruncate: mostly nothing is missing.
COPIED: Final = "the file was copied and truncated"
_UNREADABLE: Final = "a rotation could not be read"
_LEFT: Final = "a rotated file was written to after it was left"

_ADVICE: Final = {
    _GONE: "keep the newest rotation, plain or compressed, until it was read",
    _SHORTER: "keep the newest rotation, plain or compressed, until it was read",
    _REWRITTEN: "append to logs only; who edits one, or plays it again, hides what came meanwhile",
    COPIED: "rotate by renaming: what comes between copy and truncation is in no file",
    _UNREADABLE: "check its disk",
    _LEFT: "have the server open its log anew at once when it is rotated",
}
_DAMAGED: Final = "what could be read was used"


def advice_on(reason: str) -> str:
    """Return what to do about a gap."""
    return _ADVICE.get(reason, _DAMAGED)


class LogTail:
    """The bytes of one growing log, as chunks of whole lines with positions.

    Positions go on from file to file, so that they increase strictly over rotations. A last line
    without newline waits until it is complete or its file was rotated away. A file is known
    again by device and inode if it still begins as it did, else by how it begins, also when it
    was copied or compressed meanwhile; each is read to its end before the next newer one.

    Lost is only what is in no file any more: what was written to a file after its last read and
    before it was truncated without a copy, between the copying and the truncation, or before it
    was deleted while it was not open; and what is written to a rotated file after it was left.
    `on_gap` is told each time that lines are or may be missing: where, why, and how many bytes,
    None if nobody knows.
    """

    def __init__(
        self,
        log: Log,
        *,
        start: Start,
        chunk_bytes: int = CHUNK_BYTES,
        state: Mapping[str, Any] | None = None,
        on_gap: OnGap = lambda _position, _reason, _lost: None,
        folders: Folders | None = None,
    ) -> None:
        self.log = log
        self._folders = folders or Folders()
        self.path = Path(log.name)
        self._start: Start | None = start
        self._chunk_bytes = chunk_bytes
        self._places = Places()
        self._offset = 0
        self._traces: Traces | None = None
        self._file: OpenFile | None = None
        self._newer: list[Candidate] = []
        self._look_again = True
        self._drained = False
        self._watch = Watch(self.path, written=self.path in log.files)
        self._troubles = Troubles()
        self._on_gap = on_gap
        self._missing_since: int | None = None
        self._truncated = self._was_ended = False
        self._copied_from: Identity | None = None
        self._quiet_since: int | None = None
        self._unread = 0
        if state is not None:
            self._start = None
            self._offset = self._places.restore(state)
            self._was_ended = bool(state.get("ended"))
            if "traces" in state:
                self._traces = Traces.restored(state["traces"])
            if "copied_from" in state:
                self._copied_from = Identity.restored(state["copied_from"])
            self._watch.written |= bool(state.get("live"))
        else:
            self._guarded(self._begin, None)

    def read(self, now: int | None = None) -> Chunk | None:
        """Return the next chunk, or None if there is nothing new, or nothing can be read now.

        `now`, in microseconds, is what waiting is measured by; without it nothing waits. Raises
        nothing because of files: see `problems`.
        """
        if now is not None and self._troubles.waits(now):
            return None
        if self._newer and now is not None and self._troubles.lasted(now) >= GIVE_UP:
            self._give_up()
        return self._guarded(lambda: self._next(now), now)

    def refresh(self, log: Log) -> None:
        """Take note of the log's files as they are now."""
        if log.files != self.log.files:
            self.log = log
            self._look_again = True

    def head(self, size: int) -> bytes:
        """Return how the file begins that is read now, unpacked; nothing if there is none."""
        if not self._troubles.failing:
            self._guarded(self._open_first, None)
        return self._file.head(size) if self._file is not None else b""

    @property
    def unread(self) -> int:
        """Bytes of the file at hand that the last read left; of packed files none count."""
        return self._unread

    @property
    def position(self) -> int:
        """Where the next line begins."""
        current = self._places.current
        if current is None:
            return self._places.base
        return current.base + (self._offset if self._file is None else self._file.offset)

    def state(self, held_from: int | None) -> dict[str, Any] | None:
        """Return where to go on as plain JSON: a file's identity, its base, and an offset in it.

        None if the log could not be looked at yet. `held_from` is the position of a record that
        must be read again.
        """
        offset = self._file.offset if self._file is not None else self._offset
        traces = self._file.traces if self._file is not None else self._traces
        if self._start is not None:
            return None
        origin = self._copied_from
        copied = {} if origin is None else {"copied_from": origin.state()}
        read = {} if traces is None or held_from is not None else {"traces": traces.state()}
        place = self._places.state(offset, held_from)
        return {**place, "live": self._watch.written, **copied, **read}

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong now, and where lines may be missing: the last of each kind."""
        return self._troubles.problems

    @property
    def is_open(self) -> bool:
        """Whether a file is held open."""
        return self._file is not None

    @property
    def ended(self) -> bool:
        """Whether all was read and no file of the log is there any more."""
        gone = self._drained and self._watch.gone
        return gone and not self._newer and not self._troubles.failing

    def rest(self) -> None:
        """Close the file if nothing of it is unread; the next new line opens it again."""
        if self._drained and not self._newer:
            self.close()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            self._offset, self._traces = file.offset, file.traces
            file.close()

    def _guarded(self, work: Callable[[], T], now: int | None) -> T | None:
        """Do what may fail; after a failure the file is opened again, later and later."""
        try:
            done = work()
        except FileNotFoundError:  # renamed while we looked
            self._look_again = True
            return None
        except OSError as error:
            self.close()
            self._look_again, self._drained = True, False
            self._troubles.failed(self._watch.where, error, now or 0)
            return None
        self._troubles.over()
        return done

    def _missing(self, offset: int, reason: str) -> None:
        """Tell that lines behind an offset in the current file are or may be missing."""
        current = self._places.current
        self._on_gap((current.base if current else self._places.base) + offset, reason, None)

    def _give_up(self) -> None:
        """Leave a rotated file that cannot be read, so that what is newer is read."""
        self._missing(self._offset, _UNREADABLE)
        self._troubles.over()
        self._places.leave(self._offset)

    def _next(self, now: int | None) -> Chunk | None:
        if self._start is not None:
            self._begin()
        if self._unchanged():
            return None
        while (file := self._opened(now)) is not None:
            chunk = file.read(final=False)
            if file.change is not None:
                self._replaced(file)
                continue
            self._places.known_as(file.identity)
            self._unread = file.unread
            if chunk is None and not file.drained:
                return None
            if chunk is None and self._may_leave(file, now):
                chunk = file.read(final=True)
                if chunk is None and file.change is None:
                    self._leave(file)
                    continue
            if chunk is not None:
                self._quiet_since = None
                return self._placed(chunk)
            break
        self._drained = True
        return None

    def _open_first(self) -> None:
        if self._start is not None:
            self._begin()
        if self._file is None:
            self._opened(None)

    def _placed(self, chunk: Chunk) -> Chunk:
        current = self._places.current
        base = current.base if current is not None else 0
        too_long = tuple((base + at, length) for at, length in chunk.too_long)
        return Chunk(base + chunk.base, chunk.data, too_long)

    def _begin(self) -> None:
        """Go to where a log begins that was never read; opens nothing for long."""
        files = self._files()
        first = [index for index, file in enumerate(files) if file.path in self.log.files]
        if self._start == "end":
            first = [len(files) - 1] if files else []
        if first:
            if first[0]:
                self._places.passed_over(files[first[0] - 1].identity)
            self._enter(files[first[0]])
            if self._start == "end" and self._file is not None:
                self._to_end(self._file)
            self.close()
        self._start = None

    def _to_end(self, file: OpenFile) -> None:
        if isinstance(file, PlainFile):
            file.offset = file.last_line_start()
        else:
            self._places.current = None
            self._places.passed_over(file.identity)

    def _files(self) -> list[Candidate]:
        return candidates_of(self._folders.rotations_of(self.path))

    def _unchanged(self) -> bool:
        """Whether nothing happened since the last read found nothing new."""
        changed, renamed = self._watch.look()
        if renamed or (changed and self._unknown_content()):
            self._look_again = True
        deleted = self._watch.gone and isinstance(self._file, PlainFile) and self._file.grew()
        if changed or deleted or self._look_again or self._newer or self._missing_since is not None:
            self._drained = False
        return self._drained

    def _unknown_content(self) -> bool:
        """Whether a file that matters was empty when it was looked at."""
        current = self._places.current
        next_file = self._newer[0] if self._newer else None
        return (current is not None and not current.identity.telling) or (
            next_file is not None and not next_file.identity.telling
        )

    def _opened(self, now: int | None) -> OpenFile | None:
        """Return the current file, opened; without one the next; None if there is none."""
        current = self._places.current
        if self._file is None and current is not None and not self._look_again:
            self._reopen(current, Candidate(self._watch.where))
        if self._look_again or self._missing_since is not None:
            self._look(now)
        if self._file is None and self._places.current is None and self._newer:
            self._enter(self._newer[0])
        return self._file

    def _look(self, now: int | None) -> None:
        """Find the current file among those there are now, and what is newer."""
        files = self._files()
        self._look_again = False
        self._forget_if_empty(files)
        current = self._places.current
        index = find(current.identity, files) if current is not None else None
        if current is not None and index is not None:
            self._missing_since, self._truncated = None, False
            if not files[index].same_inode(current.identity):
                self._note_copies(current.identity, files[index + 1 :])
            self._set_newer(files[index + 1 :])
            self._watch.where = files[index].path
            if self._file is None:
                self._reopen(current, files[index])
            return
        self._watch.where = self.path
        self._set_newer(self._places.unread(files))
        if current is not None and self._file is None and self._newer:
            self._lost(now)

    def _note_copies(self, known: Identity, newer: Sequence[Candidate]) -> None:
        """Take note that a known file's content is elsewhere, and where it lay is something newer.

        So it is after copytruncate, for each of the files up to that one; also where the inode of
        a compressed file was used again for the next, which cannot be told from it.
        """
        if any(file.same_inode(known) for file in newer):
            self._copied_from = known

    def _set_newer(self, files: Sequence[Candidate]) -> None:
        """Remember what comes next, and how the first of it begins at this time."""
        self._newer = list(files)
        for file in files[:1]:
            file.fix()

    def _forget_if_empty(self, files: Sequence[Candidate]) -> None:
        """Go back to what is unread if nothing was seen of the current file.

        Meanwhile it may have been written, copied and truncated: then its inode says nothing.
        """
        current = self._places.current
        if current is None or current.identity.telling:
            return
        self._places.current = None
        for file in self._places.unread(files):
            if file.same_inode(current.identity):
                self._places.current = current
            if file.head or self._places.current is not None:
                break
        if self._places.current is None:
            self._note_copies(current.identity, files)
            self.close()
            self._offset, self._traces = 0, None

    def _lost(self, now: int | None) -> None:
        """Give the current file up: what is newer is there, but it is not.

        A list of files that is made during a renaming may leave one out, so look twice.
        """
        if not self._truncated and now is not None:
            if self._missing_since is None:
                self._missing_since = now
            if now - self._missing_since < GRACE:
                self._newer = []
                return
        if not self._was_ended:
            self._missing(self._offset, _SHORTER if self._truncated else _GONE)
        self._was_ended = False
        self._missing_since, self._truncated = None, False
        self._places.leave(self._offset)

    def _reopen(self, current: Place, candidate: Candidate) -> None:
        if find(current.identity, [candidate]) is not None:
            self._file = open_file(candidate, self._offset, self._chunk_bytes, self._traces)
        if self._file is None:
            self._look_again = True

    def _enter(self, candidate: Candidate) -> None:
        self._file = open_file(candidate, 0, self._chunk_bytes)
        self._look_again, self._newer = True, []
        if self._file is not None:
            self._watch.where = candidate.path
            self._offset = 0
            self._places.enter(self._file.identity)

    def _may_leave(self, file: OpenFile, now: int | None) -> bool:
        """Whether a file that has nothing new was rotated away, and its writer went on."""
        if not self._newer:
            return False
        next_file, following = self._newer[0], Candidate(self._newer[0].path)
        was_empty = not next_file.identity.telling and following.head
        if was_empty or not following.same(next_file):
            self._look_again = True
            return False
        if len(self._newer) > 1 or not isinstance(file, PlainFile):
            return True
        if not following.status.st_size:
            return False
        if self._quiet_since is None and now is not None:
            self._quiet_since = now
        return now is None or now - (self._quiet_since or 0) >= GRACE

    def _leave(self, file: OpenFile) -> None:
        if file.damage is not None:
            self._missing(file.end, file.damage)
        if self._copied_from is not None:
            self._missing(file.end, COPIED)
            if self._newer[0].same_inode(self._copied_from):
                self._copied_from = None
        self._quiet_since = None
        self.close()
        self._places.leave(file.end)
        self._enter(self._newer[0])

    def _replaced(self, file: OpenFile) -> None:
        """Go on after a truncation: in the copy if there is one, else with what is there now."""
        current, end = self._places.current, file.status().st_size
        if isinstance(file, PlainFile) and file.change == "rewritten":
            end = file.next_line_start()
        self.close()
        self._look_again = True
        if current is not None and current.identity.head is None:  # nobody knows what it held
            self._places.known_as(replace(current.identity, inode=-1))
            self._truncated = True
        elif file.change == "other":
            self._truncated = True
        else:
            self._missing(self._offset, _REWRITTEN if file.change == "rewritten" else _SHORTER)
            self._places.shortened(self._offset, end)
            self._offset, self._traces = end, None
