"""Places: which files of a log were read, where in the log each begins, and what comes next."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ingest.identity import Candidate, Identity, find

#: Files of which base and identity are kept, and those of which only the identity is.
_KEPT: Final = 16
_KNOWN: Final = 4
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
        self._before: deque[Identity] = deque(maxlen=_KNOWN)

    def passed_over(self, identity: Identity) -> None:
        """Remember a file behind which reading goes on."""
        if identity.telling:
            self._before.append(identity)

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
            self.passed_over(self._passed.popleft().identity)

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
        known = [*self._before, *(place.identity for place in self._passed)]
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
        last = known[-1].modified
        return [file for file in files if file is files[-1] or file.status.st_mtime_ns >= last]

    def state(self, offset: int, held_from: int | None) -> dict[str, Any]:
        """Return where to go on, as plain JSON: a file, its base, and an offset in it.

        `offset` is that in the current file, `held_from` a position to be read again. `before` are
        the last files before it.
        """
        places = [*self._passed, *([self.current] if self.current else [])]
        position = held_from
        if position is None:
            if self.current is None:
                return _state(_NO_FILE, self.base, 0, self._known(places))
            position = self.current.base + offset
        index = max((i for i, place in enumerate(places) if place.base <= position), default=0)
        if not places:
            return _state(_NO_FILE, self.base, 0, self._known([]))
        place, before = places[index], self._known(places[:index])
        return _state(place.identity, place.base, max(position - place.base, 0), before)

    def _known(self, places: Sequence[Place]) -> list[Identity]:
        known = [*self._before, *(place.identity for place in places if place.identity.telling)]
        return known[-_KNOWN:]

    def restore(self, state: Mapping[str, Any]) -> int:
        """Go on from a stored state; return the offset in the current file."""
        self._before.extend(Identity.restored(entry) for entry in state.get("before", ()))
        identity = Identity.restored(state)
        base, offset = int(state["base"]), int(state["offset"])
        if identity.inode == 0:
            self.base = base + offset
            return 0
        self.base = base
        self.enter(identity)
        return offset


def _state(identity: Identity, base: int, offset: int, before: list[Identity]) -> dict[str, Any]:
    earlier = [entry.state() for entry in before]
    return {**identity.state(), "base": base, "offset": offset, "before": earlier}
