"""Runs of what is out of the ordinary: from when on, how far, until when.

A run begins with a violation and is over when the longest window has been back where it mostly is
for as long as it is itself. What lasts for LASTING, mostly on one side, is the new level.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Field, Ints
from detectors.learned.spikes.scores import Scores
from detectors.learned.spikes.seasons import DAY, LEAST
from detectors.learned.spikes.tails import Floats

#: Deviation on one side that has lasted so long (us) is the new level.
LASTING: Final = DAY

#: Such a run is a new level if so much of its panes lie beyond half of its deviation; one that
#: lasts twice as long is, however it varies.
MOSTLY: Final = 0.8

#: A run is over when its longest window is within so many standard deviations (the half of all
#: that lies in the middle) or off by no more than this factor.
INSIDE: Final = 0.67
SLIGHT: Final = 1.15

#: Which side is UP, along the second axis.
_IS_UP: Final = np.array([True, False])[None, :, None]


class Runs(Arrays):
    """Of each open run: when it began and was last told (us), its counts, panes, and those beyond.

    `inside` counts how long the longest window has been back inside the bounds.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "began": Field(int, ("sides",)),
        "last": Field(int, ("sides",)),
        "counted": Field(float, ("sides",)),
        "expected": Field(float, ("sides",)),
        "panes": Field(int, ("sides",)),
        "beyond": Field(int, ("sides",)),
        "inside": Field(int, ("sides",)),
    }
    began: Ints
    last: Ints
    counted: Floats
    expected: Floats
    panes: Ints
    beyond: Ints
    inside: Ints

    @property
    def open(self) -> Bools:
        """Which runs are open, over (rows, sides, kinds)."""
        found: Bools = self.began > 0
        return found

    def account(self, counted: Floats, expected: Floats) -> None:
        """Add a pane to the runs that are open, and whether it lies on their side."""
        running, counted, expected = self.open, counted[:, None], expected[:, None]
        self.counted += running * counted
        self.expected += running * expected
        half = expected * (1.0 + self.counted / np.maximum(self.expected, LEAST)) / 2
        beyond = np.where(_IS_UP, counted > half, counted < half)
        self.panes += running & (expected > 0)
        self.beyond += running & (expected > 0) & beyond

    def lasting(self, end: int) -> Bools:
        """Return which runs are the new level, when the last pane ends at a time (us)."""
        long = self.open & (end - self.began >= LASTING)
        return long & ((self.beyond >= MOSTLY * self.panes) | (end - self.began > 2 * LASTING))

    def close(self, over: Bools) -> None:
        """End some runs."""
        for _, array in self.each():
            array[over] = 0


def bounds(scores: Scores) -> Floats:
    """Return up to where (UP) or down to where (DOWN) the longest window ends a run."""
    expected, deviation = scores.expected[:, -1], scores.deviation[:, -1]
    high = np.maximum(expected + INSIDE * deviation, SLIGHT * expected)
    low = np.minimum(expected - INSIDE * deviation, expected / SLIGHT)
    return np.stack([high, low], axis=1)


def inside(scores: Scores) -> Bools:
    """Return where the longest window is inside the bounds, by side."""
    counted, within = scores.counted[:, -1:], bounds(scores)
    found: Bools = scores.valid[:, -1:] & np.where(_IS_UP, counted <= within, counted >= within)
    return found
