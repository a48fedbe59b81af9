"""Places: which files of a log were read, where in the log each begins, and what comes next."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ingest.identity import Candidate, Identity, find

_KEPT: Final = 16
_NO_FILE: Final = Identity(0, 0, None)


@dataclass(frozen=True, slots=True)
class Place:
    """A file's place in its log: the position of its first byte."""

    identity: Identity
    base: int


class Places:
    """The places of one log: of the file that is read, and of those read before.

    `base` is the position at which the next file begins.
    """

    def __init__(self) -> None:
        self.current: Place | None = None
        self.base = 0
        self._passed: deque[Place] = deque()
        self._before: Identity | None = None

    def passed_over(self, identity: Identity) -> None:
        """Begin behind a file that is not read."""
        self._before = identity

    def enter(self, identity: Identity) -> None:
        """Begin a file."""
        self.current = Place(identity, self.base)

    def known_as(self, identity: Identity) -> None:
        """The current file grew, or was found again as another."""
        if self.current is not None:
            self.current = replace(self.current, identity=identity)

    def leave(self, end: int) -> None:
        """End the current file, of which `end` bytes were looked at."""
        if self.current is None:
            return
        self.base = self.current.base + end
        self._passed.append(self.current)
        self.current = None
        if len(self._passed) > _KEPT:
            self._before = self._passed.popleft().identity

    def shortened(self, end: int, size: int) -> None:
        """Go on at the end of the current file, `size`, though `end` of its bytes were seen."""
        if self.current is not None:
            identity = self.current.identity
            self.leave(end)
            self.current = Place(identity, self.base - size)

    def unread(self, files: Sequence[Candidate]) -> list[Candidate]:
        """Return those of the files, oldest first, that are newer than all that were read.

        If none of those is there any more, the time of the last change decides; compressing and
        renaming keep it.
        """
        known = [place.identity for place in self._passed]
        if self._before is not None:
            known.insert(0, self._before)
        if self.current is not None:
            known.append(self.current.identity)
        known = [identity for identity in known if identity.telling]
        for identity in reversed(known):
            index = find(identity, files)
            if index is not None:
                return list(files[index + 1 :])
        if not known and not self.base:
            return list(files)
        if not known or known[-1].head is None:  # stored by a version that knew only inodes
            return list(files[-1:])
        return [file for file in files if file.status.st_mtime_ns >= known[-1].modified]

    def state(self, offset: int, held_from: int | None) -> dict[str, Any] | None:
        """Return where to go on, as plain JSON: a file, its base, and an offset in it.

        `offset` is that in the current file, `held_from` a position to be read again. `before` is
        the file before it. None if nothing was ever read or passed over.
        """
        places = [*self._passed, *([self.current] if self.current else [])]
        if not places and self._before is None and not self.base:
            return None
        if held_from is None and self.current is None:
            before = places[-1].identity if places else self._before
            return _state(_NO_FILE, self.base, 0, before)
        position = held_from
        if position is None:
            position = (self.current.base if self.current else self.base) + offset
        index = max((i for i, place in enumerate(places) if place.base <= position), default=0)
        before = places[index - 1].identity if index else self._before
        if not places:
            return _state(_NO_FILE, self.base, 0, before)
        place = places[index]
        return _state(place.identity, place.base, max(position - place.base, 0), before)

    def restore(self, state: Mapping[str, Any]) -> int:
        """Go on from a stored state; return the offset in the current file."""
        before = state.get("before")
        self._before = None if before is None else Identity.restored(before)
        identity = Identity.restored(state)
        base, offset = int(state["base"]), int(state["offset"])
        if identity.inode == 0:
            self.base = base + offset
            return 0
        self.base = base
        self.enter(identity)
        return offset


def _state(identity: Identity, base: int, offset: int, before: Identity | None) -> dict[str, Any]:
    earlier = None if before is None else before.state()
    return {**identity.state(), "base": base, "offset": offset, "before": earlier}
