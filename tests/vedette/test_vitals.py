"""What the service says of itself: delays, checkpoints, lines that were never seen."""

from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from alerts.incidents.views import Transition
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest.sources import FileSource
from vedette import worker as worker_module
from vedette.commands.scan import stored
from vedette.vitals import TOO_OLD, Vitals
from vedette.worker import Worker

from .scans import START, combined, written

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def worker(log: Path, engine: Engine) -> Worker:
    source = FileSource(paths=(str(log),), format="combined")
    return Worker([source], Detection(load_catalogue()), Store(engine))


def append(log: Path, *lines: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def read_all(service: Worker) -> None:
    while service.step(Event()):
        pass


def stop(service: Worker) -> None:
    told = Event()
    told.set()
    service.run(told)


def test_lines_that_were_never_seen_are_an_incident(tmp_path: Path, engine: Engine) -> None:
    """Failed when the worker made no finding of the gaps that it stores."""
    log = written(tmp_path / "a.log", [])
    service = worker(log, engine)
    append(log, *(combined(second) for second in range(6)))
    read_all(service)
    log.write_text("", encoding="utf-8")
    append(log, *(combined(second) for second in range(60, 66)))
    read_all(service)
    stop(service)
    (incident,) = stored(engine)
    assert incident.detectors == ("missed_lines",)
    assert (incident.entity, incident.severity) == (str(log), "low")
    assert incident.started_at == START + timedelta(seconds=5)
    assert incident.last_at == START + timedelta(seconds=60)
    assert "55 seconds that were not wholly seen" in incident.summary


def test_the_report_has_what_was_measured(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [])
    service = worker(log, engine)
    missing = (combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(30))
    append(log, *missing)
    read_all(service)
    report = service.health()
    assert report.healthy
    assert report.delays.counts[-1] == 1, "one incident opened"
    assert report.checkpoints.counts[-1] == 1, "the first one is stored at the start"
    assert report.details["held"] == 0
    size = report.details["checkpoint_bytes"]
    assert isinstance(size, int)
    assert size > 0
    assert report.watermark is not None
    stop(service)


def test_without_checkpoints_it_is_not_ready(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed when a worker that hangs still called itself healthy."""
    service = worker(written(tmp_path / "a.log", []), engine)
    assert service.health().healthy
    now = monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "monotonic", lambda: now + TOO_OLD + 1)
        assert not service.health().healthy
    stop(service)


def test_delays_are_from_the_event_to_now(database_kind: str) -> None:
    def transition(kind: str, seconds: float) -> Transition:
        at = START - timedelta(seconds=seconds)
        incident: Any = SimpleNamespace(last_at=at, severity="high")
        return cast("Transition", SimpleNamespace(kind=kind, incident=incident))

    vitals = Vitals(now=lambda: START)
    vitals.stored([transition("opened", 3), transition("calm", 900), transition("opened", -2)])
    found = vitals.delays.read()
    assert (found.counts[-1], found.sum) == (2, 3.0)
    assert (vitals.opened["high"], vitals.opened["low"]) == (2, 0)
