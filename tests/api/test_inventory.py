"""Endpoints, rules, what is learned, and an incident as a file."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.exports.complete import complete
from alerts.lists.queries import get_incident
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from alerts.traffic.endpoints import delete_endpoints
from api.application import ApiOptions
from api.detectors import DetectorAnswer
from detectors.learned.families import Families
from detectors.learned.family import Learning
from detectors.learned.inventory import EndpointDay
from tests.api.calls import NOW, Api, application, finding
from vedette.described import described, described_rules
from vedette.learning import learning_of
from vedette.rules import catalogue_of
from vedette.settings import settings_from

SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

RULE = """\
title: Log-ins of the shop   # seen by everybody
name: shop_login
logsource:
  category: webserver
detection:
  selection:
    cs-uri-stem: /login
  condition: selection
---
title: Many log-ins of the shop
name: shop_logins
correlation:
  type: event_count
  rules:
    - shop_login
  group-by:
    - c-ip
  timespan: 10m
  condition:
    gte: 5
level: low
"""


def endpoint(template: str, **changes: Any) -> EndpointDay:
    ordinary: dict[str, Any] = dict.fromkeys(EndpointDay._fields, 0)
    ordinary |= {"service": "shop", "method": "GET", "template": template, "role": "edge"}
    ordinary |= {"day": 20_395, "requests": 10, "answered": 7, "standing": None}
    ordinary |= {"first": 1_762_160_000_000_000, "last": 1_762_160_400_000_000}
    return EndpointDay(**(ordinary | changes))


def record(engine: Engine, *rows: EndpointDay) -> None:
    checkpoint = Checkpoint(2, "f", None)
    Store(engine).record([], watermark=None, checkpoint=checkpoint, endpoints=rows)


def test_endpoints_page_to_the_end_in_the_order_of_the_database(api: Api) -> None:
    names = ("/b", "/a", "/B", "/ä", "/a/{id}")
    rows = [endpoint(each, service=service) for each in names for service in ("shop", None)]
    record(api.engine, *rows, endpoint("/a", method="POST"))
    client = api.client()
    everything = client.get("/api/v1/endpoints").json()
    assert everything["next_after"] is None
    assert len(everything["items"]) == 11
    assert [item["service"] for item in everything["items"]][:6] == [None] * 5 + ["shop"]
    paged: list[Any] = []
    after = ""
    while after is not None:
        page = client.get(f"/api/v1/endpoints?limit=3{after and f'&after={after}'}").json()
        paged += page["items"]
        after = page["next_after"]
    assert paged == everything["items"]


@SQLITE
def test_endpoints_are_filtered_and_counted(api: Api) -> None:
    record(
        api.engine,
        endpoint("/orders/{id}", status_2xx=7, with_user=4, over_https=10),
        endpoint("/orders/{id}", day=20_394, requests=5, answered=5),
        endpoint("/old", standing="deprecated", service="pay", method="POST"),
        endpoint("/inner", role="internal"),
    )
    client = api.client()

    def found(query: str) -> list[str]:
        items = client.get(f"/api/v1/endpoints?{query}").json()["items"]
        return [item["template"] for item in items]

    (orders,) = client.get("/api/v1/endpoints?text=ORDERS").json()["items"]
    assert (orders["requests"], orders["answered"], orders["statuses"]) == (15, 12, ["2xx"])
    assert client.get("/api/v1/endpoints?text=orders&days=1").json()["items"][0]["requests"] == 10
    assert found("service=pay") == found("method=post") == found("state=deprecated") == ["/old"]
    assert found("role=internal") == ["/inner"]
    assert found("caller=user") == ["/orders/{id}"]
    assert found("state=unknown") == ["/inner", "/orders/{id}"]
    assert found("since=2026-01-01T00:00:00Z") == []
    assert client.get("/api/v1/endpoints?colour=red").status_code == 422


@SQLITE
def test_a_page_after_an_endpoint_that_is_gone(api: Api) -> None:
    record(api.engine, endpoint("/a"), endpoint("/b"))
    first = api.client().get("/api/v1/endpoints?limit=1").json()["next_after"]
    with api.engine.begin() as connection:
        delete_endpoints(connection, [first])
    answer = api.client().get(f"/api/v1/endpoints?limit=1&after={first}")
    assert answer.status_code == 400
    assert "begin again" in answer.json()["detail"]


@SQLITE
def test_rules_are_told_as_written_and_as_compiled(
    api: Api, engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "rules" / "deep"
    folder.mkdir(parents=True)
    (folder / "shop.yml").write_text(RULE)
    settings = settings_from(
        f"[rules]\nfolders = ['{tmp_path / 'rules'}']\n"
        "[detectors.shop_logins]\nthreshold = 9\n"
        "exceptions = [{ client = '192.0.2.1', why = 'ours' }]\n"
        "[detectors.auth_failure_burst]\nenabled = false\n"
    )
    rules = described_rules(catalogue_of(settings), settings.detectors, settings.rules.folders)
    with application(engine, tmp_path, ApiOptions(rules=lambda: rules)) as opened:
        client = opened.client()
        listed = {each["name"]: each for each in client.get("/api/v1/rules").json()}
        own = client.get("/api/v1/rules/shop_logins").json()
        part = client.get("/api/v1/rules/shop_login").json()
        assert str(tmp_path) not in client.get("/api/v1/rules").text + json.dumps([own, part])
        assert client.get("/api/v1/rules/nothing").status_code == 404
    assert part["written"] + "---\n" + own["written"] == RULE
    assert (own["origin"], own["file"], own["line"]) == ("own", "deep/shop.yml", 10)
    assert (own["compiled"]["threshold"], own["compiled"]["exceptions"]) == (9, 1)
    assert (own["compiled"]["window_seconds"], own["compiled"]["pane_seconds"]) == (600.0, 10.0)
    assert (part["fires"], part["compiled"], part["type"]) == (False, None, "plain")
    off = listed["auth_failure_burst"]
    assert (off["enabled"], off["fires"], off["origin"]) == (False, False, "built-in")
    assert "written" not in off


class Pupil:
    """A family that has learned so far."""

    name = "pupil"

    def __init__(self, *rows: Learning) -> None:
        self.detectors = dict.fromkeys(("error_spike", "volume_spike"))
        self.rows = list(rows)

    def status(self) -> list[Learning]:
        return self.rows


BEGUN = datetime(2026, 11, 2, tzinfo=UTC)


def families(*rows: Learning) -> Families:
    pupil: Any = Pupil(*rows)
    return Families([pupil])


def test_learning_tells_how_far_and_why_not() -> None:
    def row(days: int, series: int) -> Learning:
        return Learning("error_spike", "service", "services", BEGUN, days, 7, series)

    told = learning_of(families(row(3, 2), row(6, 1), row(7, 4)))
    partly = told["error_spike"]
    assert (partly.ready, partly.learned, partly.series) == (True, 4, 7)
    assert (partly.day, partly.of_days, partly.since) == (3, 7, BEGUN)
    assert partly.waits_for == "4 more days of traffic of 3 series"
    nothing = told["volume_spike"]
    assert (nothing.ready, nothing.series, nothing.since) == (False, 0, None)
    assert nothing.waits_for == "traffic that it watches"
    all_of_it = learning_of(families(row(7, 4)))["error_spike"]
    assert (all_of_it.ready, all_of_it.waits_for, all_of_it.day) == (True, None, 7)


@SQLITE
def test_detectors_say_what_they_have_learned(engine: Engine, tmp_path: Path) -> None:
    row = Learning("error_spike", "service", "services", BEGUN, 3, 7, 2)
    learning = learning_of(families(row))["error_spike"]
    detector, other, *_ = described(catalogue_of(settings_from("")), {})
    shown: tuple[DetectorAnswer, ...] = (replace(detector, learning=learning), other)
    with application(engine, tmp_path, ApiOptions(detectors=lambda: shown)) as opened:
        told = opened.client().get(f"/api/v1/detectors/{detector.name}").json()
        assert opened.client().get(f"/api/v1/detectors/{other.name}").json()["learning"] is None
    assert told["learning"] == {
        "ready": False,
        "series": 2,
        "learned": 0,
        "day": 3,
        "of_days": 7,
        "since": "2026-11-02T00:00:00Z",
        "waits_for": "4 more days of traffic of 2 series",
    }


@SQLITE
def test_an_incident_as_a_file(api: Api) -> None:
    Store(api.engine).record([finding(0, "=cmd()")], watermark=None)
    client = api.client()
    plain = client.get("/api/v1/incidents/1/export")
    detail = get_incident(api.engine, 1)
    assert detail is not None
    assert plain.json() == json.loads(json.dumps(complete(detail)))
    assert plain.headers["Content-Type"] == "application/x-ndjson"
    assert plain.headers["Content-Disposition"] == 'attachment; filename="incident-1.json"'
    assert "RateLimit" in plain.headers
    finding_event = client.get("/api/v1/incidents/1/export?format=ocsf")
    assert finding_event.json()["class_uid"] == 2004
    assert finding_event.headers["Content-Disposition"].endswith('"incident-1.ocsf.json"')
    table = client.get("/api/v1/incidents/1/export?format=csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert row["entity"].startswith("'="), "no formula"
    assert client.get("/api/v1/incidents/1/export?format=pdf").status_code == 422
    assert client.get("/api/v1/incidents/2/export").status_code == 404
    assert api.client(Role.VIEWER, "detectors").get("/api/v1/incidents/1/export").status_code == 403
    assert NOW.year == detail.incident.started_at.year
