"""Ten simulated hours: every attack found for the right entity, no near-miss alerts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.incidents.views import IncidentView
from detectors.catalogue import load_catalogue
from tests.vedette.hours import Outcome
from vedette.settings import settings_from
from vedette.simulation.simulation import Simulation, simulate
from vedette.simulation.truth import Truth, in_combined
from vedette.simulation.write import write

from .scans import contents, incidents_of

SEEDS = range(1, 11)
START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def found_in(simulation: Simulation, folder: Path, files: int = 1) -> list[IncidentView]:
    logs = write(simulation, folder, "combined" if simulation.seed % 2 else "json", files)
    return incidents_of(logs, folder, simulation.settings_toml)


def told_by_log(simulation: Simulation) -> list[Truth]:
    return in_combined(simulation.truth) if simulation.seed % 2 else simulation.truth


def to_be_found(truth: list[Truth], settings: str) -> list[Truth]:
    """The attacks that these tests can find: they read keys without a secret, so as null."""
    names = {rule.name for rule in load_catalogue(settings_from(settings).detectors).rules}
    return [
        row
        for row in truth
        if row.kind == "attack" and row.detectors[0] in names and "api_key" not in row.needs
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_attacks_are_found_and_near_misses_stay_silent(
    seed: int, tmp_path: Path, outcome: Callable[[Outcome], None]
) -> None:
    rate = 25.0 if seed % 4 < 2 else 12.0
    simulation = simulate(seed, START, timedelta(hours=1), requests_per_second=rate)
    incidents = found_in(simulation, tmp_path)
    truth = told_by_log(simulation)
    attacks = to_be_found(truth, simulation.settings_toml)
    right = {entity for row in truth if row.kind != "near_miss" for entity in row.entities}
    found = {row.scenario: of_attack(row, incidents) for row in attacks}
    missed = [name for name, theirs in found.items() if not theirs]
    false = [i.summary for i in incidents if (i.entity_type, i.entity) not in right]
    slowest = max(
        (
            found[row.scenario][0].started_at - row.started_at
            for row in attacks
            if row.entity_type == "client"
            and found[row.scenario]
            and is_about(found[row.scenario][0], row)
        ),
        default=timedelta(0),
    )
    outcome(Outcome(len(missed), len(false), slowest.total_seconds(), seed))
    assert len(attacks) >= 7
    assert not missed, f"seed {seed}: not found: {missed}"
    assert not false, f"seed {seed}: false alarms: {false}"
    for row in attacks:
        (first, *_) = found[row.scenario]
        if row.entity_type == "client" and is_about(first, row):
            assert set(first.detectors) <= set(row.detectors)
            assert row.started_at - timedelta(seconds=1) <= first.started_at <= row.ended_at


def of_attack(row: Truth, incidents: list[IncidentView]) -> list[IncidentView]:
    """Incidents of the attack's time: its own, else those of an attack by many that has it in."""
    during = [
        incident
        for incident in incidents
        if incident.started_at <= row.ended_at
        and incident.last_at >= row.started_at - timedelta(seconds=1)
    ]
    own = [
        incident
        for incident in during
        if is_about(incident, row) and row.detectors[0] in incident.detectors
    ]
    return own or [incident for incident in during if row.entity in incident.members]


def is_about(incident: IncidentView, row: Truth) -> bool:
    return (incident.entity_type, incident.entity) == (row.entity_type, row.entity)


def test_a_log_split_into_five_gives_the_same_incidents(tmp_path: Path) -> None:
    simulation = simulate(3, START, timedelta(hours=1))
    whole = found_in(simulation, tmp_path / "whole")
    assert len(whole) >= 7
    assert contents(found_in(simulation, tmp_path / "split", files=5)) == contents(whole)


def test_the_load_test_alerts_without_its_exception(tmp_path: Path) -> None:
    simulation = simulate(1, START, timedelta(minutes=20), scenarios=["load_test"])
    logs = write(simulation, tmp_path)
    assert incidents_of(logs, tmp_path, simulation.settings_toml) == []
    (incident,) = incidents_of(logs, tmp_path)
    assert "request_rate" in incident.detectors


@pytest.mark.parametrize("chunk_bytes", [50_000, 333_333, 3_000_000])
def test_the_size_of_chunks_changes_nothing(chunk_bytes: int, tmp_path: Path) -> None:
    simulation = simulate(4, START, timedelta(minutes=20), requests_per_second=10)
    logs = write(simulation, tmp_path)
    whole = incidents_of(logs, tmp_path, simulation.settings_toml)
    assert len(whole) >= 7
    cut = incidents_of(logs, tmp_path, simulation.settings_toml, chunk_bytes)
    assert contents(cut) == contents(whole)
