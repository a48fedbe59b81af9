"""What is known of a pane once it is scored, what must be exceeded, and what was."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from detectors.learned.spikes.arrays import Bools
from detectors.learned.spikes.tails import Floats

#: Sides of what is expected: more, and less.
UP, DOWN = 0, 1
SIDES: Final = 2

#: How many times too often p-values may come: those of 0.001 do up to twice, and rarer ones more so
#: (`bench.calibration`). Limits are as much lower.
DOUBT: Final = 3.0


def chance_of(alarms: float, tests: int) -> float:
    """Return the p-value below which so many tests a day give so many false alarms a day."""
    return alarms / (DOUBT * tests)


class Limits(NamedTuple):
    """What must be exceeded: arrays that broadcast to (rows, kinds), those of sides UP and DOWN.

    `chance` is the p-value, `least` by how many counts; `judged` are the kinds that are judged.
    """

    chance: Floats
    least: tuple[Floats, Floats]
    judged: tuple[Bools, Bools]


@dataclass(frozen=True, slots=True)
class Scores:
    """The windows of each series, over (rows, windows, kinds): what was counted and expected.

    `spread` is the relative variance of that beyond chance, `uncertain` the part of it that comes
    from what is not known yet, `deviation` the standard deviation of counts. Not `valid` are
    windows that reach over what was not seen, or of which nothing is expected.
    """

    counted: Floats
    expected: Floats
    spread: Floats
    uncertain: Floats
    deviation: Floats
    valid: Bools

    @classmethod
    def none(cls, windows: int, kinds: int) -> "Scores":
        """Return the scores of no rows."""
        shape = 0, windows, kinds
        none, invalid = np.zeros(shape), np.zeros(shape, np.bool_)
        return cls(none, none, none, none, none, invalid)


@dataclass(frozen=True, slots=True)
class Violation:
    """A window of one series that is out of the ordinary, and when it begins (us).

    `goes_on` says that it is less so than when its run began, `ends` that it has been so for so
    long that it is the new level.
    """

    row: int
    kind: int
    side: int
    panes: int
    counted: int
    expected: float
    limit: int
    chance: float
    began: int
    goes_on: bool = False
    ends: bool = False
