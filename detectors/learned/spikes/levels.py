"""By how much each series is above its week, by its last hours.

The level is Gamma: what was counted adds to its shape and what was expected to its rate, and both
are forgotten with a half-life (West and Harrison, Bayesian Forecasting and Dynamic Models, 2nd ed.,
10.8 and 14.3). Counts that come in clumps are worth as many as there are clumps.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Field
from detectors.learned.spikes.seasons import HOUR
from detectors.learned.spikes.tails import Floats

#: Half-life (us) of the level.
HALF_LIFE: Final = 4 * HOUR

#: Counts that the level's prior (its season is right) is worth.
PRIOR: Final = 10.0


class Levels(Arrays):
    """What was counted and what its season had expected, in the last hours."""

    FIELDS: ClassVar[Mapping[str, Field]] = {"counted": Field(float), "expected": Field(float)}
    counted: Floats
    expected: Floats

    def now(self, clump: Floats) -> tuple[Floats, Floats]:
        """Return the levels, and the relative variance of each."""
        shape = PRIOR + self.counted / clump
        return shape / (PRIOR + self.expected / clump), 1.0 / shape

    def learn(self, counted: Floats, expected: Floats, known: Bools, keep: float) -> None:
        """Learn a pane of the series that are known."""
        kept = np.where(known, keep, 1.0)
        self.counted = kept * self.counted + known * counted
        self.expected = kept * self.expected + known * expected

    def fade(self, part: float) -> None:
        """Keep a part, as time has passed in which nothing was learned."""
        self.counted *= part
        self.expected *= part

    def forget(self, series: Bools) -> None:
        """Begin anew with some series: their season is right."""
        self.counted[series] = self.expected[series] = 0.0
