"""What is counted of requests, and what whoever asks cannot do to it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.actions import Change, change_incident
from alerts.sending.backlog import open_by_severity
from alerts.storage.store import Store
from api.request_metrics import NO_ROUTE, OTHER, Asked, RequestCounts
from tests.api.calls import NOW, Api, application, finding

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def counts(api: Api) -> RequestCounts:
    found: RequestCounts = api.app.state.services.requests
    return found


def test_requests_are_counted_by_template_method_and_status(api: Api) -> None:
    """Whoever asks for a million paths makes no million of metrics."""
    client = api.client(Role.ANALYST)
    for number in range(20):
        client.get(f"/api/v1/incidents/{number + 1}")
        client.get(f"/made/up/{number}")
        client.request(f"MADE{number}", "/healthz")
    api.client(None).get("/api/v1/incidents/1")
    assert counts(api).answers == {
        (Asked("GET", "/api/v1/incidents/{incident_id}"), 404): 20,
        (Asked("GET", "/api/v1/incidents/{incident_id}"), 401): 1,
        (Asked("GET", NO_ROUTE), 404): 20,
        (Asked(OTHER, "/healthz"), 405): 20,
    }
    durations = counts(api).durations[Asked("GET", NO_ROUTE)].read()
    assert durations.counts[-1] == 20


def test_what_breaks_is_counted_too(engine: Engine, tmp_path: Path) -> None:
    with application(engine, tmp_path) as api:

        @api.app.get("/broken")
        def broken() -> None:
            raise ArithmeticError

        assert api.client(None).get("/broken").status_code == 500
        assert counts(api).answers == {(Asked("GET", "/broken"), 500): 1}


def test_early_refusals_are_counted(api: Api) -> None:
    client = TestClient(api.app)
    api.opened.append(client)
    assert client.get("/healthz", headers={"X-Long": "x" * 20_000}).status_code == 431
    assert counts(api).answers == {(Asked("GET", NO_ROUTE), 431): 1}


def test_open_incidents_by_severity(engine: Engine) -> None:
    store = Store(engine)
    found = [finding(0, f"203.0.113.{n}", "burst" if n < 3 else "recon") for n in range(5)]
    store.record(found, watermark=None)
    expected = {"informational": 0, "low": 0, "medium": 2, "high": 3, "critical": 0}
    assert open_by_severity(engine) == expected
    change_incident(engine, 1, Change(status="acknowledged"), actor="mia", now=NOW)
    assert sum(open_by_severity(engine).values()) == 4
