"""What people do to incidents, and what is said when they cannot."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, update

from alerts.actions import (
    BULK_LIMIT,
    KEEP,
    Change,
    IllegalChangeError,
    NoSuchIncidentError,
    VersionConflictError,
    change_incident,
    change_incidents,
)
from alerts.database.models import IncidentRow, NotificationRow, TimelineRow, TombstoneRow, table_of
from alerts.incidents.decisions import COMMENT_LENGTH, LABELS, LEGAL
from alerts.lists.queries import IncidentDetail, get_incident
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
TODAY = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPS = Routing.everything_to("ops")


def finding(first: int = 0, last: int = 1, entity: str = "203.0.113.7", **more: Any) -> Finding:
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "client",
        "entity": entity,
        "first": START + first * MINUTE,
        "last": START + last * MINUTE,
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": MINUTE,
        "level": Level.MEDIUM,
    }
    return Finding(**{**values, **more})


def change(engine: Engine, identity: int = 1, **what: Any) -> IncidentDetail:
    version = what.pop("version", None)
    return change_incident(
        engine, identity, Change(**what), actor="ann", version=version, now=TODAY, routing=OPS
    )


def said(detail: IncidentDetail) -> list[tuple[str, str, Any]]:
    return [(e.actor, e.action, e.detail) for e in detail.timeline if e.actor != "vedette"]


def notified(engine: Engine) -> list[tuple[int, str]]:
    with engine.connect() as connection:
        table = table_of(NotificationRow)
        query = select(table).order_by(table.c.id)
        return [(row.incident_id, row.transition) for row in connection.execute(query)]


@pytest.fixture
def stored(engine: Engine) -> Engine:
    Store(engine).record([finding()], watermark=None)
    return engine


def test_everything_at_once_is_one_version_and_says_who_did_what(stored: Engine) -> None:
    detail = change(
        stored,
        status="closed",
        resolution="false_positive",
        assignee=" ann ",
        add_labels=("scanner", "ours"),
        comment="Our own scanner.\nIt runs on Mondays.",
    )
    assert detail.version == 2
    view = detail.incident
    assert (view.status, view.resolution) == ("closed", "false_positive")
    assert (view.assignee, view.labels) == ("ann", ("ours", "scanner"))
    assert said(detail) == [
        (
            "ann",
            "status",
            {
                "before": {"status": "open", "resolution": None},
                "after": {"status": "closed", "resolution": "false_positive"},
            },
        ),
        ("ann", "assigned", {"before": None, "after": "ann"}),
        ("ann", "labelled", {"before": [], "after": ["ours", "scanner"]}),
        ("ann", "commented", {"text": "Our own scanner.\nIt runs on Mondays."}),
    ]
    assert {entry.at for entry in detail.timeline if entry.actor == "ann"} == {TODAY}


def test_what_is_so_already_changes_nothing(stored: Engine) -> None:
    change(stored, assignee="ann", add_labels=("x",))
    detail = change(stored, assignee="ann", add_labels=("x",), remove_labels=("y",))
    assert (detail.version, len(said(detail))) == (2, 2)
    assert change(stored, assignee=None, remove_labels=("x",)).version == 3
    assert change(stored, assignee=KEEP, comment="done").incident.assignee is None


def test_of_two_people_the_second_is_told(stored: Engine) -> None:
    change(stored, status="acknowledged", version=1)
    with pytest.raises(
        VersionConflictError, match="version 1 was asked for, it has version 2"
    ) as e:
        change(stored, status="open", version=1)
    assert e.value.current == 2
    assert change(stored, status="open", version=2).version == 3


@pytest.mark.parametrize("before", LEGAL)
@pytest.mark.parametrize("after", LEGAL)
def test_only_legal_steps(stored: Engine, before: str, after: str) -> None:
    ended = {"resolved", "closed"}
    if before != "open":
        resolution = "benign" if before in ended else None
        change(stored, 1, status=before, resolution=resolution)
    wanted: dict[str, Any] = {"status": after, "resolution": "benign" if after in ended else None}
    legal = {
        ("open", "acknowledged"),
        ("open", "resolved"),
        ("open", "closed"),
        ("acknowledged", "open"),
        ("acknowledged", "resolved"),
        ("acknowledged", "closed"),
        ("resolved", "open"),
        ("resolved", "acknowledged"),
        ("resolved", "closed"),
        ("closed", "open"),
        ("closed", "acknowledged"),
    }
    if (before, after) in legal:
        assert change(stored, **wanted).incident.status == after
        return
    match = f"it is {before} already" if before == after else f"{before} cannot become {after}"
    with pytest.raises(IllegalChangeError, match=match):
        change(stored, **wanted)


def test_a_resolution_can_be_corrected(stored: Engine) -> None:
    change(stored, status="closed", resolution="benign")
    detail = change(stored, resolution="true_positive")
    assert (detail.incident.status, detail.incident.resolution) == ("closed", "true_positive")


def test_what_calm_resolved_a_person_can_confirm(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding()], watermark=START + 60 * MINUTE)
    detail = change(engine, status="resolved", resolution="mitigated")
    assert said(detail)[0][2]["before"]["by_calm"]
    store.record([finding(20, 21)], watermark=START + 60 * MINUTE)
    kept = get_incident(engine, 1)
    assert kept is not None
    assert (kept.incident.status, kept.incident.resolution) == ("resolved", "mitigated")
    assert notified(engine) == []


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ({}, "nothing to change"),
        ({"status": "closed"}, "closed needs a resolution: one of benign, duplicate"),
        ({"status": "acknowledged", "resolution": "benign"}, "has no resolution"),
        ({"resolution": "benign"}, "what is open has no resolution"),
        ({"status": "gone"}, "no status is called 'gone'; there are acknowledged"),
        ({"status": "closed", "resolution": "x"}, "no resolution is called 'x'; there are benign"),
        ({"assignee": " "}, "an assignee needs a character"),
        ({"assignee": "x" * 101}, "100 characters at most, not 101"),
        ({"assignee": "ann\x1b[31m"}, "printable"),
        ({"add_labels": ("\n",)}, "a label needs"),
        ({"add_labels": ("a\u202eb",)}, "printable"),
        ({"add_labels": ("x" * 65,)}, "64 characters at most"),
        ({"add_labels": ("x",), "remove_labels": ("x",)}, "both added and removed: x"),
        (
            {"add_labels": tuple(map(str, range(LABELS + 1)))},
            "32 labels at most, and would have 33",
        ),
        ({"comment": "\n "}, "a comment needs"),
        ({"comment": "x" * (COMMENT_LENGTH + 1)}, "10,000 characters at most, not 10,001"),
        ({"comment": "\x1b]0;x\x07"}, "printable characters, tabs and new lines"),
    ],
)
def test_what_cannot_be_is_said_in_words(stored: Engine, what: dict[str, Any], match: str) -> None:
    with pytest.raises(IllegalChangeError, match=match):
        change(stored, **what)
    detail = get_incident(stored, 1)
    assert detail is not None
    assert (detail.version, said(detail)) == (1, [])


def test_the_program_is_nobody(stored: Engine) -> None:
    for actor in ("vedette", " "):
        with pytest.raises(IllegalChangeError, match="name of who makes it"):
            change_incident(stored, 1, Change(comment="x"), actor=actor, now=TODAY)
    odd = change_incident(stored, 1, Change(comment="x"), actor="\x1b[31m" + 99 * "x", now=TODAY)
    ((actor, _, _),) = said(odd)
    assert actor.isprintable()
    assert len(actor) == 64


def test_who_ends_it_is_told_to_those_who_heard_of_it(stored: Engine) -> None:
    change(stored, status="acknowledged")
    assert notified(stored) == []
    change(stored, status="resolved", resolution="mitigated")
    change(stored, status="closed", resolution="mitigated")
    assert notified(stored) == [(1, "resolved:3")]
    change(stored, status="open")
    change(stored, status="closed", resolution="mitigated")
    assert notified(stored) == [(1, "resolved:3"), (1, "resolved:6")]


def test_of_what_is_silent_nothing_is_told(engine: Engine) -> None:
    Store(engine).record([finding(mode="monitor"), finding(entity="b")], watermark=None)
    with engine.begin() as connection:
        connection.execute(update(IncidentRow).where(IncidentRow.id == 2).values(parent_id=1))
    for identity in (1, 2):
        change(engine, identity, status="closed", resolution="benign")
    assert notified(engine) == []


def test_what_was_merged_names_the_whole(engine: Engine) -> None:
    store = Store(engine)
    store.record([finding(100, 101)], watermark=None)
    store.record([finding(50, 51)], watermark=None)
    store.record([finding(75, 76, detector="x")], watermark=None)
    store.record([finding(0, 1)], watermark=None)
    store.record([finding(25, 26, detector="x")], watermark=None)
    with pytest.raises(IllegalChangeError, match="became part of incident 3; change that one"):
        change(engine, 1, comment="x")


def test_what_is_gone_is_said_to_be_gone(stored: Engine) -> None:
    with stored.begin() as connection:
        for identity, reason in ((7, "pruned"), (8, "erased")):
            connection.execute(
                insert(table_of(TombstoneRow)).values(
                    id=identity, digest="", started_at=START, last_at=START, reason=reason, at=TODAY
                )
            )
    for identity, match in (
        (7, "was kept as long as the settings say, and is gone since 2026-02-01"),
        (8, "was erased"),
        (9, "there is no incident 9"),
    ):
        with pytest.raises(NoSuchIncidentError, match=match):
            change(stored, identity, comment="x")


def test_many_are_changed_alike_or_none(engine: Engine) -> None:
    Store(engine).record([finding(entity=name) for name in "abc"], watermark=None)
    close = Change(status="closed", resolution="benign")

    def all_of(*identities: int) -> int:
        return change_incidents(engine, identities, close, actor="ann", now=TODAY, routing=OPS)

    change(engine, 3, status="closed", resolution="benign")
    with pytest.raises(IllegalChangeError, match="incident 3: it is closed already; none was"):
        all_of(1, 2, 3)
    with pytest.raises(NoSuchIncidentError):
        all_of(1, 4)
    assert notified(engine) == [(3, "resolved:2")]
    assert all_of(1, 2, 1) == 2
    assert [identity for identity, _ in notified(engine)] == [3, 1, 2]
    with pytest.raises(IllegalChangeError, match="500 incidents at most, not 501"):
        all_of(*range(BULK_LIMIT + 1))


def test_a_person_and_the_worker_at_once_lose_nothing(stored: Engine) -> None:
    """The worker grows the incident after the person's change was checked, before it is written."""
    worker: list[threading.Thread] = []

    def meanwhile(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE incidents") and not worker:
            worker.append(
                threading.Thread(
                    target=Store(stored).record, args=([finding(5, 6)],), kwargs={"watermark": None}
                )
            )
            worker[0].start()
            worker[0].join(timeout=0.3)

    event.listen(stored, "before_cursor_execute", meanwhile)
    change(stored, status="acknowledged", comment="mine", version=1)
    worker[0].join(timeout=20)
    detail = get_incident(stored, 1)
    assert detail is not None
    assert (detail.version, detail.incident.status) == (3, "acknowledged")
    assert detail.incident.last_at == START + 6 * MINUTE
    with stored.connect() as connection:
        actions = connection.execute(select(TimelineRow.action)).scalars().all()
    assert sorted(actions) == ["commented", "opened", "status"]
