"""What was counted over time, against what: few points, whatever order they come in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

#: Points of one finding.
POINT_LIMIT: Final = 120

#: The finest distance between points (us): that of the shortest panes.
FINEST: Final = 1_000_000


class Point(NamedTuple):
    """A value, and the limit beside it, at the end of a slot of time (us since 1970).

    `expected` is what a learned detector expected, None for others.
    """

    at: int
    value: int
    threshold: int
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in order of time, one in a stretch of `step` us: the greatest value of each.

    Curves add up: with POINT_LIMIT stretches full, stretches are doubled. That depends on the set
    of points alone, so the greatest value is always there, and the order does not matter.
    """

    points: tuple[Point, ...] = ()
    step: int = FINEST

    @classmethod
    def of(cls, points: Iterable[Point], step: int = FINEST) -> "Curve":
        """Return points as a curve."""
        kept = tuple(points)
        while True:
            greatest: dict[int, Point] = {}
            for point in kept:
                other = greatest.get(point.at // step)
                if other is None or _rank(point) > _rank(other):
                    greatest[point.at // step] = point
            if len(greatest) <= POINT_LIMIT:
                return cls(tuple(greatest[place] for place in sorted(greatest)), step)
            kept = tuple(greatest.values())
            step *= 2

    def __or__(self, other: "Curve") -> "Curve":
        """Return both as one."""
        if not self.points or not other.points:
            return self if self.points else other
        step = max(self.step, other.step)
        mine, theirs = self.points, other.points
        apart = mine[-1].at // step < theirs[0].at // step
        if self.step == other.step and apart and len(mine) + len(theirs) <= POINT_LIMIT:
            return Curve(mine + theirs, step)
        if mine == theirs and self.step == other.step:
            return self
        return Curve.of((*mine, *theirs), step)


#: What detectors say that say nothing of what they counted when.
NO_CURVE: Final = Curve()


def _rank(point: Point) -> tuple[int, int, int, int]:
    """Order points of one stretch: of the same value the one with the lowest limit, the first."""
    expected = -1 if point.expected is None else point.expected
    return point.value, -point.threshold, -point.at, expected
