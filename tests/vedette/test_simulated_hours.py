"""Twenty simulated hours: every attack found for the right entity, no near-miss alerts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.views import IncidentView
from vedette.simulation.simulation import Simulation, simulate
from vedette.simulation.write import write

from .conftest import Outcome
from .scans import contents, incidents_of

SEEDS = range(1, 21)
START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def found_in(simulation: Simulation, folder: Path, files: int = 1) -> list[IncidentView]:
    logs = write(simulation, folder, "combined" if simulation.seed % 2 else "json", files)
    return incidents_of(logs, folder, simulation.settings_toml)


@pytest.mark.parametrize("seed", SEEDS)
def test_attacks_are_found_and_near_misses_stay_silent(
    seed: int, tmp_path: Path, outcomes: list[Outcome]
) -> None:
    simulation = simulate(seed, START, timedelta(hours=1))
    incidents = {(i.entity_type, i.entity): i for i in found_in(simulation, tmp_path)}
    attacks = {(t.entity_type, t.entity): t for t in simulation.truth if t.kind == "attack"}
    missed = attacks.keys() - incidents.keys()
    false = incidents.keys() - attacks.keys()
    slowest = max(
        (incidents[key].started_at - attacks[key].started_at for key in attacks.keys() - missed),
        default=timedelta(0),
    )
    outcomes.append(Outcome(len(missed), len(false), slowest, seed))
    assert len(attacks) == 7
    assert not missed, f"seed {seed}: not found: {[attacks[key].scenario for key in missed]}"
    assert not false, f"seed {seed}: false alarms: {[incidents[key].summary for key in false]}"
    for key, attack in attacks.items():
        incident = incidents[key]
        assert attack.detectors[0] in incident.detectors
        assert set(incident.detectors) <= set(attack.detectors)
        assert attack.started_at - timedelta(seconds=1) <= incident.started_at <= attack.ended_at


def test_a_log_split_into_five_gives_the_same_incidents(tmp_path: Path) -> None:
    simulation = simulate(3, START, timedelta(hours=1))
    whole = found_in(simulation, tmp_path / "whole")
    assert len(whole) == 7
    assert contents(found_in(simulation, tmp_path / "split", files=5)) == contents(whole)


def test_the_load_test_alerts_without_its_exception(tmp_path: Path) -> None:
    simulation = simulate(1, START, timedelta(minutes=20), scenarios=["load_test"])
    logs = write(simulation, tmp_path)
    assert incidents_of(logs, tmp_path, simulation.settings_toml) == []
    (incident,) = incidents_of(logs, tmp_path)
    assert incident.detectors == ("request_rate",)


@pytest.mark.parametrize("chunk_bytes", [50_000, 333_333, 3_000_000])
def test_the_size_of_chunks_changes_nothing(chunk_bytes: int, tmp_path: Path) -> None:
    simulation = simulate(4, START, timedelta(minutes=20), requests_per_second=10)
    logs = write(simulation, tmp_path)
    whole = incidents_of(logs, tmp_path, simulation.settings_toml)
    assert len(whole) == 7
    cut = incidents_of(logs, tmp_path, simulation.settings_toml, chunk_bytes)
    assert contents(cut) == contents(whole)
