"""Incidents about clients that are part of one about many clients."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, update

from alerts.actions import Change, change_incident
from alerts.database.models import (
    FindingRow,
    IncidentRow,
    MemberRow,
    Model,
    NotificationRow,
    TimelineRow,
    table_of,
)
from alerts.incidents import content as limits
from alerts.incidents.views import IncidentView, Transition
from alerts.lists.queries import IncidentFilter, get_incident, list_incidents
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPS = Routing.everything_to("ops")
ROUTE = "POST /login"
GUESSING = ("attack.credential-access", "attack.t1110.003")


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def own(first: float, last: float, client: str, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "detector": "login_burst",
        "entity_type": "client",
        "entity": client,
        "first": at(first),
        "last": at(last),
        "value": 12,
        "threshold": 10,
        "unit": "log-in attempts",
        "window": MINUTE,
        "level": Level.MEDIUM,
        "tags": ("attack.credential-access", "attack.t1110.001"),
    }
    return Finding(**{**values, **changes})


def many(first: float, last: float, *clients: str, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "detector": "distributed_auth_failures",
        "entity_type": "route",
        "entity": ROUTE,
        "value": len(clients),
        "threshold": 2,
        "unit": "clients refused",
        "window": 5 * MINUTE,
        "level": Level.HIGH,
        "tags": GUESSING,
        "members": frozenset(clients),
    }
    return own(first, last, ROUTE, **{**values, **changes})


def rows(engine: Engine, model: type[Model]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table_of(model))).all())


def parents(engine: Engine) -> dict[tuple[str, datetime], str | None]:
    """The entity of the parent of each incident about a client."""
    stored = {row.id: row for row in rows(engine, IncidentRow) if row.merged_into is None}
    return {
        (row.entity, row.started_at): row.parent_id and stored[row.parent_id].entity
        for row in stored.values()
        if row.entity_type == "client"
    }


def of(engine: Engine, client: str) -> str | None:
    (parent,) = (parent for (entity, _), parent in parents(engine).items() if entity == client)
    return parent


def told(transitions: list[Transition]) -> list[tuple[str, str]]:
    return [(transition.incident.entity, transition.kind) for transition in transitions]


def listed(engine: Engine, **wanted: Any) -> set[str]:
    views: tuple[IncidentView, ...] = list_incidents(engine, IncidentFilter(**wanted)).items
    return {view.entity for view in views}


def test_a_member_that_does_nothing_else_is_part_and_silent(engine: Engine) -> None:
    store = Store(engine)
    found = [many(0, 9, "a", "b", "c"), own(1, 2, "a"), own(1, 2, "x")]
    transitions = store.record(found, watermark=at(10), routing=OPS)
    assert told(transitions) == [(ROUTE, "opened"), ("x", "opened")]
    assert len(rows(engine, NotificationRow)) == 2
    assert (of(engine, "a"), of(engine, "x")) == (ROUTE, None)
    steps = [row.action for row in rows(engine, TimelineRow) if row.detail == {"into": 1}]
    assert steps == ["rolled_up"]
    assert told(store.record([], watermark=at(60), routing=OPS)) == [
        ("x", "calm:1"),
        (ROUTE, "calm:1"),
    ]


def test_lists_show_it_if_asked_for(engine: Engine) -> None:
    Store(engine).record([many(0, 9, "a", "b"), own(1, 2, "a"), own(1, 2, "x")], watermark=None)
    assert listed(engine) == {ROUTE, "x"}
    assert listed(engine, include_members=True) == {ROUTE, "x", "a"}
    assert listed(engine, parent=1) == {"a"}


@pytest.mark.parametrize(
    ("finding", "part"),
    [
        (own(1, 2, "a", tags=("attack.t1110",)), True),
        (own(1, 2, "a", tags=()), True),
        (own(1, 2, "a", tags=("attack.t1111",)), False),
        (own(1, 2, "a", tags=("attack.t1595",)), False),
        (own(1, 2, "a", tags=("attack.t1595",), mode="monitor"), False),
        (own(-5, 2, "a"), True),
        (own(-5.1, 2, "a"), False),
        (own(8, 14, "a"), True),
        (own(8, 14.1, "a"), False),
        (own(1, 2, "a", mode="monitor"), False),
        (own(1, 2, "b"), False),
        (own(1, 2, "a", level=Level.CRITICAL), False),
        (many(1, 2, "a", entity="other", members=frozenset("a")), False),
    ],
)
def test_what_makes_it_part(engine: Engine, finding: Finding, part: bool) -> None:
    Store(engine).record([many(0, 9, "a"), finding], watermark=None)
    assert [row.parent_id is not None for row in rows(engine, IncidentRow)].count(True) == part


def test_the_slack_of_a_long_window_has_a_limit(engine: Engine) -> None:
    parent = many(0, 9, "a", "b", window=600 * MINUTE)
    Store(engine).record([parent, own(-30, 2, "a"), own(-31, 2, "b")], watermark=None)
    assert (of(engine, "a"), of(engine, "b")) == (ROUTE, None)


def test_monitored_findings_hide_nothing(engine: Engine) -> None:
    store = Store(engine)
    store.record([many(0, 9, "a", mode="monitor"), own(1, 2, "a")], watermark=None)
    assert of(engine, "a") is None
    silent = many(1, 2, "b", mode="monitor", detector="trial", tags=("attack.t1595",))
    store.record([many(1, 3, "a"), silent, own(1, 2, "b")], watermark=None)
    assert (of(engine, "a"), of(engine, "b")) == (ROUTE, None)
    (row,) = [row for row in rows(engine, IncidentRow) if row.entity == ROUTE]
    assert (row.member_count, row.members) == (1, ["a"])


def test_of_several_parents_the_largest_then_the_oldest_then_by_name(engine: Engine) -> None:
    store = Store(engine)
    store.record([own(5, 6, "a"), many(2, 9, "a", "b", entity="n")], watermark=None)
    assert of(engine, "a") == "n"
    store.record([many(2, 9, "a", "c", entity="m")], watermark=None)
    assert of(engine, "a") == "m"
    store.record([many(1, 9, "a", "d", entity="z")], watermark=None)
    assert of(engine, "a") == "z"
    store.record([many(3, 9, "a", "e", "f", entity="y")], watermark=None)
    assert of(engine, "a") == "y"
    actions = [row.action for row in rows(engine, TimelineRow) if row.action != "opened"]
    assert actions == ["rolled_up"]


def test_what_waited_is_withdrawn_and_what_was_sent_is_sent(engine: Engine) -> None:
    store = Store(engine)
    store.record([own(1, 2, "a"), own(1, 2, "b")], watermark=at(3), routing=OPS)
    with engine.begin() as connection:
        first = update(NotificationRow).where(NotificationRow.incident_id == 1)
        connection.execute(first.values(state="sent"))
    store.record([many(0, 9, "a", "b")], watermark=at(10), routing=OPS)
    assert [row.state for row in rows(engine, NotificationRow)] == ["sent", "rolled_up", "pending"]


@pytest.mark.parametrize("seen", [False, True])
def test_what_does_something_else_is_told_again(engine: Engine, seen: bool) -> None:
    store = Store(engine)
    if seen:
        store.record([own(1, 2, "a")], watermark=at(3), routing=OPS)
    store.record([many(0, 9, "a", "b"), own(1, 2, "a")], watermark=at(3), routing=OPS)
    login = own(3, 4, "a", detector="success", level=Level.HIGH, tags=("attack.t1078",))
    transitions = store.record([login], watermark=at(5), routing=OPS)
    assert told(transitions) == [("a", "opened")]
    assert transitions[0].incident.severity == "critical"
    assert of(engine, "a") is None
    (row,) = [
        row
        for row in rows(engine, NotificationRow)
        if row.incident_id == transitions[0].incident_id
    ]
    assert (row.transition, row.state) == ("opened", "pending")
    assert [row.action for row in rows(engine, TimelineRow)].count("detached") == 1
    assert store.record([login], watermark=at(5), routing=OPS) == []


@pytest.mark.parametrize("watermarks", [[5, 40], [40]])
def test_what_is_told_again_is_over_when_it_is_calm(
    engine: Engine, watermarks: list[float]
) -> None:
    """Also if a crash or a long batch made one transaction of it; failed without "calm:" there."""
    store = Store(engine)
    store.record([many(0, 9, "a", "b"), own(1, 2, "a")], watermark=at(3), routing=OPS)
    login = own(3, 4, "a", detector="success", level=Level.HIGH, tags=("attack.t1078",))
    transitions = [
        transition
        for minutes in watermarks
        for transition in store.record([login], watermark=at(minutes), routing=OPS)
    ]
    assert [t for t in told(transitions) if t[0] == "a"] == [("a", "opened"), ("a", "calm:1")]


def test_what_was_told_before_is_told_with_what_it_became(engine: Engine) -> None:
    store = Store(engine)
    store.record([own(1, 2, "a")], watermark=at(3), routing=OPS)
    with engine.begin() as connection:
        connection.execute(update(NotificationRow).values(state="sent"))
    store.record([many(0, 9, "a", "b")], watermark=at(10), routing=OPS)
    stronger = own(3, 4, "a", detector="burst", level=Level.HIGH, tags=GUESSING)
    assert store.record([stronger], watermark=at(10), routing=OPS) == []
    outside = own(14, 16, "a")
    assert told(store.record([outside], watermark=at(16), routing=OPS))[-1] == (
        "a",
        "severity:high",
    )


def test_what_a_person_ended_is_not_told_because_it_stands_alone(engine: Engine) -> None:
    store = Store(engine)
    store.record([many(0, 9, "a", "b"), own(1, 2, "a")], watermark=at(10), routing=OPS)
    (child,) = [row for row in rows(engine, IncidentRow) if row.entity == "a"]
    close = Change(status="closed", resolution="benign")
    change_incident(engine, child.id, close, actor="ann", now=at(12))
    assert store.record([own(13, 20, "a")], watermark=at(20), routing=OPS) == []
    assert of(engine, "a") is None


def test_parts_follow_when_parents_join(engine: Engine) -> None:
    store = Store(engine)
    store.record([many(50, 59, "a", "b"), own(51, 52, "a")], watermark=None)
    store.record([many(0, 9, "c", "d"), own(1, 2, "c")], watermark=None)
    assert (of(engine, "a"), of(engine, "c")) == (ROUTE, ROUTE)
    store.record([many(30, 31, "e", "f")], watermark=None)
    (joined,) = list_incidents(engine).items
    assert listed(engine, parent=joined.id) == {"a", "c"}
    assert joined.member_count == 6


def test_parts_leave_a_parent_that_is_only_monitored_now(engine: Engine) -> None:
    store = Store(engine)
    store.record([many(0, 9, "a", "b"), own(1, 2, "a")], watermark=None)
    store.record([many(9, 10, "a", mode="monitor")], watermark=None)
    assert of(engine, "a") is None


def test_members_are_counted_once_and_the_first_are_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMBERS_SHOWN", 3)
    store = Store(engine)
    for clients in (["e", "d"], ["d", "c", "b"], ["a"]):
        store.record([many(0, 9, *clients)], watermark=None)
    store.record([many(0, 9, "e", "z", detector="other")], watermark=None)
    detail = get_incident(engine, 1)
    assert detail is not None
    assert (detail.incident.member_count, detail.incident.members) == (6, ("a", "b", "c"))
    assert {row.member_count for row in rows(engine, FindingRow)} == {5, 2}
    assert len(rows(engine, MemberRow)) == 7


def test_members_of_findings_that_become_one_are_kept(engine: Engine) -> None:
    store = Store(engine)
    store.record([many(0, 1, "a", "b"), many(12, 13, "b", "c")], watermark=None)
    assert len(rows(engine, FindingRow)) == 2
    store.record([many(6, 7, "d")], watermark=None)
    (row,) = rows(engine, FindingRow)
    assert {member.client for member in rows(engine, MemberRow)} == set("abcd")
    assert (row.member_count, {member.finding_id for member in rows(engine, MemberRow)}) == (
        4,
        {row.id},
    )


def test_too_many_members_are_cut_the_same_in_any_order(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMBER_LIMIT", 3)
    store = Store(engine)
    store.record([own(1, 2, "d"), many(0, 9, "f", "e", "d")], watermark=None)
    assert of(engine, "d") == ROUTE
    store.record([many(0, 9, "c", "a"), many(0, 9, "b")], watermark=None)
    assert {row.client for row in rows(engine, MemberRow)} == set("abc")
    assert of(engine, "d") is None


def test_hostile_members_are_stored_as_clients_are(engine: Engine) -> None:
    name = "\x1b[31m" + "x" * 600
    Store(engine).record([many(0, 9, name, "b"), own(1, 2, name)], watermark=None)
    assert [row.parent_id for row in rows(engine, IncidentRow)].count(1) == 1


TAGS = {"burst": GUESSING, "scan": ("attack.reconnaissance",), "in": ("attack.t1078",)}
CLIENTS = ("a", "b", "c", "d")


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    first = draw(st.integers(0, 150))
    last = first + draw(st.integers(0, 20))
    mode = draw(st.sampled_from(["alert", "alert", "alert", "monitor"]))
    if draw(st.booleans()):
        detector = draw(st.sampled_from(sorted(TAGS)))
        return own(
            first,
            last,
            draw(st.sampled_from(CLIENTS)),
            detector=f"{detector}_{mode}",
            tags=TAGS[detector],
            mode=mode,
        )
    entity_type, entity = draw(st.sampled_from([("route", "r"), ("user", "u"), ("all", "all")]))
    return many(
        first,
        last + draw(st.integers(0, 60)),
        *draw(st.lists(st.sampled_from(CLIENTS), min_size=1, max_size=4)),
        entity_type=entity_type,
        entity=entity,
        detector=f"many_{entity_type}_{mode}",
        tags=GUESSING if entity_type != "user" else (*GUESSING, "attack.reconnaissance"),
        window=draw(st.just(5 * MINUTE)),
        mode=mode,
    )


def expected_parents(engine: Engine) -> dict[tuple[str, datetime], str | None]:
    """What the rules say of the stored incidents, each with each."""
    stored = [row for row in rows(engine, IncidentRow) if row.merged_into is None]
    members: dict[int, set[str]] = {}
    for row in rows(engine, MemberRow):
        members.setdefault(row.finding_id, set()).add(row.client)
    alerting: dict[int, list[Any]] = {row.id: [] for row in stored}
    for row in rows(engine, FindingRow):
        if row.mode == "alert":
            alerting[row.incident_id].append(row)

    def fits(child: Any, parent: Any) -> bool:
        counting = [row for row in alerting[parent.id] if row.id in members]
        if not counting or not any(child.entity in members[row.id] for row in counting):
            return False
        slack = timedelta(minutes=5)
        tags = {tag for row in counting for tag in row.tags}
        return all(
            min(row.first for row in counting) - slack <= own.first
            and own.last <= max(row.last for row in counting) + slack
            and set(own.tags) <= tags
            for own in alerting[child.id]
        )

    found: dict[tuple[str, datetime], str | None] = {}
    for child in stored:
        if child.entity_type != "client":
            continue
        fitting = [p for p in stored if p.entity_type != "client" and fits(child, p)]
        fitting.sort(key=lambda p: (-p.member_count, p.started_at, p.entity_type, p.entity))
        known = bool(fitting) and bool(alerting[child.id])
        found[child.entity, child.started_at] = fitting[0].entity if known else None
    return found


def deciding(engine: Engine) -> list[str]:
    """All that findings decide, without numbers of rows."""
    left_out = {"id", "version", "calms", "merged_into", "parent_id"}
    return sorted(
        str({name: value for name, value in row._mapping.items() if name not in left_out})
        for row in rows(engine, IncidentRow)
        if row.merged_into is None
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_parents_depend_on_the_set_of_findings_only(
    emptied: Callable[[], Engine], data: st.DataObject
) -> None:
    found = data.draw(st.lists(findings(), min_size=2, max_size=14))
    end = at(400)
    engine = emptied()
    Store(engine).record(found, watermark=end)
    expected = parents(engine)
    content = deciding(engine)
    assert expected == expected_parents(engine)

    engine = emptied()
    store = Store(engine)
    shuffled = data.draw(st.permutations(found))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        part, shuffled = shuffled[:size], shuffled[size:]
        for _ in range(data.draw(st.integers(1, 2))):
            store.record(part, watermark=data.draw(st.sampled_from([None, at(60)])))
            assert parents(engine) == expected_parents(engine)
    store.record([], watermark=end)
    assert parents(engine) == expected
    assert deciding(engine) == content

    before = rows(engine, TimelineRow), rows(engine, IncidentRow), rows(engine, MemberRow)
    assert store.record(found, watermark=end) == []
    now = rows(engine, TimelineRow), rows(engine, IncidentRow), rows(engine, MemberRow)
    assert now == before


def test_statements_do_not_grow_with_the_clients(engine: Engine) -> None:
    clients = [f"10.0.{n // 250}.{n % 250}" for n in range(400)]
    found = [many(0, 9, *clients), *(own(1, 2, client) for client in clients)]
    statements: list[str] = []

    def count(*arguments: Any) -> None:
        if not arguments[2].startswith("INSERT"):
            statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    Store(engine).record(found, watermark=at(10), routing=OPS)
    Store(engine).record([many(9, 10, "x")], watermark=at(11), routing=OPS)
    assert len(statements) < 40
