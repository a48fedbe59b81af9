"""Counts of values by size, as Prometheus wants them."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values were at most each bound, cumulative, the last without a bound; their sum."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = (0,)
    sum: float = 0.0

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Return (bound, count) as the exposition format has them."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, self.counts), strict=True))


class Histogram:
    """Takes values from one thread while others read."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the upper ends of buckets, in rising order."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def read(self) -> Distribution:
        """Return what was counted so far."""
        with self._lock:
            return Distribution(self._bounds, tuple(accumulate(self._counts)), self._sum)
