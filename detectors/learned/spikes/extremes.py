"""P-values that are held against those that came before.

Bursts have heavier tails than any Gamma mixture that fits the rest. With E = -ln p, which is
exponential where the model is right, what exceeds E_u = -ln TAIL is taken as exponential with the
mean excess that was seen (peaks over threshold; Coles, An Introduction to Statistical Modeling of
Extreme Values, 4.3, with shape 0), and as often exceeded as it was. A series is shrunk towards all
of its kind.

What is out of the ordinary teaches once: its first pane, as one of many that are alike is enough
(Coles, 5.3, declustering). So what happens every night is learned, and an attack changes little.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Cells, Field
from detectors.learned.spikes.scores import DOWN, UP, Scores
from detectors.learned.spikes.tails import Floats, lower, upper

#: P-values below this are held against those that came before; an excess (of -ln p) counts up to
#: the most.
TAIL: Final = 0.0005
MOST_EXCESS: Final = 8.0

#: How many exceeding panes a prior is worth: that of all series of a kind, that they exceed as the
#: model says and by little more; and that of one of them, that it is as all are.
TAIL_WEIGHT: Final = 30.0
TAIL_EXCESS: Final = 1.2
OWN_WEIGHT: Final = 10.0

#: Tails that are thinner than the model's, as those of fewer requests mostly are, are believed down
#: to a quarter of how often, and half of how far.
LEAST_OFTEN: Final = 0.25
LEAST_EXCESS: Final = 0.5

#: Counts no further from their mean than so many standard deviations are in no tail, by side:
#: distributions of counts are skewed.
NEAR: Final = (3.0, 1.2)


class Extremes(Arrays):
    """How many panes there were, how many in the tail, and how far: by window and side.

    `runs` are those that began a run, which only their own series learns from.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "panes": Field(float, ("windows", "sides")),
        "beyond": Field(float, ("windows", "sides")),
        "excess": Field(float, ("windows", "sides")),
        "runs": Field(float, ("windows", "sides")),
        "runs_excess": Field(float, ("windows", "sides")),
    }
    panes: Floats
    beyond: Floats
    excess: Floats
    runs: Floats
    runs_excess: Floats

    def chances(self, scores: Scores, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values of some cells of a window, held against those that came before."""
        plain = plain_chances(scores, at, side, cells)
        often, mean = (each[cells] for each in self.tails(at, side))
        excess = np.maximum(np.log(TAIL) - np.log(np.maximum(plain, 1e-300)), 0.0)
        held = often * np.exp(-excess / mean)
        return np.where(plain < TAIL, held, plain)

    def plain(self, limit: Floats, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values by the model alone that are held as these limits."""
        often, mean = (each[cells] for each in self.tails(at, side))
        found: Floats = TAIL * (limit / often) ** mean
        return found

    def tails(self, at: int, side: int) -> tuple[Floats, Floats]:
        """Return how often each series exceeds the threshold, and by how much in the mean."""
        panes, beyond = self.panes[:, at, side], self.beyond[:, at, side]
        excess = self.excess[:, at, side]
        every = TAIL_WEIGHT / TAIL
        often_all = (beyond.sum(axis=0) + TAIL_WEIGHT) / (panes.sum(axis=0) + every)
        mean_all = (excess.sum(axis=0) + TAIL_EXCESS * TAIL_WEIGHT) / (
            beyond.sum(axis=0) + TAIL_WEIGHT
        )
        runs = self.runs[:, at, side]
        often = (beyond + runs + often_all * every) / (panes + every)
        mean = (excess + self.runs_excess[:, at, side] + mean_all * OWN_WEIGHT) / (
            beyond + runs + OWN_WEIGHT
        )
        return np.maximum(often, LEAST_OFTEN * TAIL), np.maximum(mean, LEAST_EXCESS)

    def learn(self, excess: Floats, keep: float) -> None:
        """Learn from panes how far they are in the tail, (rows, windows, sides, kinds).

        -1 where nothing is known.
        """
        ours = excess >= 0
        kept = np.where(ours, keep, 1.0)
        self.runs *= kept
        self.runs_excess *= kept
        self.panes = kept * self.panes + ours
        self.beyond = kept * self.beyond + (excess > 0)
        self.excess = kept * self.excess + np.maximum(excess, 0.0)

    def learn_run(self, row: int, side: int, kind: int, excess: Floats) -> None:
        """Learn how far the pane that begins a run is in the tails of its windows.

        For its own series only: what falls upon many at once is no tail of all of them.
        """
        self.runs[row, :, side, kind] += excess > 0
        self.runs_excess[row, :, side, kind] += np.maximum(excess, 0.0)

    def weaken(self, series: Bools, part: float) -> None:
        """Leave a part of the weight of what some series have learned."""
        rows, kinds = np.nonzero(series)
        for _, array in self.each():
            array[rows, :, :, kinds] *= part


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
