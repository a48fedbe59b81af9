"""Curves: few points, with the greatest among them, whatever order they come in."""

from functools import reduce
from itertools import pairwise
from operator import or_

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.curves import FINEST, POINT_LIMIT, Curve, Point

SECOND = 1_000_000


def point(second: int, value: int = 1, threshold: int = 1) -> Point:
    return Point(second * SECOND, value, threshold)


POINTS = st.lists(
    st.builds(point, st.integers(0, 2_000), st.integers(0, 50), st.integers(0, 3)), max_size=300
)


@settings(max_examples=60, deadline=None)
@given(points=POINTS, cuts=st.lists(st.integers(0, 300), max_size=20), backwards=st.booleans())
def test_how_points_come_together_does_not_matter(
    points: list[Point], cuts: list[int], backwards: bool
) -> None:
    """Failed when the step of a part was forgotten, and when equal values had no order."""
    edges = [0, *sorted(min(cut, len(points)) for cut in cuts), len(points)]
    parts = [Curve.of(points[a:b]) for a, b in pairwise(edges)]
    whole = Curve.of(points)
    assert reduce(or_, parts[::-1] if backwards else parts, Curve()) == whole


@settings(max_examples=60, deadline=None)
@given(points=POINTS)
def test_the_greatest_is_there_and_the_rest_is_spread(points: list[Point]) -> None:
    curve = Curve.of(points)
    assert len(curve.points) <= POINT_LIMIT
    assert max((p.value for p in curve.points), default=0) == max(
        (p.value for p in points), default=0
    )
    assert {p.at // curve.step for p in points} == {p.at // curve.step for p in curve.points}
    assert curve.step == FINEST or len({p.at // (curve.step // 2) for p in points}) > POINT_LIMIT


def test_points_that_follow_are_put_behind() -> None:
    earlier, later = Curve.of([point(1), point(2)]), Curve.of([point(3, 7)])
    assert (earlier | later).points == (point(1), point(2), point(3, 7))
    assert earlier | Curve() == Curve() | earlier == earlier
