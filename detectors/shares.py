"""Bad lines of one source within a window, judged on slots of its time that are complete."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np

from detectors.panes import Panes
from detectors.registry import SHARE_PERCENT
from detectors.silence import Span
from ingest.lines import Flags, Ints

#: Columns of a row: the slot's start, first and last time in it, then counts of lines.
SLOT, FIRST, LAST, EVENTS, LATE, FUTURE, UNREAD = range(7)

_COUNTS: Final = slice(EVENTS, UNREAD + 1)


@dataclass
class Slots:
    """The last slots of a source, those of one window and the one that is open.

    All slots before `judged` have been judged.
    """

    panes: Panes
    rows: Ints
    judged: int = 0

    @classmethod
    def of(cls, panes: Panes, rows: Sequence[Sequence[int]] = (), judged: int = 0) -> Self:
        """Return slots with the given rows (SLOT to UNREAD, one a slot, in their order)."""
        return cls(panes, np.array(rows, np.int64).reshape(-1, UNREAD + 1), judged)

    def add(self, rows: Ints) -> None:
        """Add rows FIRST to UNREAD, each within one slot."""
        slots = rows[:, :1] // self.panes.length * self.panes.length
        both = np.concatenate([self.rows, np.concatenate([slots, rows], axis=1)])
        both = both[np.argsort(both[:, SLOT], kind="stable")]
        starts = np.flatnonzero(np.diff(both[:, SLOT], prepend=both[0, SLOT] - 1))
        merged = both[starts]
        merged[:, FIRST] = np.minimum.reduceat(both[:, FIRST], starts)
        merged[:, LAST] = np.maximum.reduceat(both[:, LAST], starts)
        merged[:, _COUNTS] = np.add.reduceat(both[:, _COUNTS], starts, axis=0)
        self.rows = merged

    def close(self, until: int) -> Flags:
        """Return which slots are complete and not judged yet: those that begin before `until`."""
        slots = self.rows[:, SLOT]
        return (slots >= self.judged) & (slots < until)

    def forget(self, until: int) -> None:
        """Note that all slots before `until` were judged, and let go of what no window needs."""
        self.judged = max(self.judged, until)
        oldest = self.judged - self.panes.span
        self.rows = self.rows[self.rows[:, SLOT] > oldest]


def violations(
    slots: Slots, due: Flags, columns: Sequence[int], threshold: int, excepted: int | None
) -> list[Span]:
    """Return the runs of slots that violate, among those that are `due`.

    A slot with bad lines (the sum of `columns`) violates if its window has at least `threshold`
    of them, and these are at least SHARE_PERCENT of its lines. Slots that end before `excepted`
    do not.
    """
    rows = slots.rows
    bad = rows[:, list(columns)].sum(axis=1)
    judged = np.flatnonzero(due & (bad > 0))
    if excepted is not None:
        judged = judged[rows[judged, LAST] >= excepted]
    if not len(judged):
        return []
    lines = rows[:, [EVENTS, FUTURE, UNREAD]].sum(axis=1)
    begin = np.searchsorted(rows[:, SLOT], rows[judged, SLOT] - slots.panes.span, side="right")
    values = _sums(bad, begin, judged)
    enough = values >= threshold
    enough &= values * 100 >= SHARE_PERCENT * _sums(lines, begin, judged)
    if not enough.any():
        return []
    wrong = np.flatnonzero(bad > 0)
    firsts = rows[wrong[np.searchsorted(wrong, begin[enough])], FIRST]
    spans = zip(firsts, rows[judged[enough], LAST], values[enough], strict=True)
    return _runs([Span(*map(int, span)) for span in spans], slots.panes.span - slots.panes.length)


def _sums(column: Ints, begin: Ints, end: Ints) -> Ints:
    """Return the sums of a column from `begin` to `end`, both included."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(column)])
    found: Ints = before[end + 1] - before[begin]
    return found


def _runs(spans: Sequence[Span], gap: int) -> list[Span]:
    """Join spans, in order of their times, that lie no further apart than a gap."""
    runs = [spans[0]]
    for _, span in pairwise(spans):
        if span.first <= runs[-1].last + gap:
            runs[-1] = Span(
                min(runs[-1].first, span.first),
                max(runs[-1].last, span.last),
                max(runs[-1].value, span.value),
            )
        else:
            runs.append(span)
    return runs
