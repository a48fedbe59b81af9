"""Stages of an attack, and the severity that they add up to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.content import content_of
from alerts.incidents.stages import (
    Stage,
    reached_at,
    severity_of,
    stage_of,
    technique_of,
    techniques,
)
from alerts.incidents.summary import summarise
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RECON = ("attack.reconnaissance", "attack.t1595.003", "owasp.api9")
FAILURES = ("attack.credential-access", "attack.t1110", "owasp.api2")
PAYLOAD = ("attack.initial-access", "attack.t1190")
SUCCESS = ("attack.initial-access", "attack.t1078")
FLOOD = ("attack.impact", "attack.t1499.002")


def finding(
    tags: tuple[str, ...],
    first: int = 0,
    last: int = 1,
    level: Level = Level.MEDIUM,
    **changes: Any,
) -> Finding:
    values: dict[str, Any] = {
        "detector": tags[-1],
        "entity_type": "client",
        "entity": "203.0.113.7",
        "first": START + first * MINUTE,
        "last": START + last * MINUTE,
        "value": 23,
        "threshold": 20,
        "unit": "refused log-ins",
        "window": MINUTE,
        "level": level,
        "tags": tags,
    }
    return Finding(**{**values, **changes})


@pytest.mark.parametrize(
    ("tags", "stage"),
    [
        (RECON, Stage.RECONNAISSANCE),
        (("attack.discovery",), Stage.RECONNAISSANCE),
        (FAILURES, Stage.FAILURES),
        (("attack.t1110.004",), Stage.FAILURES),
        (PAYLOAD, Stage.EXPLOITATION),
        (SUCCESS, Stage.SUCCESS),
        (("attack.t1078.004",), Stage.SUCCESS),
        (("attack.initial-access",), Stage.SUCCESS),
        ((*FAILURES, *SUCCESS), Stage.SUCCESS),
        (FLOOD, None),
        ((), None),
    ],
)
def test_stages(tags: tuple[str, ...], stage: Stage | None) -> None:
    assert stage_of(tags) is stage


def test_sub_techniques_go_with_their_technique() -> None:
    assert technique_of("attack.t1110.003") == "attack.t1110"
    assert [technique_of(tag) for tag in ("attack.t1110", "owasp.api2", "attack.tea.123")] == [
        "attack.t1110",
        "owasp.api2",
        "attack.tea.123",
    ]
    assert techniques(["attack.t1110.001", "attack.t1110.003", "owasp.api2"]) == {
        "attack.t1110",
        "owasp.api2",
    }


@pytest.mark.parametrize(
    ("findings", "severity"),
    [
        ([finding(RECON)], Level.MEDIUM),
        ([finding(RECON), finding(RECON, level=Level.LOW)], Level.MEDIUM),
        ([finding(RECON), finding(FLOOD)], Level.MEDIUM),
        ([finding(RECON), finding(FAILURES)], Level.HIGH),
        ([finding(RECON), finding(PAYLOAD)], Level.HIGH),
        ([finding(RECON, level=Level.HIGH), finding(FAILURES), finding(PAYLOAD)], Level.CRITICAL),
        ([finding(RECON, level=Level.CRITICAL), finding(FAILURES)], Level.CRITICAL),
        ([finding(SUCCESS, level=Level.HIGH)], Level.HIGH),
        ([finding(FAILURES, 0, 1), finding(SUCCESS, 2, 3)], Level.CRITICAL),
        ([finding(RECON, 0, 1), finding(SUCCESS, 2, 3)], Level.CRITICAL),
        ([finding(FAILURES, 0, 1), finding(SUCCESS, 0, 0)], Level.CRITICAL),
        ([finding(FAILURES, 4, 5), finding(SUCCESS, 2, 3)], Level.HIGH),
        ([finding(FLOOD, 0, 1), finding(SUCCESS, 2, 3, Level.HIGH)], Level.HIGH),
    ],
)
def test_severity(findings: list[Finding], severity: Level) -> None:
    assert severity_of(findings) is severity


def test_what_is_only_monitored_adds_no_stage() -> None:
    trial = finding(RECON, mode="monitor")
    assert content_of((trial, finding(FAILURES))).severity is Level.MEDIUM


def test_severity_is_reached_when_the_stage_begins() -> None:
    findings = [finding(SUCCESS, 7, 8), finding(FLOOD, 9, 10), finding(FAILURES, 1, 5)]
    assert reached_at(findings) == START + 7 * MINUTE


staged = st.builds(
    finding,
    st.sampled_from([RECON, FAILURES, PAYLOAD, SUCCESS, FLOOD]),
    st.integers(0, 20),
    st.integers(20, 40),
    st.sampled_from(Level),
)


@given(st.lists(staged, min_size=1, max_size=6), staged, st.randoms())
def test_severity_never_falls_and_knows_no_order(
    findings: list[Finding], more: Finding, random: Any
) -> None:
    severity = severity_of(findings)
    assert severity >= max(f.level for f in findings)
    assert severity_of([*findings, more]) >= severity
    moment = reached_at(findings)
    random.shuffle(findings)
    assert severity_of(findings) is severity
    assert reached_at(findings) == moment
    assert severity_of([f for f in findings if f.first <= moment]) >= severity


def test_a_success_is_told_with_what_led_to_it() -> None:
    login = finding(SUCCESS, 5, 6, Level.HIGH, value=1, threshold=1, unit="log-in that worked")
    scan = finding(RECON, value=60, threshold=10, unit="distinct missing paths")
    text = summarise(
        [finding(FAILURES, level=Level.HIGH), login, scan, finding(FLOOD, unit="hits")]
    )
    assert text == (
        "Client 203.0.113.7: 1 log-in that worked within 60 s (limit 1) and"
        " 23 hits within 60 s (limit 20), after 23 refused log-ins within 60 s (limit 20) and"
        " 60 distinct missing paths within 60 s (limit 10), from 09:00:00 to 09:06:00 UTC."
    )


@pytest.mark.parametrize(
    ("entity_type", "entity", "begins"),
    [
        ("route", "POST /login", "41 clients refused on POST /login within 60 s (limit 25)"),
        ("user", "u17", "41 clients refused as user u17 within"),
        ("network", "203.0.113.0/24", "41 clients refused from network 203.0.113.0/24 within"),
        ("service", "shop", "41 clients refused in service shop within"),
        ("api_key", "k1", "41 clients refused with API key k1 within"),
        ("source", "access.log", "41 clients refused in log access.log within"),
        ("all", "all", "All traffic: 41 clients refused within"),
    ],
)
def test_many_clients_are_the_subject(entity_type: Any, entity: str, begins: str) -> None:
    one = finding(
        FAILURES,
        entity_type=entity_type,
        entity=entity,
        value=41,
        threshold=25,
        unit="clients refused",
    )
    assert summarise([one], 41).startswith(begins)
    assert summarise([one], 1).endswith(", 1 client in all, from 09:00:00 to 09:01:00 UTC.")
    assert summarise([one], 1_041).endswith(
        "(limit 25), 1,041 clients in all, from 09:00:00 to 09:01:00 UTC."
    )


@pytest.mark.parametrize(
    ("entity_type", "begins"),
    [
        ("user", "User e: 23 refused"),
        ("source", "Log e: 23 refused"),
        ("all", "All traffic: 23 refused"),
        ("api_key", "API key e: 23 refused"),
    ],
)
def test_other_entities_are_named_first(entity_type: Any, begins: str) -> None:
    assert summarise([finding(FAILURES, entity_type=entity_type, entity="e")]).startswith(begins)
