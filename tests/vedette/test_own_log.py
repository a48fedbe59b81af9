"""Vedette watches itself: whoever knocks at its API becomes an incident, and reading makes none."""

import json
import stat
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from alerts.access.keys import KeyStore, Role
from alerts.database.times import utc_now
from alerts.lists.filters import IncidentFilter
from alerts.lists.queries import list_incidents
from alerts.storage.store import Store
from api import access_log
from api.access_log import AccessLog
from api.application import ApiOptions, create_api
from api.health import HealthReport
from api.limit_settings import LimitSettings
from vedette.detecting import detection_of
from vedette.own_log import SERVICE, own_log, own_sources
from vedette.rules import catalogue_of
from vedette.settings import settings_from
from vedette.worker import Worker

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

PEOPLE = LimitSettings(authentication=1_000, read=10**6, address=10**6)


class Watched:
    """The API, its log, and a worker that reads that."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        secret = folder / "server.secret"
        self.folder = own_log(secret)
        options = ApiOptions(PEOPLE, access_log=self.folder)
        self.app = create_api(
            engine, secret, health=lambda: HealthReport(healthy=True), options=options
        )
        self.engine, self.keys = engine, KeyStore(engine, secret)
        settings = settings_from("")
        detection = detection_of(settings, catalogue_of(settings))
        self.worker = Worker(own_sources(settings, self.folder), detection, Store(engine))

    def client(self, address: str, key: str = "") -> TestClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return TestClient(self.app, headers=headers, client=(address, 1))

    def lines(self) -> list[dict[str, object]]:
        file = self.folder / access_log.FILE
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def found(self, wanted: int) -> dict[str, set[str]]:
        """Return the detectors of each incident's entity, once there are so many."""
        until, pause = monotonic() + 30, Event()
        while True:
            busy = self.worker.step(Event())
            items = list_incidents(self.engine, IncidentFilter(service=SERVICE)).items
            if len(items) >= wanted or monotonic() > until:
                return {item.entity: set(item.detectors) for item in items}
            if not busy:
                pause.wait(0.1)

    def close(self) -> None:
        self.worker.close()
        self.app.state.services.audit.close()


@pytest.fixture
def watched(engine: Engine, tmp_path: Path) -> Watched:
    return Watched(engine, tmp_path)


def test_whoever_knocks_is_an_incident_and_whoever_reads_is_none(watched: Watched) -> None:
    _, secret = watched.keys.create_key("page", Role.VIEWER, utc_now())
    with watched.client("10.1.1.1", secret.get_secret_value()) as reader:
        for _ in range(50):
            assert reader.get("/readyz").status_code == 200
    assert watched.lines() == [], "however often somebody reads, there is no line"
    with watched.client("203.0.113.7", "vdt_0_wrong") as stranger:
        for _ in range(60):
            assert stranger.get("/api/v1/incidents").status_code in {401, 403}
    with watched.client("203.0.113.8") as scanner:
        for n in range(60):
            assert scanner.get(f"/api/v1/backup{n}.zip").status_code == 404
    with watched.client("203.0.113.9") as guesser:
        for n in range(60):
            assert guesser.post("/login", json={"code": f"{n}"}).status_code in {401, 403}
    found = watched.found(3)
    watched.close()
    assert set(found) == {"203.0.113.7", "203.0.113.8", "203.0.113.9"}
    assert "auth_failure_burst" in found["203.0.113.7"]
    assert "missing_path_scan" in found["203.0.113.8"]


def test_lines_are_masked_short_and_for_their_owner_alone(watched: Watched) -> None:
    hostile = (
        "/api/v1/%1b[2J" + "x" * 3_000 + "?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    )
    with watched.client("203.0.113.7", "vdt_0_notthis") as stranger:
        stranger.get(hostile, headers={"X-Request-Id": "abc"})
        stranger.get("/api/v1/incidents?password=hunter22")
    watched.close()
    text = (watched.folder / access_log.FILE).read_text()
    first, second = watched.lines()
    assert set(first) == {
        *("timestamp", "client_ip", "method", "path", "query"),
        *("status", "duration_us", "request_id"),
    }
    assert (first["client_ip"], first["status"], first["request_id"]) == ("203.0.113.7", 404, "abc")
    assert len(str(first["path"])) == access_log.TEXT_LIMIT
    assert second["status"] == 401
    for secret in ("notthis", "hunter22", "c2lnbmF0dXJl", "\x1b"):
        assert secret not in text
    assert stat.S_IMODE((watched.folder / access_log.FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(watched.folder.stat().st_mode) == 0o700


def test_files_and_seconds_are_bounded(
    tmp_path: Path, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database_kind
    monkeypatch.setattr(access_log, "FILE_LIMIT", 1_000)
    monkeypatch.setattr(access_log, "monotonic", lambda: 5.0)
    log = AccessLog(tmp_path / "own")
    for n in range(1_000):
        log.write({"n": n})
    files = sorted((tmp_path / "own").iterdir())
    assert [file.name for file in files] == [access_log.FILE, f"{access_log.FILE}.1"]
    lines = [
        json.loads(line)["n"] for file in files[::-1] for line in file.read_text().splitlines()
    ]
    assert lines[-1] == access_log.SECOND_LIMIT - 1
    assert all(file.stat().st_size < 1_100 for file in files)


def test_a_full_disk_stops_no_answer(tmp_path: Path, database_kind: str) -> None:
    del database_kind
    log = AccessLog(tmp_path / "own")
    log.path.unlink()
    log.path.mkdir()
    log.write({"n": 1})
    log.path.rmdir()
    log.write({"n": 2})
    assert log.path.read_text() == '{"n": 2}\n'


def test_the_log_is_a_source_unless_it_is_switched_off(tmp_path: Path, database_kind: str) -> None:
    del database_kind
    (own,) = own_sources(settings_from(""), tmp_path)
    assert (own.service, own.paths) == (SERVICE, (str(tmp_path),))
    assert own_sources(settings_from("[api]\naccess_log = false"), tmp_path) == ()
    assert own_sources(settings_from("[api]\nenabled = false"), tmp_path) == ()
