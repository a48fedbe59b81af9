"""A secret in any field of a line is in nothing that Vedette writes."""

import json
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from typer.testing import CliRunner

from alerts.access.keys import KeyStore, Role
from alerts.database.opening import open_database
from alerts.database.times import utc_now
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from api.application import create_api
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest.sources import FileSource
from vedette.cli import cli
from vedette.folders import sqlite_url
from vedette.worker import Worker

from .scans import combined, written

#: Secrets of several shapes; each is also looked for in part.
CANARIES = [
    "canary-7f3a9c2e41d05b68a1c4e7f20b9d3856",
    "Canary9X2kQ7mZ4vT1bN8cR5wL",
    "sk_live_51CanaryH8s7Kd2Lq9Zx3Vb6Nm0Pt4",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
    "AKIACANARY7EXAMPLE42",
    "canary.person@example.com",
]


def lines_with(canary: str) -> list[str]:
    """Attacks, so that incidents and evidence are stored, with the secret in every field."""
    path = f"/v1/files/{canary}/x"
    lines: list[str] = []
    for n in range(25):
        lines += [
            combined(
                n, request=f"GET {path}/{n}?token={canary}&{canary}={canary} HTTP/1.1", status=404
            ),
            combined(n, request=f"POST /login?password={canary} HTTP/1.1", status=401, user=canary),
            combined(n, request=f"GET /.env-{n}/{canary} HTTP/1.1", agent=canary, referrer=canary),
            combined(n, request=f"{canary} {canary} {canary}", status=400),
            combined(n, request=f"\\x16\\x03{canary}", status=400),
            combined(n, request=f"GET http://{canary}:{canary}@{canary}/ HTTP/{canary}"),
            f"{combined(n)} {canary}",
        ]
    return [
        *lines,
        f"no access log line at all, but {canary} is in it",
        f"{canary} - - [x] {canary}",
    ]


def records_with(canary: str) -> list[str]:
    rows = [
        {
            "time": f"2026-11-02T08:00:{n:02}Z",
            "remote_addr": "203.0.113.7",
            "status": 401,
            **dict.fromkeys(
                ("service", "environment", "user", "method", "scheme", "host", "path", "query"),
                canary,
            ),
            **dict.fromkeys(
                ("user_agent", "referrer", "protocol", "request_id", "api_key", "country", "extra"),
                canary,
            ),
        }
        for n in range(30)
    ]
    malformed = [{**row, "method": None, "path": None, "request": canary} for row in rows]
    return [*map(json.dumps, rows), *map(json.dumps, malformed), '{"time": "' + canary, canary]


def everything_below(folder: Path, besides: Path) -> bytes:
    files = [f for f in folder.rglob("*") if f.is_file() and besides not in f.parents]
    assert files
    return b"".join(file.read_bytes() for file in files)


def absent(canary: str, content: bytes) -> None:
    assert canary.encode() not in content
    assert canary[8:20].encode() not in content


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("form", ["combined", "json"])
def test_a_scan_writes_no_secret(
    canary: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "logs").mkdir()
    lines = lines_with(canary) if form == "combined" else records_with(canary)
    log = written(tmp_path / "logs" / "a.log", lines)
    runner = CliRunner()
    results = [
        runner.invoke(cli, ["scan", "--format", form, str(log)]),
        runner.invoke(cli, ["scan", "--format", form, "--json", str(log)]),
        runner.invoke(cli, ["incidents", "--detector", "auth_failure_burst", "--json"]),
        runner.invoke(cli, ["normalise", "--format", form, str(log)]),
    ]
    number = str(json.loads(results[2].stdout.splitlines()[0])["id"])
    results += [
        runner.invoke(cli, ["incidents", "show", number]),
        runner.invoke(cli, ["incidents", "show", number, "--json"]),
    ]
    assert [result.exit_code for result in results] == [0] * 6
    assert "auth_failure_burst" in results[1].stdout
    assert "401" in results[4].stdout
    for result in results:
        absent(canary, result.output.encode())
    absent(canary, everything_below(tmp_path, besides=tmp_path / "logs"))


@pytest.mark.parametrize("canary", CANARIES[:3])
def test_the_service_writes_and_tells_no_secret(
    canary: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "a.log"
    log.touch()
    engine = open_database(sqlite_url(tmp_path / "v.db"))
    source = FileSource(paths=(str(log),), format="combined")
    routing = Routing.everything_to("default")
    worker = Worker([source], Detection(load_catalogue()), Store(engine), routing=routing)
    written(log, [*lines_with(canary), combined(40), combined(59)])
    stop = Event()
    while worker.step(stop):
        pass
    stop.set()
    worker.run(stop)
    secret = tmp_path / "server.secret"
    _, key = KeyStore(engine, secret).create_key("test", Role.VIEWER, utc_now())
    client = TestClient(create_api(engine, secret, health=worker.health))
    answers = [_ask(client, key, path) for path in ("", "/1")]
    assert b"malformed_requests" in answers[0]
    captured = capfd.readouterr()
    absent(canary, b"".join(answers) + captured.out.encode() + captured.err.encode())
    absent(canary, everything_below(tmp_path, besides=tmp_path / "logs"))
    engine.dispose()


def _ask(client: TestClient, key: SecretStr, path: str) -> bytes:
    answer = client.get(f"/api/v1/incidents{path}", headers={"X-API-Key": key.get_secret_value()})
    assert answer.status_code == 200
    return answer.content
