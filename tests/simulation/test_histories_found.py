"""After a short history the real detectors find the attacks, and leave the near-misses alone."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

import polars as pl
import pytest

from detectors.findings import Finding, merge_runs
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

#: What the documentation says may fire innocently: somebody who travels or buys a telephone.
INNOCENT = {("traveller", "user_first_seen"), ("new_telephone", "user_first_seen")}


@pytest.fixture(scope="module")
def run() -> LongRun:
    names = [
        scenario.name
        for scenario in all_scenarios()
        if scenario.needs_history and {*scenario.detectors[:1], *scenario.near} & WATCHED
    ]
    return long_run(
        5,
        START,
        2 * DAY,
        requests_per_second=0.4,
        scenarios=names,
        intensities=("medium",),
        history=4 * DAY,
    )


@pytest.fixture(scope="module")
def findings(run: LongRun, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    file = write_settings(run, tmp_path_factory.mktemp("run"))
    settings = changed_settings(load_settings(file), SHORTER)
    families = [
        family for family in families_of(settings).by_name.values() if {*family.detectors} & WATCHED
    ]
    found: list[Finding] = []
    for events, watermark in _quarters(run):
        for family in families:
            found += family.judge(family.aggregate(events), watermark)
    for family in families:
        found += family.finish()
    return merge_runs([], found)


def _quarters(run: LongRun) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield six hours of events each, with the watermark after them."""
    first = 0
    frames = run.frames()
    while some := list(islice(frames, 12)):
        events = batch_frame(pl.concat(some), first, templates=declared_templates())
        first += events.height
        yield events, int(events["timestamp"].to_physical().to_numpy().max())


def _about(row: Truth, findings: list[Finding]) -> set[str]:
    late = row.ended_at + timedelta(hours=1)
    return {
        each.detector
        for each in findings
        if (each.entity_type, each.entity) in row.entities
        and each.first <= late
        and each.last >= row.started_at
    }


def test_each_attack_is_found_by_the_detector_that_must(
    run: LongRun, findings: list[Finding]
) -> None:
    found: Mapping[str, set[str]] = {
        row.scenario: _about(row, findings) for row in run.truth if row.kind == "attack"
    }
    musts = {row.scenario: row.detectors[0] for row in run.truth if row.kind == "attack"}
    assert {name: must for name, must in musts.items() if must not in found[name]} == {}
    assert set(musts.values()) == WATCHED


def test_near_misses_are_left_alone(run: LongRun, findings: list[Finding]) -> None:
    attacked = {entity for row in run.truth if row.kind == "attack" for entity in row.entities}
    told = {
        (row.scenario, detector)
        for row in run.truth
        if row.kind == "near_miss"
        for detector in _about(
            row, [f for f in findings if (f.entity_type, f.entity) not in attacked]
        )
    }
    assert told <= INNOCENT


def test_what_is_found_after_the_history_is_about_an_attack(
    run: LongRun, findings: list[Finding]
) -> None:
    named = {(row.entity_type, row.entity) for row in run.truth if row.kind == "near_miss"}
    attacked = {entity for row in run.truth if row.kind == "attack" for entity in row.entities}
    others = [
        (each.detector, each.entity)
        for each in findings
        if each.first >= START and (each.entity_type, each.entity) not in attacked | named
    ]
    assert others == []
