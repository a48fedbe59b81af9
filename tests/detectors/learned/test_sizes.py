"""Sizes of answers and numbers of objects, against what a route's own were for days."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.findings import Finding, merge_runs
from detectors.learned.sizes import Sizes, SizesSettings
from detectors.learned.sizes.sums import bucket_of, most_of
from detectors.overrides import RuleOverride
from tests.detectors.streams import START, event, frame, micros

DAY = 86_400
QUICK = SizesSettings(learning_days=2, learning_answers=100, learning_callers=20)
ORDERS = "shop GET /orders"
ORDER = "shop GET /orders/{id}"

Event = dict[str, Any]


def listed(at: float, client: int, size: int, **fields: Any) -> Event:
    """One answer with a list of orders."""
    return event(
        at,
        client_ip=f"198.51.100.{client}",
        route=ORDERS,
        path="/orders",
        response_bytes=size,
        position=int(at) * 4,
        **fields,
    )


def got(at: float, client: int, order: int, **fields: Any) -> Event:
    """One order that a known caller got."""
    told: Event = {"user": f"user-{client}", "response_bytes": 900} | fields
    return event(
        at,
        client_ip=f"198.51.100.{client}",
        route=ORDER,
        path=f"/orders/{order}",
        position=int(at) * 4 + 1,
        **told,
    )


def usual(days: int) -> Iterator[Event]:
    """Days of a shop: every ten minutes ten clients list orders, and get two of their own."""
    for slot in range(days * 36):
        for client in range(10):
            at = slot * 2400 + client * 7
            yield listed(at, client, 20_000 + 700 * ((slot + client) % 9))
            yield got(at + 1, client, client * 10)
            yield got(at + 2, client, client * 10 + slot % 2)


def judged(family: Sizes, events: Iterable[Event]) -> list[Finding]:
    found: list[Finding] = []
    rows = sorted(events, key=lambda each: each["effective_time"])
    for begin in range(0, len(rows), 400):
        batch = rows[begin : begin + 400]
        watermark = micros(batch[-1]["effective_time"]) - 5_000_000
        found += family.judge(family.aggregate(frame(batch)), watermark)
    return merge_runs([], [*found, *family.finish()])


def leak(client: int, size: int = 900_000, count: int = 8, day: int = 3) -> list[Event]:
    return [listed(day * DAY + 100 + n, client, size) for n in range(count)]


def walk(client: int, count: int = 30, day: int = 3, **fields: Any) -> list[Event]:
    return [got(day * DAY + 100 + n, client, 500 + n, **fields) for n in range(count)]


def test_answers_far_above_the_routes_own_size() -> None:
    (found,) = judged(Sizes(settings=QUICK), [*usual(3), *leak(77)])
    assert (found.detector, found.entity) == ("response_size_outlier", "198.51.100.77")
    assert (found.value, found.threshold) == (8, 5)
    assert found.first == START + timedelta(days=3, seconds=100)
    assert found.note.startswith(f"{ORDERS}: up to ")


@pytest.mark.parametrize(
    "rows",
    [
        leak(77, size=80_000),  # three times the usual
        leak(77, count=4),
        leak(77, day=1),  # not known for long
        [e | {"status": 404} for e in leak(77)],
        [e | {"edge": False} for e in leak(77)],
        [e for client in range(70, 76) for e in leak(client)],  # the route has changed
        [e | {"route": "shop GET /exports"} for e in leak(77)],  # a route of its own
    ],
)
def test_other_answers_are_ordinary(rows: list[Event]) -> None:
    assert judged(Sizes(settings=QUICK), [*usual(3), *rows]) == []


def test_a_route_whose_answers_are_large_is_not_odd() -> None:
    exports = [
        e | {"route": "GET /exports", "response_bytes": 40_000_000, "position": n * 4}
        for n, e in enumerate(usual(3))
        if e["route"] == ORDERS
    ]
    mine = [e | {"route": "GET /exports", "response_bytes": 50_000_000} for e in leak(77)]
    assert judged(Sizes(settings=QUICK), [*exports, *mine]) == []


def test_far_more_objects_than_callers_usually_get() -> None:
    (found,) = judged(Sizes(settings=QUICK), [*usual(3), *walk(77)])
    assert (found.detector, found.entity) == ("object_count_outlier", "198.51.100.77")
    assert (found.value, found.threshold) == (30, 15)


@pytest.mark.parametrize(
    "rows",
    [
        walk(77, count=14),
        walk(77, day=1),
        walk(77, user=None),
        [e | {"path": "/orders/1"} for e in walk(77)],
        [e | {"status": 403} for e in walk(77)],
        [e for client in range(70, 76) for e in walk(client)],
    ],
)
def test_other_callers_are_ordinary(rows: list[Event]) -> None:
    assert judged(Sizes(settings=QUICK), [*usual(3), *rows]) == []


def test_a_route_that_is_listed_by_everybody_has_a_higher_limit() -> None:
    admins = [
        got(slot * 2400 + n, client, n, response_bytes=None)
        for slot in range(108)
        for client in (1, 2)
        for n in range(25)
    ]
    assert judged(Sizes(settings=QUICK), [*admins, *walk(77, count=60)]) == []


def test_what_was_found_does_not_teach() -> None:
    family = Sizes(settings=QUICK)
    again = [*leak(77), *leak(77, day=4), *leak(77, day=5), *walk(78), *walk(78, day=5)]
    found = judged(family, [*usual(6), *again])
    assert sorted(each.entity[-2:] for each in found) == ["77", "77", "77", "78", "78"]


def test_settings_of_detectors() -> None:
    rows = [*usual(3), *leak(77), *walk(77)]
    exception = {"client": "198.51.100.77", "why": "our export"}
    for changed, count in (
        ({"enabled": False}, 1),
        ({"threshold": 9}, 1),
        ({"exceptions": [exception]}, 1),
        ({"level": "high"}, 2),
    ):
        override = RuleOverride.model_validate(changed)
        family = Sizes({"response_size_outlier": override}, QUICK)
        assert len(judged(family, rows)) == count, changed


def test_status_and_caps() -> None:
    family = Sizes(settings=QUICK, route_cap=1)
    judged(family, usual(4))
    (known,) = family.status()
    assert (known.detector, known.entity) == ("object_count_outlier", ORDER)
    assert (known.days, known.of_days) == (2, 2)


def test_a_state_goes_on_and_another_version_begins_anew() -> None:
    rows = [*usual(3), *leak(77), *walk(77)]
    before = Sizes(settings=QUICK)
    half = len(rows) // 2
    found = before.judge(before.aggregate(frame(rows[:half])), None)
    parts = before.snapshot()
    assert all(before.snapshot()[name] is part for name, part in parts.items())
    after = Sizes(settings=QUICK)
    assert after.restore(parts) == []
    both = merge_runs([], [*found, *judged(after, rows[half:])])
    assert both == judged(Sizes(settings=QUICK), rows)
    assert after.restore({}) == list(after.detectors)


@given(st.lists(st.integers(1, 2**53), min_size=2))
def test_buckets_keep_the_order_and_hold_their_numbers(values: list[int]) -> None:
    numbers = np.array(sorted(values))
    buckets = bucket_of(numbers)
    assert (np.diff(buckets) >= 0).all()
    assert all(number <= most_of(int(at)) + 1 for number, at in zip(numbers, buckets, strict=True))
    assert pl.Series(buckets).max() is not None
