"""How much more counts vary than chance: learned for each series and window.

Requests come in sessions, and errors by the client that causes them: a Poisson number of clumps
has a variance that is a multiple of the mean (Johnson, Kemp and Kotz, Univariate Discrete
Distributions, 3rd ed., 9.3). And rates themselves wander and have bursts: that is a relative
variance. So the variance of a count with mean m is m + a m + b m^2: a quiet hour of a series has
another relative variance than a busy one.

Both are learned by the method of moments: what squares of deviations have beyond chance is
regressed on m and m^2, by weighted least squares with forgetting, where weights are the inverse of
the variance of each square (quasi-likelihood; McCullagh and Nelder, Generalized Linear Models,
2nd ed., 9.2) and prior sums keep the two apart where m hardly changes. Each window has its own, as
clumps and bursts make neighbouring panes alike.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Field
from detectors.learned.spikes.scores import Scores
from detectors.learned.spikes.seasons import DAY
from detectors.learned.spikes.tails import Floats

#: Half-life (us) of what is learned of the variance.
HALF_LIFE: Final = 7 * DAY

#: What is assumed at first, and how many panes that is worth: of few counts, and of many.
CLUMP_PRIOR: Final = 0.0
SPREAD_PRIOR: Final = 0.05
CLUMP_WEIGHT: Final = 20.0
SPREAD_WEIGHT: Final = 50.0

#: Counts further than so many standard deviations teach the variance as if they were so far.
FAR: Final = 3.5


class Spreads(Arrays):
    """Sums of the regression: y x and x x of x = m (1) and m^2 (2), by window."""

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "y_1": Field(float, ("windows",), CLUMP_PRIOR * CLUMP_WEIGHT),
        "y_2": Field(float, ("windows",), SPREAD_PRIOR * SPREAD_WEIGHT),
        "x_11": Field(float, ("windows",), CLUMP_WEIGHT),
        "x_12": Field(float, ("windows",)),
        "x_22": Field(float, ("windows",), SPREAD_WEIGHT),
    }
    y_1: Floats
    y_2: Floats
    x_11: Floats
    x_12: Floats
    x_22: Floats

    def now(self) -> tuple[Floats, Floats]:
        """Return a and b over (rows, windows, kinds), neither of them negative."""
        both = self.x_11 * self.x_22 - self.x_12**2
        a = (self.y_1 * self.x_22 - self.y_2 * self.x_12) / both
        b = (self.y_2 * self.x_11 - self.y_1 * self.x_12) / both
        alone_a, alone_b = self.y_1 / self.x_11, self.y_2 / self.x_22
        clump = np.where(b < 0, alone_a, a)
        spread = np.where(a < 0, alone_b, b)
        return np.maximum(clump, 0.0), np.maximum(spread, 0.0)

    def learn(self, scores: Scores, known: Bools, keep: float) -> None:
        """Learn how far the counts of some series are from what was expected."""
        ours = known[:, None] & scores.valid
        mean = np.where(ours, scores.expected, 1.0)
        times = 1.0 + scores.spread * mean
        weight = ours / (times * times)
        squared = np.minimum((scores.counted - mean) ** 2, FAR * FAR * mean * times)
        excess = weight * (squared - mean - mean * mean * scores.uncertain) / mean
        kept = np.where(ours, keep, 1.0)
        self.y_1 = kept * self.y_1 + excess
        self.y_2 = kept * self.y_2 + excess * mean
        self.x_11 = kept * self.x_11 + weight
        self.x_12 = kept * self.x_12 + weight * mean
        self.x_22 = kept * self.x_22 + weight * mean * mean
