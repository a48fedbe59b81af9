"""What the service logs of requests: who changed what, what failed, under which id."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from alerts.access.keys import Role
from alerts.storage.store import Store
from tests.api.calls import Api, application, finding
from vedette.log_lines import log_to_stderr

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    lines = capsys.readouterr().err.splitlines()
    return [entry for line in lines if (entry := json.loads(line))["event"] == event]


def test_a_change_says_who_changed_what(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(as_json=True)
    Store(api.engine).record([finding(0)], watermark=None)
    client = api.client(Role.ANALYST)
    headers = {"If-Match": "*", "X-Request-Id": "abc-1"}
    path = "/api/v1/incidents/1"
    assert client.patch(path, json={"assignee": "mia"}, headers=headers).status_code == 200
    (entry,) = logged(capsys, "change over the API")
    assert entry["request_id"] == "abc-1"
    assert (entry["incident"], entry["subject"], entry["actor"]) == ("1", "incident 1", "test")
    assert entry["request"] == "PATCH /api/v1/incidents/{incident_id}"
    assert entry["caller"].startswith("key:")
    client.get(path)
    assert logged(capsys, "change over the API") == [], "reading is no change"


def test_what_fails_is_logged_under_its_id(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr(as_json=True)
    with application(engine, tmp_path) as api:

        @api.app.get("/broken")
        def broken() -> None:
            raise ArithmeticError("secret-of-ours")

        api.client(None).get("/broken", headers={"X-Request-Id": "abc-2"})
        (entry,) = logged(capsys, "request failed")
        assert (entry["request_id"], entry["error"]) == ("abc-2", "ArithmeticError")

        @api.app.get("/busy")
        def busy() -> None:
            structlog.get_logger("somewhere").warning("deep down")
            raise structlog.DropEvent

        api.client(None).get("/busy", headers={"X-Request-Id": "abc-3"})
        (deep,) = logged(capsys, "deep down")
        assert deep["request_id"] == "abc-3", "whatever is logged on the way"


def test_no_answer_of_the_database_is_logged_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr(as_json=True)
    client = api.client()
    assert client.get("/api/v1/incidents").status_code == 200
    monkeypatch.setattr(api.engine, "connect", refuse)
    answer = client.get("/api/v1/incidents", headers={"X-Request-Id": "abc-4"})
    assert answer.status_code == 503
    (entry,) = logged(capsys, "request failed")
    assert (entry["request_id"], entry["status"]) == ("abc-4", 503)
    assert entry["request"] == "GET /api/v1/incidents"
    assert client.get("/readyz").status_code == 503
    assert logged(capsys, "request failed") == [], "a probe that says no did not fail"


def refuse() -> None:
    raise OperationalError("select", {}, Exception("gone"))


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[2J", '{"a": "b"}', "\u202eabc", "x" * 100_000, "\x00"]
)
def test_hostile_values_stay_one_line_of_json(
    text: str, capsys: pytest.CaptureFixture[str], database_kind: str
) -> None:
    log_to_stderr(as_json=True)
    structlog.get_logger("hostile").warning(text, reason=text, places=[text], error=OSError(text))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert len(line) < 20_000
    entry = json.loads(line)
    assert set(entry) == {"timestamp", "level", "event", "reason", "places", "error"}


def test_less_severe_entries_are_left_out(
    capsys: pytest.CaptureFixture[str], database_kind: str
) -> None:
    log_to_stderr(logging.WARNING)
    structlog.get_logger("some").info("small")
    structlog.get_logger("some").warning("large")
    assert "event=large" in (said := capsys.readouterr().err)
    assert "small" not in said
