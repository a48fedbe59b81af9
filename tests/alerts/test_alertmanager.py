"""What an Alertmanager is told, as its API has it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from alerts.messages import render
from alerts.messages.notices import Item, Notice
from alerts.routing.target import Target
from alerts.transports import transport_of
from alerts.transports.alertmanager import (
    FIRES_FOR,
    TEST_FIRES_FOR,
    AlertmanagerTransport,
    alerts,
)
from ingest.times import iso
from tests.receivers.notices import INCIDENT, START, about, incident, notice
from tests.receivers.web import WebReceiver

NOW = START + timedelta(minutes=5)


def test_an_open_incident_is_an_alert_that_fires() -> None:
    (alert,) = alerts(notice(link="https://vedette.example"), NOW)
    assert alert == {
        "labels": {
            "alertname": "VedetteIncident",
            "incident": "17",
            "severity": "high",
            "entity_type": "client",
            "entity": "203.0.113.7",
        },
        "annotations": {
            "summary": INCIDENT.summary,
            "news": "new incident",
            "since": "2025-11-03 09:00:00 UTC",
            "last_seen": "2025-11-03 09:02:00 UTC",
            "status": "open",
            "detectors": "web-recon-404",
            "services": "shop",
            "stages": "reconnaissance",
            "look": "https://vedette.example/incidents/17",
            "reference": "mark-1",
        },
        "startsAt": iso(START),
        "endsAt": iso(NOW + FIRES_FOR),
        "generatorURL": "https://vedette.example/incidents/17",
    }


def test_without_a_page_the_command_is_where_to_look() -> None:
    given = notice(options=" --config /etc/vedette.toml")
    (alert,) = alerts(given, NOW)
    assert alert["annotations"]["look"] == ("vedette incidents show 17 --config /etc/vedette.toml")
    *_, rest = alerts(replace(given, digest=True, incidents=9), NOW)
    assert rest["annotations"]["look"] == "vedette incidents --config /etc/vedette.toml"
    *_, rest = alerts(replace(given, digest=True, incidents=9, link="https://v.example"), NOW)
    assert rest["annotations"]["look"] == "https://v.example/incidents"


def test_a_test_ends_by_itself() -> None:
    (alert,) = alerts(about("test"), NOW)
    assert alert["annotations"]["news"] == "a test"
    assert alert["endsAt"] == iso(NOW + TEST_FIRES_FOR)


@pytest.mark.parametrize(
    ("transition", "status"), [("calm:1", "resolved"), ("resolved:3", "closed")]
)
def test_what_has_ended_ends_with_the_same_labels(transition: str, status: str) -> None:
    (begun,) = alerts(about("opened"), NOW)
    over, *lower = alerts(about(transition, status=status), NOW)
    assert [alert["labels"]["severity"] for alert in lower] == ["medium", "low", "informational"]
    assert {alert["endsAt"] for alert in lower} == {iso(NOW)}, "it may have been told as that"
    assert over["labels"] == begun["labels"]
    assert (over["startsAt"], over["endsAt"]) == (iso(START), iso(INCIDENT.last_at))
    (again,) = alerts(about("returned:2"), NOW)
    assert again["labels"] == begun["labels"]
    assert again["endsAt"] == iso(NOW + FIRES_FOR)


def test_no_alert_ends_before_it_starts_or_in_time_to_come() -> None:
    ahead = incident(status="resolved", last_at=NOW + timedelta(hours=1))
    alert, *_ = alerts(notice(ahead), NOW)
    assert alert["endsAt"] == iso(NOW)
    alert, *_ = alerts(notice(incident(status="resolved")), START - timedelta(days=1))
    assert alert["endsAt"] == iso(START)


def test_a_raised_severity_ends_the_alerts_of_the_lower_ones() -> None:
    raised, *lower = alerts(about("severity:high"), NOW)
    assert raised["labels"]["severity"] == "high"
    assert raised["endsAt"] == iso(NOW + FIRES_FOR)
    assert [alert["labels"]["severity"] for alert in lower] == ["medium", "low", "informational"]
    assert {alert["endsAt"] for alert in lower} == {iso(NOW)}


def test_a_digest_says_how_many_have_no_alert() -> None:
    items = tuple(Item(incident(id=n), ("opened",)) for n in range(3))
    *named, rest = alerts(Notice(items, "mark-1", digest=True, incidents=412), NOW)
    assert [alert["labels"]["incident"] for alert in named] == ["0", "1", "2"]
    assert rest["labels"] == {"alertname": "VedetteIncidents", "severity": "high"}
    assert rest["annotations"]["summary"].startswith("412 incidents came at once; 409 of them")
    assert rest["endsAt"] == iso(NOW + FIRES_FOR)


def test_a_digest_of_what_is_over_fires_nothing() -> None:
    items = tuple(Item(incident(id=n, status="resolved"), ("calm:1",)) for n in range(3))
    *_, rest = alerts(Notice(items, "mark-2", digest=True, incidents=412), NOW)
    assert (rest["startsAt"], rest["endsAt"]) == (iso(NOW), iso(NOW))


@pytest.mark.parametrize(
    ("before_host", "header"),
    [
        ("", None),
        ("tok%2Fen@", "Bearer tok/en"),
        ("ops:p%40ss@", "Basic b3BzOnBAc3M="),
        ("ops:@", "Basic b3BzOg=="),
    ],
)
@pytest.mark.parametrize(("path", "posted"), [("", ""), ("/", ""), ("/am/", "/am")])
def test_it_is_posted_where_and_as_whom_the_address_says(
    web: WebReceiver,
    before_host: str,
    header: str | None,
    path: str,
    posted: str,
) -> None:
    target = Target("am", SecretStr(f"alertmanager://{before_host}{web.address}{path}"))
    assert transport_of(target).deliver(render(notice(), target)).delivered
    (request,) = web.requests
    assert request.path == f"{posted}/api/v2/alerts"
    assert request.headers.get("Authorization") == header
    assert request.headers["Content-Type"] == "application/json"
    assert datetime.fromisoformat(request.json()[0]["endsAt"]) > START


def test_tls_is_verified(web: WebReceiver) -> None:
    target = Target("am", SecretStr(f"alertmanagers://{web.address}"))
    outcome = transport_of(target).deliver(render(notice(), target))
    assert not outcome.delivered
    assert outcome.error == "the certificate or TLS was not accepted"
    assert web.requests == []


def test_an_answer_in_small_parts_has_its_end(web: WebReceiver) -> None:
    web.plan = ["drip"]
    target = Target("am", SecretStr(f"alertmanager://{web.address}"))
    transport = AlertmanagerTransport(target, seconds=0.3)
    outcome = transport.deliver(render(notice(), target))
    assert (outcome.delivered, outcome.error) == (False, "timed out")
    assert transport.deliver(render(notice(), target)).delivered


def test_a_fault_of_the_program_is_no_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("token")

    monkeypatch.setattr("alerts.transports.alertmanager.alerts", fail)
    transport = AlertmanagerTransport(Target("am", SecretStr("alertmanager://127.0.0.1:9")))
    with pytest.raises(KeyError):
        transport.deliver(render(notice(), Target("am", SecretStr("json://127.0.0.1"))))
