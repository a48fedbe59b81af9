"""Findings about gaps: which there are, what they span, how grave they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.findings import Level, merge_runs
from detectors.health import SourceHealth
from detectors.overrides import RuleException, RuleOverride
from ingest.gaps import Gap

TEN = datetime(2026, 11, 2, 10, 2, tzinfo=UTC)
SINCE = int(TEN.timestamp()) * 1_000_000
MINUTE = 60_000_000
GAP = Gap("web-0", 7, "deleted before they were read", "records", 12, SINCE, SINCE + 38 * MINUTE)


def test_a_gap_is_told_from_when_to_when() -> None:
    (found,) = SourceHealth().missed([GAP])
    assert (found.detector, found.entity_type, found.entity) == ("missed_lines", "source", "web-0")
    assert (found.first, found.last) == (TEN, TEN + timedelta(minutes=38))
    assert (found.value, found.threshold, found.level) == (38 * 60, 1, Level.MEDIUM)
    assert found.fingerprint == SourceHealth().fingerprint


@pytest.mark.parametrize(
    ("gap", "seconds"),
    [
        (replace(GAP, until=None), 1),
        (replace(GAP, since=None), 1),
        (replace(GAP, until=SINCE + 1), 1),
        (replace(GAP, until=SINCE + 1_000_001), 2),
        (replace(GAP, since=None, until=None), None),
        (replace(GAP, lost=0), None),
    ],
)
def test_what_is_known_of_its_times(gap: Gap, seconds: int | None) -> None:
    assert [found.value for found in SourceHealth().missed([gap])] == [seconds] * (
        seconds is not None
    )


def test_what_may_be_missing_is_less_grave() -> None:
    (found,) = SourceHealth().missed([replace(GAP, lost=None)])
    assert found.level == Level.LOW


def test_settings_apply() -> None:
    def found(override: RuleOverride) -> int:
        return len(SourceHealth({"missed_lines": override}).missed([GAP]))

    assert found(RuleOverride(enabled=False)) == 0
    assert found(RuleOverride(threshold=38 * 60)) == 1
    assert found(RuleOverride(threshold=38 * 60 + 1)) == 0
    assert found(RuleOverride(exceptions=(RuleException(source="web-*", why="x"),))) == 0
    over = RuleException(source="web-*", why="x", until=TEN)
    assert found(RuleOverride(exceptions=(over,))) == 1


@given(st.permutations([replace(GAP, until=None), GAP, replace(GAP, lost=20)]))
def test_a_gap_that_grows_is_one_finding(gaps: list[Gap]) -> None:
    """Fails if what a gap has lost, or its end, made it another one."""
    health = SourceHealth()
    runs = [found for gap in gaps for found in health.missed([gap])]
    (merged,) = merge_runs([], runs)
    (whole,) = health.missed([GAP])
    assert merged == whole
