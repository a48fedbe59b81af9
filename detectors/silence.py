"""Silence of one source: no lines for longer than a limit, of a source that had some all along.

Time passes without lines by ticks only, and silence is measured from the first of them: however
late a log's lines come, it is silent for as long as nothing came. A source is watched once it was
regular: events in REGULAR of the last PARTS parts, a sixth of the limit each, that end with its
last event. Where visitors are rare, that none comes for a while says nothing: with one event a part
on average, chance is silent for a whole limit once in 400 times (e**-6), and such a source is
hardly ever regular.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ingest.lines import Ints

_MINUTE: Final = 60_000_000

#: The time before the silence: twice the limit, in parts; so many of them must have had events.
PARTS: Final = 12
REGULAR: Final = 11

#: A silence that goes on is told again every so many minutes.
AGAIN: Final = 5


class Span(NamedTuple):
    """A claim about a source: times in microseconds since 1970, and what was counted."""

    first: int
    last: int
    value: int


class Silence:
    """The state of one source; rows and ticks are to be given in order of their times."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._part = minutes * _MINUTE * 2 // PARTS
        self._parts: list[int] = []
        self._since: int | None = None
        self._until = 0
        self._told = 0
        self._regular = False

    def lines(self, first: Ints, last: Ints, events: Ints) -> Span | None:
        """Take rows of lines: their times, and how many events each has.

        Returns the silence that they end.
        """
        ended = self.end()
        self._since, self._told = None, 0
        some = events > 0
        if some.any():
            parts = np.concatenate([first[some], last[some]]) // self._part
            recent = parts[parts > int(parts.max()) - PARTS]
            known = sorted({*self._parts, *np.unique(recent).tolist()})
            self._parts = [part for part in known if part > known[-1] - PARTS]
        return ended

    def tick(self, time: int) -> Span | None:
        """Let time pass; return the silence if there is news of it."""
        if self._since is None:
            self._since = time
            self._regular = len(self._parts) >= REGULAR
        self._until = time
        span = self._span()
        if span is None or (self._told and span.value < self._told + AGAIN):
            return None
        self._told = span.value
        return span

    def end(self) -> Span | None:
        """Return the silence as it is, if more of it can be told than was."""
        span = self._span()
        return None if span is None or span.value <= self._told else span

    @property
    def lasts(self) -> bool:
        """Whether the source is silent now, for so long that it is told."""
        return self._span() is not None

    def state(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "parts": self._parts,
            "since": self._since,
            "until": self._until,
            "told": self._told,
            "regular": self._regular,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned, under the same limit."""
        self._parts = list(state["parts"])
        self._since, self._until = state["since"], state["until"]
        self._told, self._regular = state["told"], state["regular"]

    def _span(self) -> Span | None:
        """Return the silence in whole minutes, None if it is nothing to tell."""
        if self._since is None or not self._regular:
            return None
        minutes = (self._until - self._since) // _MINUTE
        return Span(self._since, self._until, minutes) if minutes >= self._minutes else None
