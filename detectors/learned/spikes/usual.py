"""What the last closed pane leads one to expect of a series, and between which counts it may be."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from detectors.learned.spikes.kinds import WATCHED
from detectors.learned.spikes.table import Table
from detectors.learned.spikes.tails import Floats, lower, upper

#: Benign counts are beyond the interval about as often on each side.
CHANCE: Final = 0.001

_MINUTE_US: Final = 60_000_000


def expected(table: Table, kind: str, entity: str) -> Iterator[tuple[str, str]]:
    """Yield detectors with what they expect of an entity of a table, in words.

    Nothing for an entity that is not watched, and after a restart until a pane is closed.
    """
    row, base = table.row_of.get((kind, entity)), table.baselines
    score = base.scores
    if row is None or row >= len(score.valid):
        return
    mature = base.mature(table.next or 0)
    minutes = table.length // _MINUTE_US
    span = "a minute" if minutes == 1 else f"{minutes} minutes"
    for each in WATCHED:
        if not score.valid[row, 0, each.kind]:
            continue
        place = row, 0, each.kind
        mean, spread = float(score.expected[place]), float(score.spread[place])
        low, high = interval(mean, spread)
        state = "" if mature[row, each.kind] else "; still learning"
        counted = f"{score.counted[place]:,.0f} {each.detector.unit} in {span}"
        usual = f"{mean:,.3g} expected, {low:,} to {high:,} usual{state}"
        yield each.detector.name, f"{counted}, {usual}"


def interval(mean: float, spread: float) -> tuple[int, int]:
    """Return the counts that all but CHANCE on either side are between.

    Of a negative binomial distribution with that mean and relative variance (`tails`).
    """
    return _edge(lower, mean, spread, 0, int(mean)), _beyond(mean, spread)


def _beyond(mean: float, spread: float) -> int:
    most = int(mean) + 1
    while _tail(upper, most, mean, spread) >= CHANCE:
        most *= 2
    least = int(mean)
    while most - least > 1:
        middle = (least + most) // 2
        if _tail(upper, middle, mean, spread) < CHANCE:
            most = middle
        else:
            least = middle
    return least


def _edge(
    tail: Callable[[Floats, Floats, Floats], Floats],
    mean: float,
    spread: float,
    low: int,
    high: int,
) -> int:
    """Return the least count of a range whose tail is not beyond CHANCE."""
    while low < high:
        middle = (low + high) // 2
        if _tail(tail, middle, mean, spread) < CHANCE:
            low = middle + 1
        else:
            high = middle
    return low


def _tail(
    tail: Callable[[Floats, Floats, Floats], Floats], count: int, mean: float, spread: float
) -> float:
    return float(tail(*(np.array([float(each)]) for each in (count, mean, spread)))[0])
