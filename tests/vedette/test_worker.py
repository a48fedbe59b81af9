"""The service's loop: what is appended becomes incidents, also after a restart."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from alerts.database.models import CheckpointRow
from alerts.incidents.views import Transition
from alerts.quarantine.gaps import list_gaps
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest import live as live_module
from ingest.follow import LogFollower
from ingest.sources import FileSource
from vedette.commands.scan import stored
from vedette.worker import Worker

from .scans import START, combined, contents, incidents_of, micros, written

#: For tests of hours of log that write no more than others: once is enough.
ON_ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Service:
    """A worker that is stepped by hand."""

    def __init__(self, log: Path, engine: Engine, *others: Path) -> None:
        self.told: list[Transition] = []
        paths = tuple(str(path) for path in (log, *others))
        source = FileSource(paths=paths, format="combined")
        self.worker = Worker(
            [source],
            Detection(load_catalogue()),
            Store(engine),
            routing=Routing.everything_to("default"),
            announce=self._hear,
        )

    def _hear(self, transitions: Sequence[Transition]) -> None:
        self.told += transitions

    def read_all(self) -> None:
        while self.worker.step(Event()):
            pass

    def stop(self) -> None:
        stop = Event()
        stop.set()
        self.worker.run(stop)


def append(log: Path, lines: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def probing(start: int, count: int) -> list[str]:
    return [
        combined(start + n, request=f"GET /nothing-{start + n} HTTP/1.1", status=404)
        for n in range(count)
    ]


def test_an_attack_is_told_while_it_goes_on(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [combined(0)])
    service = Service(log, engine)
    service.read_all()
    append(log, probing(1, 9))
    service.read_all()
    assert service.told == []
    append(log, probing(10, 1))
    service.read_all()
    assert [(t.kind, t.incident.entity) for t in service.told] == [("opened", "203.0.113.7")]
    service.stop()


def test_what_was_there_before_the_first_start_is_not_read(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", probing(0, 30))
    service = Service(log, engine)
    service.read_all()
    service.stop()
    assert stored(engine) == []


def test_a_restart_goes_on_as_if_nothing_had_happened(tmp_path: Path, engine: Engine) -> None:
    attack = [combined(0), *probing(1, 30), combined(40)]
    log = written(tmp_path / "a.log", [])
    first = Service(log, engine)
    append(log, attack[:7])
    first.read_all()
    first.stop()
    assert stored(engine) == []
    append(log, attack[7:])
    second = Service(log, engine)
    second.read_all()
    second.stop()
    (tmp_path / "scan").mkdir()
    expected = incidents_of([log], tmp_path / "scan")
    assert len(expected) == 1
    ours, theirs = contents(stored(engine)), contents(expected)
    assert [(i["summary"], i["started_at"], i["last_at"]) for i in ours] == [
        (i["summary"], i["started_at"], i["last_at"]) for i in theirs
    ]


def test_a_replay_after_a_crash_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [])
    first = Service(log, engine)
    first.stop()  # the checkpoint says: nothing read yet
    crashed = Service(log, engine)
    append(log, probing(1, 30))
    crashed.read_all()  # incidents are stored, the checkpoint is not
    crashed.worker.close()
    before = contents(stored(engine))
    assert len(before) == 1
    again = Service(log, engine)
    again.read_all()
    again.stop()
    assert contents(stored(engine)) == before
    with engine.connect() as connection:
        rows = connection.execute(text("select transition from notifications")).all()
    assert [row[0] for row in rows] == ["opened"]


@ON_ONE
def test_a_truncated_log_leaves_a_gap_that_is_stored_with_the_checkpoint(
    tmp_path: Path, engine: Engine
) -> None:
    """Failed when the worker did not hand on what the sources say is missing."""
    log = written(tmp_path / "a.log", [])
    service = Service(log, engine)
    append(log, [combined(second) for second in range(6)])
    service.read_all()
    log.write_text("", encoding="utf-8")
    append(log, [combined(second) for second in range(60, 66)])
    service.read_all()
    assert list_gaps(engine) == []
    service.stop()
    (gap,) = list_gaps(engine)
    assert (gap.partition, gap.reason) == (str(log), "the file became shorter")
    assert (gap.since, gap.until) == (
        START + timedelta(seconds=5),
        START + timedelta(seconds=60),
    )
    assert any("may be missing" in problem for problem in service.worker.problems)
    again = Service(log, engine)
    again.read_all()
    again.stop()
    assert list_gaps(engine) == [gap]


def test_a_crash_before_the_first_checkpoint_loses_nothing(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [combined(0)])
    crashed = Service(log, engine)
    append(log, probing(1, 8))
    crashed.worker.step(Event())
    crashed.worker.close()
    append(log, probing(9, 4))
    again = Service(log, engine)
    again.read_all()
    again.stop()
    (incident,) = stored(engine)
    assert incident.summary.startswith("Client 203.0.113.7: 12 distinct missing paths")


@ON_ONE
def test_a_quiet_log_does_not_hold_a_busy_one_back(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [micros(START)]
    monkeypatch.setattr(live_module, "LogFollower", partial(LogFollower, clock=lambda: clock[0]))
    log = written(tmp_path / "a.log", [])
    service = Service(log, engine, written(tmp_path / "quiet.log", []))
    for second in range(200):
        clock[0] += 1_000_000
        append(log, [combined(second, request="GET /v1/me HTTP/1.1", status=401)])
        service.worker.step(Event())
    assert [t.incident.detectors for t in service.told] == [("auth_failure_burst",)]
    service.stop()


@ON_ONE
def test_a_source_that_falls_silent_is_told_until_it_returns(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [micros(START)]
    monkeypatch.setattr(live_module, "LogFollower", partial(LogFollower, clock=lambda: clock[0]))
    log, silent = written(tmp_path / "a.log", []), written(tmp_path / "silent.log", [])
    service = Service(log, engine, silent)
    for second in range(0, 3600, 40):
        clock[0] = micros(START) + second * 1_000_000
        append(log, [combined(second)])
        if second < 2000:
            append(silent, [combined(second)])
        if second == 2520:  # what was counted until then is not forgotten
            service.stop()
            service = Service(log, engine, silent)
        service.worker.step(Event())
    assert [(t.incident.detectors, t.incident.entity) for t in service.told] == [
        (("source_silent",), str(silent))
    ]
    append(silent, [combined(3600 - 40)] * 5)
    clock[0] += 1_000_000
    service.read_all()
    (incident,) = stored(engine)
    assert incident.started_at == START + timedelta(seconds=2000)
    assert "24 minutes without events" in incident.summary
    service.stop()


def test_a_log_that_nobody_can_read_any_more_is_told(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [])
    service = Service(log, engine)
    append(log, [combined(second) for second in range(5)])
    append(log, ["2026-11-02 GET /items 200"] * 300)
    append(log, [combined(second) for second in range(20, 30)])
    service.read_all()
    assert [t.incident.detectors for t in service.told] == [("unparsed_lines",)]
    service.stop()


def test_what_a_failing_database_refuses_is_stored_before_the_checkpoint(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = written(tmp_path / "a.log", [])
    service = Service(log, engine)
    append(log, probing(1, 12))
    stop = Event()
    stop.set()  # the service is told to stop while the database refuses
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", _refuse)
        service.worker.step(stop)
    assert not service.worker.health().healthy
    service.stop()
    assert len(stored(engine)) == 1


def _refuse(*_: object, **__: object) -> None:
    raise OperationalError("insert", {}, RuntimeError("database is locked"))


def test_a_damaged_checkpoint_is_said_and_survived(
    tmp_path: Path, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    log = written(tmp_path / "a.log", [combined(0)])
    service = Service(log, engine)
    service.stop()
    with engine.begin() as connection:
        connection.execute(update(CheckpointRow).values(state=b"\0"))
    service = Service(log, engine)
    captured = capfd.readouterr()
    assert "checkpoint damaged" in captured.out + captured.err
    append(log, probing(1, 12))
    service.read_all()
    assert len(service.told) == 1
    service.stop()


def test_health_says_what_was_read(tmp_path: Path, engine: Engine) -> None:
    log = written(tmp_path / "a.log", [])
    service = Service(log, engine)
    append(log, [combined(0), "no access log line", combined(1), combined(2), combined(3)])
    service.read_all()
    report = service.worker.health()
    assert report.healthy
    assert (report.details["lines"], report.details["set_aside"]) == (5, 1)
    service.stop()


class Script(Event):
    """Appends to a log whenever the worker waits; stops it in the end."""

    def __init__(self, log: Path, *parts: str) -> None:
        super().__init__()
        self._log = log
        self._parts = list(parts)

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        if not self._parts:
            self.set()
            return True
        with self._log.open("a", encoding="utf-8") as log:
            log.write(self._parts.pop(0))
        return False


@ON_ONE
def test_formats_and_problems_are_logged_as_they_come(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vedette.source_log.EVERY", 0.0)
    log = written(tmp_path / "a.log", [])
    worker = Worker([FileSource(paths=(str(log),))], Detection(load_catalogue()), Store(engine))
    good = "".join(combined(n) + "\n" for n in range(3))
    with capture_logs() as told:
        worker.run(Script(log, "junk\n", good, good))
    said = [(entry["event"], entry.get("format"), entry["log_level"]) for entry in told]
    assert said == [
        ("source problem", None, "warning"),
        ("log format", "combined", "info"),
        ("source problem over", None, "info"),
    ]
    assert told[1]["found_in"].startswith("1 log, 75 % of its first lines")
