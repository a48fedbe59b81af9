"""What an incident counted over time: the same however its findings came, gone with it."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import Engine

from alerts.lists.counted import CountedPoint, counted
from alerts.storage.store import Store
from detectors.curves import Curve, Point
from detectors.findings import Finding, Level

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def run(minute: int, *values: int, detector: str = "burst", expected: int | None = None) -> Finding:
    """A run of a detector with a value a minute, from a minute on."""
    points = tuple(
        Point(micros(START + (minute + at) * MINUTE), value, 10, expected)
        for at, value in enumerate(values)
    )
    return Finding(
        detector,
        "client",
        "203.0.113.7",
        START + minute * MINUTE,
        START + (minute + len(values)) * MINUTE,
        max(values),
        10,
        "answers 401",
        2 * MINUTE,
        Level.HIGH,
        curve=Curve(points),
    )


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_points_of_runs_come_together_whatever_their_order(engine: Engine) -> None:
    store = Store(engine)
    runs = [run(0, 11, 12), run(1, 13, 14), run(2, 14, 40)]
    for order in permutations(runs):
        for finding in order:
            store.record([finding], watermark=None)
    (series,) = counted(engine, 1) or ()
    assert (series.detector, series.unit, series.window_seconds) == ("burst", "answers 401", 120)
    assert [point.value for point in series.points] == [11, 13, 14, 40]
    assert series.points[0] == CountedPoint(START, 11, 10, None)


def test_each_detector_has_its_own_and_one_without_points_its_value(engine: Engine) -> None:
    plain = Finding(
        "recon", "client", "203.0.113.7", START, START + 9 * MINUTE, 50, 20, "paths",
        MINUTE, Level.LOW,
    )  # fmt: skip
    Store(engine).record([plain, run(1, 99, expected=7)], watermark=None)
    recon, burst = counted(engine, 1) or ()
    assert recon.points == (CountedPoint(START + 9 * MINUTE, 50, 20, None),)
    assert [point.expected for point in burst.points] == [7]
    assert counted(engine, 2) is None
