"""P-values that are held against those that came before.

Bursts have heavier tails than any Gamma mixture that fits the rest. With E = -ln p, which is
exponential where the model is right, what exceeds E_u = -ln TAIL is taken as exponential with the
mean excess that was seen (peaks over threshold; Coles, An Introduction to Statistical Modeling of
Extreme Values, 4.3, with shape 0), and as often exceeded as it was. Bursts are rarer than what
exceeds E_u by a little, and larger: from FAR on the mean excess is another one, never smaller. So a
limit as small as many series together need is not drawn from what is ten times as frequent. A
series is shrunk towards all of its kind.

What is out of the ordinary teaches once: its first pane, as one of many that are alike is enough
(Coles, 5.3, declustering). So what happens every night is learned, and an attack changes little.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple, Self

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Cells, Field
from detectors.learned.spikes.scores import DOWN, UP, Scores
from detectors.learned.spikes.tails import Floats, lower, upper

#: P-values below this are held against those that came before; an excess (of -ln p) counts up to
#: the most. Beyond FAR, which one in twelve exceeds where the model is right, excesses have a mean
#: of their own.
TAIL: Final = 0.0005
FAR: Final = 2.5
MOST_EXCESS: Final = 15.0

#: How many exceeding panes a prior is worth: that of all series of a kind, that they exceed as the
#: model says and by little more, also far out; and that of one of them, that it is as all are.
TAIL_WEIGHT: Final = 30.0
TAIL_EXCESS: Final = 1.2
FAR_WEIGHT: Final = 10.0
OWN_WEIGHT: Final = 10.0

#: Tails that are thinner than the model's, as those of fewer requests mostly are, are believed down
#: to a quarter of how often, and half of how far.
LEAST_OFTEN: Final = 0.25
LEAST_EXCESS: Final = 0.5

#: Counts no further from their mean than so many standard deviations are in no tail, by side:
#: distributions of counts are skewed.
NEAR: Final = (3.0, 1.2)


class Tails(NamedTuple):
    """How often each series exceeds TAIL, and by how much in the mean: up to FAR, and beyond it."""

    often: Floats
    near: Floats
    far: Floats

    def of(self, cells: Cells) -> Self:
        """Return those of some cells."""
        return type(self)(*(each[cells] for each in self))

    def chances(self, excess: Floats) -> Floats:
        """Return how likely so much excess (of -ln p) or more is."""
        steps = np.minimum(excess, FAR) / self.near + np.maximum(excess - FAR, 0.0) / self.far
        found: Floats = self.often * np.exp(-steps)
        return found

    def excess(self, chances: Floats) -> Floats:
        """Return what excess is as likely: the inverse of `chances`."""
        steps = np.log(self.often / chances)
        most = FAR / self.near
        return np.where(steps < most, steps * self.near, FAR + (steps - most) * self.far)


class Extremes(Arrays):
    """How many panes there were, how many in the tail, and how far: by window and side.

    `far` are those beyond FAR, `far_excess` by how much; `runs` those that began a run, which only
    their own series learns from.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "panes": Field(float, ("windows", "sides")),
        "beyond": Field(float, ("windows", "sides")),
        "excess": Field(float, ("windows", "sides")),
        "far": Field(float, ("windows", "sides")),
        "far_excess": Field(float, ("windows", "sides")),
        "runs": Field(float, ("windows", "sides")),
        "runs_excess": Field(float, ("windows", "sides")),
        "runs_far": Field(float, ("windows", "sides")),
        "runs_far_excess": Field(float, ("windows", "sides")),
    }
    panes: Floats
    beyond: Floats
    excess: Floats
    far: Floats
    far_excess: Floats
    runs: Floats
    runs_excess: Floats
    runs_far: Floats
    runs_far_excess: Floats

    def chances(self, scores: Scores, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values of some cells of a window, held against those that came before."""
        plain = plain_chances(scores, at, side, cells)
        excess = np.maximum(np.log(TAIL) - np.log(np.maximum(plain, 1e-300)), 0.0)
        held = self.tails(at, side).of(cells).chances(excess)
        return np.where(plain < TAIL, held, plain)

    def plain(self, limit: Floats, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values by the model alone that are held as these limits."""
        found: Floats = TAIL * np.exp(-self.tails(at, side).of(cells).excess(limit))
        return found

    def tails(self, at: int, side: int) -> Tails:
        """Return the tails of each series. Mean excesses are those of exponentials cut at FAR."""
        panes, beyond, excess, far, far_excess, *of_runs = (
            array[:, at, side] for _, array in self.each()
        )
        runs, runs_excess, runs_far, runs_far_excess = of_runs
        near, near_excess = beyond - far, excess - far_excess
        every = TAIL_WEIGHT / TAIL
        often_all = (beyond.sum(axis=0) + TAIL_WEIGHT) / (panes.sum(axis=0) + every)
        often = (beyond + runs + often_all * every) / (panes + every)
        near_all, far_all = _means(
            near_excess.sum(axis=0) + TAIL_EXCESS * TAIL_WEIGHT,
            near.sum(axis=0) + TAIL_WEIGHT,
            far_excess.sum(axis=0) + TAIL_EXCESS * FAR_WEIGHT,
            far.sum(axis=0) + FAR_WEIGHT,
        )
        mean, mean_far = _means(
            near_excess + runs_excess - runs_far_excess + near_all * OWN_WEIGHT,
            near + runs - runs_far + OWN_WEIGHT,
            far_excess + runs_far_excess + far_all * OWN_WEIGHT,
            far + runs_far + OWN_WEIGHT,
        )
        mean = np.maximum(mean, LEAST_EXCESS)
        return Tails(np.maximum(often, LEAST_OFTEN * TAIL), mean, np.maximum(mean_far, mean))

    def learn(self, excess: Floats, keep: float) -> None:
        """Learn from panes how far they are in the tail, (rows, windows, sides, kinds).

        -1 where nothing is known.
        """
        ours = excess >= 0
        kept = np.where(ours, keep, 1.0)
        for _, array in self.each():
            np.multiply(array, kept, out=array)
        self.panes += ours
        self.beyond += excess > 0
        self.excess += np.maximum(excess, 0.0)
        self.far += excess > FAR
        self.far_excess += np.maximum(excess - FAR, 0.0)

    def learn_run(self, row: int, side: int, kind: int, excess: Floats) -> None:
        """Learn how far the pane that begins a run is in the tails of its windows.

        For its own series only: what falls upon many at once is no tail of all of them.
        """
        place = row, slice(None), side, kind
        self.runs[place] += excess > 0
        self.runs_excess[place] += np.maximum(excess, 0.0)
        self.runs_far[place] += excess > FAR
        self.runs_far_excess[place] += np.maximum(excess - FAR, 0.0)


def _means(
    near_excess: Floats, near: Floats, far_excess: Floats, far: Floats
) -> tuple[Floats, Floats]:
    """Return the mean excesses up to FAR and beyond it: one of all where far ones were smaller."""
    low, high = near_excess / near, far_excess / far
    every = (near_excess + far_excess) / (near + far)
    return np.where(high < low, every, low), np.where(high < low, every, high)


def plain_chances(scores: Scores, at: int, side: int, cells: Cells) -> Floats:
    """Return the p-values of some cells (rows, kinds) of a window by the model alone."""
    rows, kinds = cells
    tail = lower if side == DOWN else upper
    place = rows, at, kinds
    return tail(scores.counted[place], scores.expected[place], scores.spread[place])


def excesses(scores: Scores, known: Bools) -> Floats:
    """Return how far p-values are below TAIL (in -ln p), of known series; -1 of others."""
    away = (scores.counted - scores.expected) / np.maximum(scores.deviation, 1e-9)
    ours = known[:, None] & scores.valid
    found = np.where(ours, 0.0, -1.0)[:, :, None].repeat(2, axis=2)
    for side, near in ((UP, away > NEAR[UP]), (DOWN, away < -NEAR[DOWN])):
        cells = np.nonzero(ours & near)
        if len(cells[0]):
            tail = lower if side == DOWN else upper
            plain = tail(scores.counted[cells], scores.expected[cells], scores.spread[cells])
            excess = np.log(TAIL) - np.log(np.maximum(plain, 1e-300))
            rows, windows, kinds = cells
            found[rows, windows, side, kinds] = np.clip(excess, 0.0, MOST_EXCESS)
    return found
