"""After a short history the real detectors find the attacks, and leave the near-misses alone."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from detectors.findings import Finding, Level, merge_runs
from detectors.registry import FAMILIES
from vedette.detecting import families_of
from vedette.settings import changed_settings, load_settings
from vedette.simulation import LongRun, Truth, all_scenarios, batch_frame, long_run
from vedette.simulation.declarations import declared_templates
from vedette.simulation.write import write_settings

START = datetime(2026, 11, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TABLES = {"seen", "countries", "inventory", "sizes"}
WATCHED = {each.name for family in FAMILIES if family.table in TABLES for each in family.detectors}

#: Four days at a low rate are less than what detectors want to see by themselves.
SHORTER = (
    "seen.learning_days=3",
    "seen.learning_requests=20",
    "countries.learning_days=3",
    "inventory.learning_days=3",
    "sizes.learning_answers=200",
    "sizes.learning_callers=20",
)

#: What the documentation says may fire innocently, how urgently: somebody who travels or buys a
#: telephone.
INNOCENT = {
    ("traveller", "user_first_seen", Level.LOW),
    ("new_telephone", "user_first_seen", Level.LOW),
}


class Outcome(NamedTuple):
    """A run, and what was found in it."""

    run: LongRun
    findings: list[Finding]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Attacks and near-misses."""
    return _judged({"attack", "near_miss"}, tmp_path_factory.mktemp("attacked"))


@pytest.fixture(scope="module")
def innocent(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Near-misses alone: no attack accounts for what is found, and none was told before."""
    return _judged({"near_miss"}, tmp_path_factory.mktemp("innocent"))


def _judged(kinds: Collection[str], folder: Path) -> Outcome:
    names = [
        scenario.name
        for scenario in all_scenarios()
        if scenario.needs_history
        and scenario.kind in kinds
        and {*scenario.detectors[:1], *scenario.near} & WATCHED
    ]
    run = long_run(
        5,
        START,
        2 * DAY,
        requests_per_second=0.4,
        scenarios=names,
        intensities=("medium",),
        history=4 * DAY,
    )
    settings = changed_settings(load_settings(write_settings(run, folder)), SHORTER)
    families = [
        family for family in families_of(settings).by_name.values() if {*family.detectors} & WATCHED
    ]
    found: list[Finding] = []
    for events, watermark in _quarters(run):
        for family in families:
            found += family.judge(family.aggregate(events), watermark)
    for family in families:
        found += family.finish()
    return Outcome(run, merge_runs([], found))


def _quarters(run: LongRun) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield six hours of events each, with the watermark after them."""
    first = 0
    frames = run.frames()
    while some := list(islice(frames, 12)):
        events = batch_frame(pl.concat(some), first, templates=declared_templates())
        first += events.height
        yield events, int(events["timestamp"].to_physical().to_numpy().max())


def _is_about(row: Truth, finding: Finding) -> bool:
    """Whether a finding names what a row does, and is of its time, or of the hour after."""
    return (
        (finding.entity_type, finding.entity) in row.entities
        and finding.first <= row.ended_at + timedelta(hours=1)
        and finding.last >= row.started_at
    )


def _accounts(attack: Truth, finding: Finding) -> bool:
    """Whether a finding is of an attack's own detectors, names what it does, and overlaps it.

    A finding lasts from its first event to its last, so nothing is allowed before or after.
    """
    return (
        finding.detector in attack.detectors
        and _is_about(attack, finding)
        and finding.first <= attack.ended_at
    )


def _unaccounted(outcome: Outcome) -> list[Finding]:
    """Return the findings that no attack accounts for."""
    attacks = [row for row in outcome.run.truth if row.kind == "attack"]
    return [f for f in outcome.findings if not any(_accounts(row, f) for row in attacks)]


def _near_misses(outcome: Outcome) -> list[Truth]:
    return [row for row in outcome.run.truth if row.kind == "near_miss"]


def test_each_attack_is_found_by_the_detector_that_must(attacked: Outcome) -> None:
    attacks = [row for row in attacked.run.truth if row.kind == "attack"]
    found: Mapping[str, set[str]] = {
        row.scenario: {each.detector for each in attacked.findings if _is_about(row, each)}
        for row in attacks
    }
    musts = {row.scenario: row.detectors[0] for row in attacks}
    assert {name: must for name, must in musts.items() if must not in found[name]} == {}
    assert set(musts.values()) == WATCHED


def test_near_misses_are_left_alone(attacked: Outcome, innocent: Outcome) -> None:
    assert {row.scenario for row in _near_misses(attacked)} == {
        row.scenario for row in _near_misses(innocent)
    }
    for outcome in (attacked, innocent):
        told = {
            (row.scenario, each.detector, each.level)
            for each in _unaccounted(outcome)
            for row in _near_misses(outcome)
            if _is_about(row, each)
        }
        assert told <= INNOCENT


def test_what_is_found_after_the_history_is_about_an_attack(
    attacked: Outcome, innocent: Outcome
) -> None:
    for outcome in (attacked, innocent):
        others = [
            (each.detector, each.entity)
            for each in _unaccounted(outcome)
            if each.first >= START and not any(_is_about(r, each) for r in _near_misses(outcome))
        ]
        assert others == []
