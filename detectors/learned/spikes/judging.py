"""Which windows are beyond the limits: so unlikely, and by so much, that people want to know."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.learned.spikes.arrays import Bools, Cells
from detectors.learned.spikes.extremes import Extremes
from detectors.learned.spikes.scores import DOWN, UP, Limits, Scores, Violation
from detectors.learned.spikes.tails import Floats, lower, upper

#: Counts that are not so many times what is expected matter to nobody, however unlikely.
MORE: Final = 1.5
LESS: Final = 2 / 3

#: Halvings of the interval in which a limit is looked for; what is told is near enough.
_HALVINGS: Final = 24


@dataclass(frozen=True, slots=True)
class Judged:
    """The scores of a pane that begins at a time, and what they are held against."""

    scores: Scores
    extremes: Extremes
    limits: Limits
    windows: Sequence[int]
    time: int
    length: int

    def violations(self, mature: Bools) -> list[Violation]:
        """Return of each series and side the least likely window that is beyond the limits.

        Only series that are `mature`, by (rows, kinds), are judged.
        """
        if not mature.any():
            return []
        scores, limits = self.scores, self.limits
        able = mature[:, None] & scores.valid
        least = [np.atleast_2d(each)[:, None] for each in limits.least]
        judged = [np.atleast_2d(each)[:, None] for each in limits.judged]
        more = scores.counted - scores.expected
        far = {
            UP: (more >= least[UP]) & (scores.counted >= MORE * scores.expected),
            DOWN: (-more >= least[DOWN]) & (scores.counted <= LESS * scores.expected),
        }
        best: dict[tuple[int, int, int], Violation] = {}
        for side, beyond in far.items():
            found = able & beyond & judged[side]
            for at in np.flatnonzero(found.any(axis=(0, 2))).tolist():
                rows, kinds = np.nonzero(found[:, at])
                for each in self._unlikely(at, side, (rows, kinds)):
                    key = each.row, each.kind, each.side
                    if key not in best or each.chance < best[key].chance:
                        best[key] = each
        return list(best.values())

    def _unlikely(self, at: int, side: int, cells: Cells) -> Iterator[Violation]:
        """Yield the violations among some cells of a window's scores."""
        shape = self.scores.counted[:, at].shape
        chance = self.extremes.chances(self.scores, at, side, cells)
        limit = np.broadcast_to(self.limits.chance, shape)[cells]
        odd = chance < limit
        if not odd.any():
            return
        cells, chance, limit = (cells[0][odd], cells[1][odd]), chance[odd], limit[odd]
        usual = self._usual(at, side, cells, limit)
        least = np.broadcast_to(self.limits.least[side], shape)[cells]
        for i, (row, kind) in enumerate(zip(*(each.tolist() for each in cells), strict=True)):
            expected = float(self.scores.expected[row, at, kind])
            up = side == UP
            far = max(expected + least[i], MORE * expected)
            if not up:
                far = min(expected - least[i], LESS * expected)
            yield Violation(
                row=row,
                kind=kind,
                side=side,
                panes=self.windows[at],
                counted=round(float(self.scores.counted[row, at, kind])),
                expected=expected,
                limit=math.ceil(max(usual[i], far)) if up else int(min(usual[i], far)),
                chance=float(chance[i]),
                began=self.time - (self.windows[at] - 1) * self.length,
            )

    def _usual(self, at: int, side: int, cells: Cells, limit: Floats) -> Floats:
        """Return the first counts beyond what is as likely as a limit, by halving intervals."""
        rows, kinds = cells
        place = rows, at, kinds
        plain = self.extremes.plain(limit, at, side, cells)
        expected, spread = self.scores.expected[place], self.scores.spread[place]
        tail = lower if side == DOWN else upper
        near: Floats = expected
        far: Floats = self.scores.counted[place]
        for _ in range(_HALVINGS):
            middle = np.floor((near + far) / 2)
            odd = tail(middle, expected, spread) < plain
            far = np.where(odd, middle, far)
            near = np.where(odd, near, middle)
        return far
