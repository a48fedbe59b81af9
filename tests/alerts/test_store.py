"""Findings into incidents: any order, any cut, any repetition."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update

from alerts.actions import Change, change_incident
from alerts.database.models import (
    CheckpointRow,
    EvidenceRow,
    FindingRow,
    IncidentRow,
    Model,
    NotificationRow,
    TimelineRow,
    table_of,
)
from alerts.database.safety import NOTE_LIMIT
from alerts.incidents.lifecycle import Resolution, Status
from alerts.lists.queries import get_incident, list_incidents
from alerts.recovery.checkpoint import Checkpoint, CheckpointError
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.findings import Evidence, Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
TODAY = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPS = Routing.everything_to("ops")


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def finding(
    first: float,
    last: float,
    detector: str = "recon",
    entity: str = "203.0.113.7",
    **changes: Any,
) -> Finding:
    values: dict[str, Any] = {
        "detector": detector,
        "entity_type": "client",
        "entity": entity,
        "first": at(first),
        "last": at(last),
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 2 * MINUTE,
        "level": Level.MEDIUM,
        "tags": ("attack.t1595",),
        "evidence": (Evidence(at(first), "log", int(first * 60), "GET /x"),),
    }
    return Finding(**{**values, **changes})


def rows(engine: Engine, model: type[Model]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table_of(model)).order_by("id")).all())


def incidents(engine: Engine) -> list[Any]:
    return [row for row in rows(engine, IncidentRow) if row.merged_into is None]


def kinds(transitions: list[Any]) -> list[str]:
    return [transition.kind for transition in transitions]


def test_a_finding_opens_an_incident(engine: Engine) -> None:
    (transition,) = Store(engine).record([finding(0, 2)], watermark=at(3))
    assert transition.kind == "opened"
    view = transition.incident
    assert (view.severity, view.status, view.mode) == ("medium", "open", "alert")
    assert view.members == ("203.0.113.7",)
    assert view.started_at == at(0)
    assert view.last_at == at(2)
    assert view.summary == (
        "Client 203.0.113.7: 43 distinct missing paths within 2 min (limit 10),"
        " from 09:00:00 to 09:02:00 UTC."
    )
    (step,) = rows(engine, TimelineRow)
    assert (step.action, step.at, step.actor) == ("opened", at(0), "vedette")
    assert len(rows(engine, EvidenceRow)) == 1


def test_the_gap_decides_what_belongs_together(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1), finding(31, 32), finding(62.1, 63)], watermark=None)
    assert [row.started_at for row in incidents(engine)] == [at(0), at(62.1)]


def test_a_run_extends_its_finding(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1, value=12)], watermark=None)
    store.record([finding(2, 5, value=40)], watermark=None)
    (row,) = rows(engine, FindingRow)
    assert (row.first, row.last, row.value) == (at(0), at(5), 40)


def test_a_run_that_touches_two_findings_merges_them(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1), finding(5, 6)], watermark=None)
    assert len(rows(engine, FindingRow)) == 2
    store.record([finding(2, 4)], watermark=None)
    (row,) = rows(engine, FindingRow)
    assert (row.first, row.last) == (at(0), at(6))


def test_a_long_window_reaches_over_the_gap(engine: Engine) -> None:
    day = timedelta(hours=24)
    store = Store(engine)
    store.record(
        [finding(0, 1, "slow", window=day), finding(300, 301), finding(580, 581)], watermark=None
    )
    assert len(incidents(engine)) == 3
    store.record([finding(600, 601, "slow", window=day)], watermark=None)
    (row,) = incidents(engine)
    assert (row.started_at, row.last_at) == (at(0), at(601))


def test_the_elder_of_joining_incidents_stays(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(50, 51)], watermark=None)
    store.record([finding(0, 1, level=Level.LOW)], watermark=None)
    transitions = store.record([finding(25, 26, "burst", level=Level.LOW)], watermark=None)
    younger, elder = rows(engine, IncidentRow)
    assert (elder.status, elder.merged_into) == ("open", None)
    assert (elder.started_at, elder.last_at) == (at(0), at(51))
    assert (younger.status, younger.resolution) == ("closed", "duplicate")
    assert younger.merged_into == elder.id
    assert kinds(transitions)[-1] == "severity:medium"
    assert {row.incident_id for row in rows(engine, FindingRow)} == {elder.id}
    assert {row.incident_id for row in rows(engine, EvidenceRow)} == {elder.id}
    history = [(row.incident_id, row.action) for row in rows(engine, TimelineRow)]
    assert (younger.id, "merged") in history
    assert (elder.id, "joined") in history


def test_calm_resolves_and_news_reopen(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=at(10))
    assert incidents(engine)[0].status == "open"
    calm = store.record([], watermark=at(16.1))
    assert kinds(calm) == ["calm:1"]
    assert incidents(engine)[0].status == "resolved"
    assert store.record([], watermark=at(20)) == []
    back = store.record([finding(20, 21)], watermark=at(22))
    assert kinds(back) == ["returned:1"]
    assert incidents(engine)[0].status == "open"
    assert kinds(store.record([], watermark=at(37))) == ["calm:2"]
    assert [(row.action, row.at) for row in rows(engine, TimelineRow)] == [
        ("opened", at(0)),
        ("calm", at(16)),
        ("returned", at(20)),
        ("calm", at(36)),
    ]


def test_many_that_are_calm_are_resolved_some_at_a_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.storage.writing.CALM_LIMIT", 2)
    store = Store(engine)
    found = [finding(n, n, entity=f"203.0.113.{n}") for n in range(5)]
    store.record(found, watermark=None)
    some = store.record([], watermark=at(60), routing=OPS)
    assert [t.incident.entity for t in some] == ["203.0.113.0", "203.0.113.1"], "the oldest"
    rest = store.calm_down(at(60), routing=OPS)
    assert kinds(rest) == ["calm:1"] * 3
    assert {row.status for row in incidents(engine)} == {"resolved"}
    assert store.calm_down(at(60)) == []


def test_a_pause_inside_one_call_counts_as_it_would_live(engine: Engine) -> None:
    transitions = Store(engine).record([finding(0, 1), finding(20, 21)], watermark=at(22))
    assert kinds(transitions) == ["opened", "calm:1", "returned:1"]


def test_pauses_between_joining_incidents_count_too(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 10)], watermark=None)
    store.record([finding(50, 51)], watermark=None)
    transitions = store.record([finding(30, 31)], watermark=None)
    assert kinds(transitions) == ["calm:1", "returned:1", "calm:2", "returned:2"]


def test_what_was_merged_is_not_listed_but_can_be_read(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1), finding(50, 51)], watermark=None)
    store.record([finding(25, 26)], watermark=None)
    (listed,) = list_incidents(engine).items
    merged = get_incident(engine, 2)
    assert merged is not None
    assert merged.incident.merged_into == listed.id == 1


def decide(engine: Engine, status: Status, resolution: Resolution | None = None) -> None:
    change = Change(status=status, resolution=resolution)
    change_incident(engine, 1, change, actor="ann", now=TODAY)


@pytest.mark.parametrize("status", ["closed", "resolved"])
def test_what_a_person_ended_grows_but_stays(engine: Engine, status: Status) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=None)
    decide(engine, status, "benign")
    assert store.record([finding(20, 21)], watermark=at(60)) == []
    (row,) = incidents(engine)
    assert (row.status, row.resolution, row.last_at) == (status, "benign", at(21))


def test_what_a_person_closed_opens_when_severity_rises(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=None)
    decide(engine, "closed", "benign")
    transitions = store.record([finding(2, 3, "burst", level=Level.HIGH)], watermark=None)
    assert kinds(transitions) == ["severity:high"]
    (row,) = incidents(engine)
    assert (row.status, row.resolution, row.severity) == ("open", None, Level.HIGH)
    reopened = [row for row in rows(engine, TimelineRow) if row.action == "reopened"]
    assert [row.detail for row in reopened] == [{"status": "closed", "resolution": "benign"}]


def test_what_a_person_ended_having_seen_it_at_its_worst_stays_ended(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1, level=Level.HIGH)], watermark=None)
    decide(engine, "closed", "benign")
    assert store.record([finding(2, 3, "burst", level=Level.HIGH)], watermark=None) == []
    assert incidents(engine)[0].status == "closed"
    store.record([finding(4, 5, "worse", level=Level.CRITICAL)], watermark=None)
    assert incidents(engine)[0].status == "open"
    decide(engine, "closed", "benign")
    assert store.record([finding(6, 7, "last", level=Level.CRITICAL)], watermark=None) == []
    assert incidents(engine)[0].status == "closed"


def test_what_was_acknowledged_is_acknowledged_after_calm(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=None)
    decide(engine, "acknowledged")
    assert kinds(store.record([], watermark=at(17))) == ["calm:1"]
    store.record([finding(20, 21)], watermark=at(21))
    assert incidents(engine)[0].status == "acknowledged"


def test_what_a_person_opened_again_stays_so_until_something_new(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=at(20))
    assert incidents(engine)[0].status == "resolved"
    decide(engine, "open")
    for watermark in (at(20), at(60)):
        assert store.record([finding(0, 1)], watermark=watermark) == []
        assert incidents(engine)[0].status == "open"
    assert store.record([finding(20, 21)], watermark=at(21)) == []
    assert kinds(store.record([], watermark=at(40))) == ["calm:2"]


def test_a_decision_on_what_is_only_monitored_says_nothing_about_alerts(engine: Engine) -> None:
    store = Store(engine)
    trial = finding(0, 1, mode="monitor", level=Level.CRITICAL)
    store.record([trial], watermark=None)
    decide(engine, "closed", "benign")
    store.record([finding(2, 3, "trial too", mode="monitor")], watermark=None)
    assert incidents(engine)[0].status == "closed"
    transitions = store.record([finding(2, 3, "burst", level=Level.LOW)], watermark=None)
    assert kinds(transitions) == ["opened"]
    assert incidents(engine)[0].status == "open"


def test_a_new_stage_is_told_when_it_comes_not_when_it_was_there(engine: Engine) -> None:
    store = Store(engine)
    found = [finding(0, 1), finding(0, 1, "guess", tags=("attack.t1110",), level=Level.CRITICAL)]
    assert kinds(store.record(found, watermark=None)) == ["opened"]
    success = finding(3, 4, "success", tags=("attack.t1078",))
    assert kinds(store.record([success], watermark=None)) == ["stage:success"]
    assert store.record([success, *found], watermark=None) == []
    assert incidents(engine)[0].stages == ["failures", "success"]


def counted(clients: int, last: float = 5) -> Finding:
    members = frozenset(f"203.0.113.{n}" for n in range(clients))
    return finding(
        0, last, "many", "GET /", entity_type="route", members=members, level=Level.CRITICAL
    )


def test_passing_many_clients_is_told_once(engine: Engine) -> None:
    store = Store(engine)
    assert kinds(store.record([counted(12)], watermark=None)) == ["opened"]
    assert store.record([counted(90)], watermark=None) == []
    assert kinds(store.record([counted(100)], watermark=None)) == ["members:100"]
    assert store.record([counted(100), counted(101)], watermark=None) == []
    assert kinds(store.record([counted(1_000, 6)], watermark=None)) == ["members:1000"]
    passed = [row for row in rows(engine, TimelineRow) if row.action == "members"]
    assert [(row.at, row.detail) for row in passed] == [
        (at(5), {"members": 100}),
        (at(6), {"members": 1_000}),
    ]


def test_of_what_a_person_ended_nothing_is_told(engine: Engine) -> None:
    store = Store(engine)
    store.record([counted(5)], watermark=None)
    decide(engine, "closed", "benign")
    assert store.record([counted(12)], watermark=None, routing=OPS) == []
    assert "members" in {row.action for row in rows(engine, TimelineRow)}
    assert rows(engine, NotificationRow) == []


def test_what_joins_sends_nothing_more(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(50, 51)], watermark=None, routing=OPS)
    store.record([finding(0, 1)], watermark=None, routing=OPS)
    store.record([finding(25, 26)], watermark=None, routing=OPS)
    states = {(row.incident_id, row.transition): row.state for row in rows(engine, NotificationRow)}
    assert states[1, "opened"] == "rolled_up"
    assert states[2, "opened"] == "pending"


def test_monitored_findings_are_stored_and_silent(engine: Engine) -> None:
    store = Store(engine)
    monitored = finding(0, 1, mode="monitor", level=Level.CRITICAL)
    assert store.record([monitored], watermark=at(2), routing=OPS) == []
    assert (incidents(engine)[0].mode, rows(engine, NotificationRow)) == ("monitor", [])
    transitions = store.record([finding(2, 3, "burst")], watermark=at(3), routing=OPS)
    assert kinds(transitions) == ["opened"]
    (row,) = incidents(engine)
    assert (row.mode, row.severity) == ("alert", Level.MEDIUM)


def test_each_target_gets_one_row_a_transition(engine: Engine) -> None:
    store = Store(engine, now=lambda: at(500))
    for _ in range(2):
        store.record([finding(0, 1)], watermark=at(2), routing=Routing.everything_to("ops", "mail"))
    sent = rows(engine, NotificationRow)
    assert [(row.transition, row.target) for row in sent] == [("opened", "ops"), ("opened", "mail")]
    assert {row.created_at for row in sent} == {at(500)}
    assert [(row.state, row.route) for row in sent] == 2 * [("pending", "all")]


def test_a_lost_notification_row_is_not_written_twice(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1)], watermark=at(2), routing=OPS)
    with engine.begin() as connection:
        connection.execute(delete(TimelineRow))
        connection.execute(delete(EvidenceRow))
        connection.execute(delete(FindingRow))
        connection.execute(update(IncidentRow).values(mode="monitor"))
    store.record([finding(0, 1)], watermark=at(2), routing=OPS)
    assert len(rows(engine, NotificationRow)) == 1


def test_old_incidents_are_stored_not_sent(engine: Engine) -> None:
    store = Store(engine)
    transitions = store.record(
        [finding(0, 1), finding(70, 71, entity="other")], watermark=at(75), routing=OPS
    )
    assert "opened" in kinds(transitions)
    notified = {row.incident_id for row in rows(engine, NotificationRow)}
    assert notified == {row.id for row in incidents(engine) if row.entity == "other"}


def test_hostile_names_are_stored_printable_and_bounded(engine: Engine) -> None:
    name = "\x1b[31m\u202e\x00" + "x" * 5000
    evil = finding(
        0, 1, entity_type="user", entity=name, evidence=(Evidence(at(0), "l", 1, "\x1b]0;x\x07"),)
    )
    store = Store(engine)
    for _ in range(2):
        store.record([evil], watermark=None)
    (row,) = incidents(engine)
    assert row.entity.isprintable()
    assert row.summary.isprintable()
    assert len(row.entity) <= 512
    assert len(row.summary) < 400
    assert rows(engine, EvidenceRow)[0].text.isprintable()


def test_a_note_is_kept_and_grows_with_its_value(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(0, 1, value=20, note="Expected 3.")], watermark=None)
    store.record([finding(1, 2, value=30, note="Expected 4.\x1b[2J")], watermark=None)
    store.record([finding(2, 3, value=25, note="Expected 5.")], watermark=None)
    (row,) = incidents(engine)
    detail = get_incident(engine, row.id)
    assert detail is not None
    assert [found.note for found in detail.findings] == ["Expected 4.\\x1b[2J"]
    assert detail.to_dict()["findings"][0]["note"] == "Expected 4.\\x1b[2J"
    assert row.summary.endswith("UTC. Expected 4.\\x1b[2J")
    store.record([finding(3, 4, value=40, note="x" * 5_000)], watermark=None)
    assert len(rows(engine, FindingRow)[0].note) == NOTE_LIMIT


def test_long_names_that_differ_late_stay_apart(engine: Engine) -> None:
    names = ["x" * 600 + tail for tail in "ab"]
    Store(engine).record([finding(0, 1, entity=name) for name in names], watermark=None)
    assert len(incidents(engine)) == 2


def test_the_checkpoint_comes_back(engine: Engine) -> None:
    store = Store(engine)
    assert store.load_checkpoint() is None
    for number in (1, 2):
        checkpoint = Checkpoint(1, "f" * 16, at(number), {"log": {"offset": number}}, b"\x00state")
        store.record([], watermark=at(number), checkpoint=checkpoint)
        assert store.load_checkpoint() == checkpoint


@pytest.mark.parametrize(
    "damage",
    [
        {"state": b"other"},
        {"positions": {"log": 8}},
        {"watermark": at(9)},
        {"version": 2},
        {"fingerprint": "g"},
    ],
)
def test_a_damaged_checkpoint_is_noticed(engine: Engine, damage: dict[str, Any]) -> None:
    store = Store(engine)
    store.record([], watermark=None, checkpoint=Checkpoint(1, "f", at(1), {"log": 7}, b"state"))
    with engine.begin() as connection:
        connection.execute(update(CheckpointRow).values(damage))
    with pytest.raises(CheckpointError, match="checksum"):
        store.load_checkpoint()


def test_one_failure_leaves_nothing_behind(engine: Engine) -> None:
    bad = Checkpoint(1, "f", datetime(2025, 1, 1))  # noqa: DTZ001 - the fault to provoke
    with pytest.raises(Exception, match="zone"):
        Store(engine).record([finding(0, 1)], watermark=None, checkpoint=bad)
    assert incidents(engine) == []


LEVELS = {"recon": Level.MEDIUM, "burst": Level.HIGH, "slow": Level.LOW, "seen": Level.CRITICAL}
WINDOWS = {"recon": 2 * MINUTE, "burst": MINUTE, "slow": 90 * MINUTE, "seen": MINUTE}


@st.composite
def runs(draw: st.DrawFn) -> Finding:
    detector = draw(st.sampled_from(sorted(LEVELS)))
    first = draw(st.integers(0, 300))
    last = first + draw(st.integers(0, 20))
    times = draw(st.lists(st.integers(first, last), max_size=5))
    return finding(
        first,
        last,
        detector,
        draw(st.sampled_from(["a", "b"])),
        value=draw(st.integers(11, 50)),
        threshold=draw(st.sampled_from([10, 20])),
        window=WINDOWS[detector],
        level=LEVELS[detector],
        mode="monitor" if detector == "seen" else "alert",
        tags=(f"tag.{detector}",),
        evidence=tuple(
            Evidence(at(time), "log", time, f"GET /{time}", f"/{time}", 404) for time in times
        ),
    )


def final_incidents(engine: Engine) -> list[Any]:
    """All that findings decide, without ids and history."""
    found = []
    with engine.connect() as connection:
        for row in incidents(engine):
            parts: list[Any] = []
            for model in (FindingRow, EvidenceRow):
                table = table_of(model)
                query = select(table).where(table.c.incident_id == row.id)
                parts.append(
                    sorted(
                        str({k: v for k, v in r.items() if k not in {"id", "incident_id"}})
                        for r in connection.execute(query).mappings()
                    )
                )
            own = {
                k: v
                for k, v in row._mapping.items()
                if k not in {"id", "version", "calms", "merged_into"}
            }
            found.append((str(own), parts))
    return sorted(found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_order_cut_and_repetition_change_nothing(
    emptied: Callable[[], Engine], data: st.DataObject
) -> None:
    findings = data.draw(st.lists(runs(), max_size=14))
    end = at(330)
    engine = emptied()
    Store(engine).record(findings, watermark=end)
    expected = final_incidents(engine)

    engine = emptied()
    store = Store(engine)
    shuffled = data.draw(st.permutations(findings))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        part, shuffled = shuffled[:size], shuffled[size:]
        watermark = data.draw(st.sampled_from([None, at(40), at(200)]))
        for _ in range(data.draw(st.integers(1, 2))):
            store.record(part, watermark=watermark)
    store.record([], watermark=end)
    assert final_incidents(engine) == expected

    before = rows(engine, TimelineRow), rows(engine, IncidentRow)
    assert store.record(findings, watermark=end) == []
    assert (rows(engine, TimelineRow), rows(engine, IncidentRow)) == before
