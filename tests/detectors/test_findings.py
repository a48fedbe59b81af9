"""Findings: which runs are one finding, and what it says then."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from detectors.findings import EVIDENCE_LIMIT, Evidence, Finding, Level, merge_runs

from .streams import START

WINDOW = timedelta(seconds=60)


def finding(first: float, last: float, **fields: Any) -> Finding:
    ordinary: dict[str, Any] = {
        "detector": "d",
        "entity_type": "client",
        "entity": "203.0.113.7",
        "first": START + timedelta(seconds=first),
        "last": START + timedelta(seconds=last),
        "value": 5,
        "threshold": 3,
        "unit": "requests",
        "window": WINDOW,
        "level": Level.MEDIUM,
    }
    return Finding(**(ordinary | fields))


@pytest.mark.parametrize(
    ("gap", "together"), [(-5, True), (0, True), (59, True), (60, True), (60.000001, False)]
)
def test_a_gap_up_to_the_window_is_bridged(gap: float, together: bool) -> None:
    early, late = finding(0, 10), finding(10 + gap, 30 + gap)
    assert early.touches(late) is together
    assert late.touches(early) is together
    assert len(merge_runs([early], [late])) == (1 if together else 2)


@pytest.mark.parametrize("other", [{"detector": "e"}, {"entity": "x"}, {"entity_type": "user"}])
def test_only_the_same_detector_and_entity_touch(other: dict[str, Any]) -> None:
    assert not finding(0, 10).touches(finding(0, 10, **other))


def test_a_run_that_touches_two_joins_them_in_any_order() -> None:
    runs = [finding(0, 10, value=4), finding(100, 110, value=9), finding(60, 70, value=7)]
    for order in permutations(runs):
        (joined,) = merge_runs([], order)
        assert joined.first == runs[0].first
        assert joined.last == runs[1].last
        assert joined.value == 9


def test_the_threshold_beside_the_greatest_value_stays() -> None:
    weak, strong = finding(0, 10, value=30, threshold=20), finding(5, 15, value=90, threshold=80)
    for order in permutations([weak, strong]):
        (joined,) = merge_runs([], order)
        assert (joined.value, joined.threshold) == (90, 80)


def test_the_note_beside_the_greatest_value_stays() -> None:
    runs = [
        finding(0, 10, value=value, note=note) for value, note in ((4, "c"), (9, "a"), (9, "b"))
    ]
    for order in permutations(runs):
        (joined,) = merge_runs([], order)
        assert joined.note == "b"


def test_the_earliest_evidence_stays_each_event_once() -> None:
    rows = tuple(
        Evidence(START + timedelta(seconds=n), "p", n, "GET /", None if n % 2 else "/", n)
        for n in range(30)
    )
    (joined,) = merge_runs([finding(0, 10, evidence=rows[10:])], [finding(0, 9, evidence=rows)])
    assert joined.evidence == rows[:EVIDENCE_LIMIT]
