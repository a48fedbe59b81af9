"""What belongs together, and the sentence about it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from alerts.database.times import UtcTime
from alerts.incidents.content import INCIDENT_GAP, components, content_of
from alerts.incidents.summary import duration, summarise
from detectors.findings import Evidence, Finding, Level, earliest

START = datetime(2025, 11, 3, 9, 1, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "client",
        "entity": "203.0.113.7",
        "first": START,
        "last": START + 158 * SECOND,
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 120 * SECOND,
        "level": Level.MEDIUM,
    }
    return Finding(**{**values, **changes})


FILES = finding(
    detector="files",
    first=START + 30 * SECOND,
    last=START + 60 * SECOND,
    value=12,
    threshold=5,
    unit="sensitive files",
    window=60 * SECOND,
)


def test_the_sentence() -> None:
    assert summarise([FILES, finding()]) == (
        "Client 203.0.113.7: 43 distinct missing paths within 2 min (limit 10)"
        " and 12 sensitive files within 60 s (limit 5), from 09:01:02 to 09:03:40 UTC."
    )


def test_what_findings_note_follows_once() -> None:
    noted = [finding(detector=f"d{n}", note=f"Expected {n % 2} to 3\n.") for n in range(3)]
    said = summarise(noted)
    assert said.endswith(" UTC. Expected 0 to 3\\x0a. Expected 1 to 3\\x0a.")


def test_the_severest_comes_first_and_the_strongest_speaks() -> None:
    later = finding(first=START + 900 * SECOND, last=START + 901 * SECOND, value=1_200)
    text = summarise([finding(), later, FILES, finding(detector="x", level=Level.HIGH, value=99)])
    assert text.index("99 distinct") < text.index("12 sensitive") < text.index("1,200 distinct")
    assert "43 distinct" not in text


@pytest.mark.parametrize(
    ("unit", "one"),
    [
        ("log-in attempts", "log-in attempt"),
        ("log-in attempts by one program", "log-in attempt by one program"),
        ("distinct countries", "distinct country"),
        ("searches without name or key", "search without name or key"),
        ("distinct addresses", "distinct address"),
        ("distinct debug and management endpoints", "distinct debug and management endpoint"),
        ("failed log-ins and then a successful one", "failed log-in and then a successful one"),
        ("status codes", "status code"),
        ("access with cookies", "access with cookie"),
        ("events", "event"),
        ("access", "access"),
    ],
)
def test_one_is_not_many(unit: str, one: str) -> None:
    assert f": 1 {one} within" in summarise([finding(value=1, unit=unit)])
    assert f": 2 {unit} within" in summarise([finding(value=2, unit=unit)])


def test_many_claims_are_counted() -> None:
    text = summarise([finding(detector=str(n), value=n) for n in range(10, 17)])
    assert text.count("limit") == 4
    assert "and 3 more, from" in text


def test_what_took_no_time_was_at_a_time() -> None:
    text = summarise([finding(last=START + timedelta(milliseconds=900))])
    assert text.endswith("(limit 10), at 09:01:02 UTC.")


def test_other_days_are_named_and_no_window_is_not() -> None:
    text = summarise([finding(last=START + timedelta(days=1), window=timedelta(0))])
    assert "43 distinct missing paths (limit 10)" in text
    assert "from 2025-11-03 09:01:02 to 2025-11-04 09:01:02 UTC" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "60 s"), (90, "90 s"), (120, "2 min"), (3600, "1 h"), (5400, "90 min"), (86400, "24 h")],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds * SECOND) == text


@given(name=st.text(max_size=300))
def test_no_name_breaks_the_sentence(name: str) -> None:
    text = summarise([finding(entity_type="user", entity=name)])
    assert text.isprintable()
    assert len(text) < 300


def test_severity_counts_what_alerts() -> None:
    watched = finding(detector="w", mode="monitor", level=Level.CRITICAL)
    assert content_of((watched, FILES)).severity is Level.MEDIUM
    assert content_of((watched, FILES)).mode == "alert"
    assert content_of((watched, FILES)).detectors == ("files", "w")
    assert (content_of((watched,)).severity, content_of((watched,)).mode) == (
        Level.CRITICAL,
        "monitor",
    )


@given(starts=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)), min_size=1))
def test_components_are_apart_and_whole(starts: list[tuple[int, int]]) -> None:
    minute = timedelta(minutes=1)
    findings = [
        finding(first=START + first * minute, last=START + (first + length) * minute)
        for first, length in starts
    ]
    groups = components(findings)
    assert sum(map(len, groups)) == len(findings)
    for group in groups:
        end = group[0].last
        for item in group[1:]:
            assert item.first - end <= INCIDENT_GAP
            end = max(end, item.last)
    for before, after in pairwise(groups):
        assert after[0].first - max(item.last for item in before) > INCIDENT_GAP


def test_evidence_is_the_earliest_and_each_event_once() -> None:
    events = [Evidence(START + n * SECOND, "log", n, "text") for n in range(30)]
    twins = [Evidence(START, "log", 0, "text", None, 404), Evidence(START, "log", 0, "text", "/x")]
    assert earliest([*reversed(events), *twins]) == tuple(events[:20])


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        UtcTime().process_bind_param(datetime(2025, 1, 1), sqlite.dialect())  # noqa: DTZ001
