"""vedette incidents: attacks by many clients on the terminal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.database.opening import open_database
from alerts.storage.store import Store
from detectors.findings import Finding, Level
from vedette.cli import cli
from vedette.incident_screen import MEMBERS_PRINTED

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
TAGS = ("attack.credential-access", "attack.t1110")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with an attack by 20 clients, one of which has an incident of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    minute = timedelta(minutes=1)
    clients = [f"203.0.113.{n}" for n in range(20)]

    def found(kind: str, entity: str, members: frozenset[str]) -> Finding:
        return Finding(
            f"{kind}_failures",
            "route" if members else "client",
            entity,
            START,
            START + minute,
            20,
            10,
            "clients refused" if members else "requests answered 401",
            minute,
            Level.HIGH,
            tags=TAGS,
            members=members,
        )

    path = str(tmp_path / "v.db")
    engine = open_database(f"sqlite:///{path}")
    parts = [found("own", client, frozenset()) for client in ("203.0.113.7", "198.51.100.1")]
    Store(engine).record([*parts, found("many", "POST /login", frozenset(clients))], watermark=None)
    engine.dispose()
    return path


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["incidents", *arguments])
    assert result.exit_code == 0
    return " ".join(result.stdout.split())


def numbers(*arguments: str) -> dict[str, int]:
    result = CliRunner().invoke(cli, ["incidents", "--json", *arguments])
    return {line["entity"]: line["id"] for line in map(json.loads, result.stdout.splitlines())}


def test_parts_are_listed_if_asked_for(database: str) -> None:
    place = ("--database", database)
    assert numbers(*place).keys() == {"POST /login", "198.51.100.1"}
    everything = numbers(*place, "--include-members")
    assert everything.keys() == {"POST /login", "198.51.100.1", "203.0.113.7"}
    parent = everything["POST /login"]
    assert numbers(*place, "--parent", str(parent)).keys() == {"203.0.113.7"}
    assert f"part of {parent}" in shown(*place, "--include-members")


def test_one_names_its_clients_and_its_parent(database: str) -> None:
    place = ("--database", database)
    everything = numbers(*place, "--include-members")
    parent = everything["POST /login"]
    text = shown("show", str(parent), *place)
    assert "20 clients refused on POST /login within 60 s (limit 10)" in text
    assert "Clients, 20: 203.0.113.0, 203.0.113.1, 203.0.113.10" in text
    assert f"and {20 - MEMBERS_PRINTED} more" in text
    assert f"Their own incidents: vedette incidents --parent {parent} --database" in text
    part = str(everything["203.0.113.7"])
    assert f"Part of incident {parent}" in shown("show", part, *place)
    assert "Their own" not in shown("show", part, *place)
    assert "No incidents" in shown(*place, "--parent", part)


def test_a_parent_that_is_not_there(database: str) -> None:
    result = CliRunner().invoke(cli, ["incidents", "--database", database, "--parent", "99"])
    assert result.exit_code == 1
    assert "no incident 99" in result.stderr
