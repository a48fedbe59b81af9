"""What answers is counted by the service, exactly also after a crash, and listed by the command."""

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from alerts.storage.store import Store
from alerts.traffic.endpoints import list_endpoints
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from detectors.learned.families import Families
from detectors.learned.inventory import Inventory
from ingest.sources import FileSource
from vedette.cli import cli
from vedette.worker import Worker

from .scans import combined, written


def service(log: Path, engine: Engine) -> Worker:
    """A worker with the inventory, that is stepped by hand."""
    source = FileSource(paths=(str(log),), format="combined")
    detection = Detection(load_catalogue(), learned=Families([Inventory()]))
    return Worker([source], detection, Store(engine))


def read_all(worker: Worker) -> None:
    while worker.step(Event()):
        pass


def stop(worker: Worker) -> None:
    event = Event()
    event.set()
    worker.run(event)


def ordering(start: int, count: int) -> list[str]:
    return [
        combined(start + n, request=f"GET /orders/{n} HTTP/1.1", status=200 if n % 2 else 404)
        for n in range(count)
    ]


def append(log: Path, lines: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def counts(engine: Engine) -> list[tuple[str, int, int]]:
    return [(each.template, each.requests, each.answered) for each in list_endpoints(engine)]


def test_counts_are_exact_after_a_restart_and_after_a_crash(tmp_path: Path, engine: Engine) -> None:
    """Failed when counts were added to those stored, or left out of the checkpoint."""
    log = written(tmp_path / "a.log", [])
    stop(service(log, engine))
    append(log, ordering(1, 30))
    first = service(log, engine)
    read_all(first)
    stop(first)
    assert counts(engine) == [("/orders/{id}", 30, 15)]
    append(log, ordering(40, 10))
    crashed = service(log, engine)
    read_all(crashed)
    crashed.close()  # what was read since the checkpoint is lost
    again = service(log, engine)
    read_all(again)
    stop(again)
    assert counts(engine) == [("/orders/{id}", 40, 20)]


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of a scan."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log = written(tmp_path / "a.log", [])
    append(log, [*ordering(1, 10), combined(20, request="POST /[bold]x HTTP/1.1", status=200)])
    database = tmp_path / "incidents.db"
    assert vedette("scan", str(log), "--database", str(database)).exit_code == 0
    return database


def vedette(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_the_command_lists_what_a_scan_saw(scanned: Path) -> None:
    shown = vedette("endpoints", "--database", str(scanned))
    assert shown.exit_code == 0
    assert "GET /orders/{id}" in shown.stdout
    assert "POST /[bold]x" in shown.stdout
    assert "anyone" in shown.stdout
    lines = vedette("endpoints", "--database", str(scanned), "--method", "get", "--json").stdout
    (row,) = map(json.loads, lines.splitlines())
    assert (row["template"], row["requests"], row["statuses"]) == (
        "/orders/{id}",
        10,
        ["2xx", "4xx"],
    )


def test_the_command_says_when_there_is_more_or_nothing(scanned: Path) -> None:
    one = vedette("endpoints", "--database", str(scanned), "--limit", "1").stdout
    assert "More than 1 match" in one
    none = vedette("endpoints", "--database", str(scanned), "--path", "nowhere").stdout
    assert "No endpoints" in none
    wrong = vedette("endpoints", "--database", str(scanned), "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "--since yesterday: must be a date and time" in wrong.output
