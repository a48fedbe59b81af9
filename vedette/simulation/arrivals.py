"""When sessions begin: by the hour of the week, busiest on weekdays at ten and at seven."""

from typing import Final

import numpy as np

from vedette.simulation.draws import FloatArray, IntArray

#: Relative traffic at the full hours of a weekday and of a day at the weekend, UTC.
WEEKDAY: Final = (
    0.42, 0.30, 0.23, 0.20, 0.21, 0.30, 0.52, 0.86, 1.22, 1.46, 1.54, 1.50,
    1.38, 1.42, 1.44, 1.40, 1.34, 1.32, 1.40, 1.52, 1.50, 1.28, 0.94, 0.64,
)  # fmt: skip
WEEKEND: Final = (
    0.56, 0.42, 0.31, 0.25, 0.22, 0.24, 0.33, 0.50, 0.78, 1.04, 1.22, 1.28,
    1.22, 1.18, 1.16, 1.16, 1.18, 1.22, 1.34, 1.44, 1.40, 1.20, 0.92, 0.70,
)  # fmt: skip

_HOURS_A_WEEK: Final = 168
_MONDAY: Final = 4 * 86_400  # 1970-01-05, in seconds since 1970


def intensity(seconds: FloatArray) -> FloatArray:
    """Return the relative traffic at times in seconds since 1970, linear between full hours."""
    week = np.array(WEEKDAY * 5 + WEEKEND * 2)
    hour = ((seconds - _MONDAY) / 3600.0) % _HOURS_A_WEEK
    below = hour.astype(np.int64) % _HOURS_A_WEEK
    part = hour - np.floor(hour)
    mixed: FloatArray = week[below] * (1 - part) + week[(below + 1) % _HOURS_A_WEEK] * part
    return mixed


def draw_arrivals(rng: np.random.Generator, first: int, last: int, count: int) -> IntArray:
    """Return `count` sorted times in [first, last), in microseconds, by the hour of the week."""
    steps = max(2, min(100_000, (last - first) // 60_000_000 + 1))
    edges = np.linspace(first, last, steps + 1)
    middles = (edges[:-1] + edges[1:]) / 2e6
    mass = np.concatenate([[0.0], np.cumsum(intensity(middles))])
    drawn = np.interp(np.sort(rng.random(count)) * mass[-1], mass, edges)
    times: IntArray = np.minimum(drawn.astype(np.int64), last - 1)
    return times


def load_between(first: int, last: int) -> float:
    """Return the mean relative traffic between two times in microseconds."""
    edges = np.linspace(first / 1e6, last / 1e6, 1_001)
    return float(intensity((edges[:-1] + edges[1:]) / 2).mean())
