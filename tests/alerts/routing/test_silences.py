"""Silences: who made them, for how long, and that what waited is due when they end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, insert, select
from structlog.testing import capture_logs

from alerts.database.models import NotificationRow, SilenceRow, table_of
from alerts.muting.mutes import Moment, Muting
from alerts.muting.silences import (
    LONGEST,
    NoSuchSilenceError,
    Silence,
    SilenceError,
    active_silences,
    add_silence,
    expire_silence,
    list_silences,
)
from alerts.routing.matchers import Matchers
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.sending.sender import Sender
from alerts.storage.store import Store
from alerts.transports.memory import MemoryTransport
from detectors.findings import Finding, Level

from .examples import NOW, matchers

HOUR = timedelta(hours=1)
CLIENT = Matchers(entity=("203.0.113.0/24",))


def silenced(engine: Engine, about: Matchers = CLIENT, **changes: Any) -> Silence:
    values = {
        "comment": "load test",
        "created_by": "ann",
        "starts_at": NOW,
        "ends_at": NOW + 2 * HOUR,
        "now": NOW,
    }
    return add_silence(engine, about, **{**values, **changes})


def active(engine: Engine, now: datetime) -> list[int]:
    with engine.connect() as connection:
        return [silence.id for silence in active_silences(connection, now)]


def test_a_silence_is_kept_as_it_was_said(engine: Engine) -> None:
    made = silenced(engine, Matchers(detector=("login_*",), severity_min="low"), comment=" x ")
    assert (made.comment, made.created_by, made.created_at) == ("x", "ann", NOW)
    assert made.matchers == Matchers(detector=("login_*",), severity_min="low")
    assert list_silences(engine, NOW) == [made]
    assert made.to_dict()["matchers"] == {"detector": ["login_*"], "severity_min": "low"}
    assert made.to_dict()["ends_at"] == "2026-03-04T11:00:00Z"


def test_there_are_only_so_many_that_are_not_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message is held against all of them; those that are over take no room."""
    monkeypatch.setattr("alerts.muting.silences.SILENCES_LIMIT", 2)
    first = silenced(engine)
    silenced(engine, starts_at=NOW + HOUR)
    with pytest.raises(SilenceError, match=r"2 silences are not over.*expire some"):
        silenced(engine)
    expire_silence(engine, first.id, NOW)
    assert len(list_silences(engine, NOW)) == 1
    silenced(engine)
    with pytest.raises(SilenceError, match="most there may be"):
        silenced(engine)
    assert len(list_silences(engine, NOW, expired=True)) == 3


def test_it_is_in_force_from_its_beginning_until_its_end(engine: Engine) -> None:
    first = silenced(engine)
    later = silenced(engine, starts_at=NOW + HOUR)
    end = NOW + 2 * HOUR
    assert active(engine, NOW) == [first.id]
    assert active(engine, NOW + HOUR) == [first.id, later.id]
    assert active(engine, end) == []
    assert [later.state(at) for at in (NOW, NOW + HOUR, end)] == ["pending", "active", "expired"]
    assert [silence.id for silence in list_silences(engine, NOW)] == [later.id, first.id]
    assert list_silences(engine, end) == []
    assert len(list_silences(engine, end, expired=True)) == 2


def test_one_that_should_have_begun_begins_now(engine: Engine) -> None:
    assert silenced(engine, starts_at=NOW - HOUR).starts_at == NOW


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ends_at": NOW}, "its end is past"),
        ({"starts_at": NOW + 3 * HOUR}, "ends before it begins"),
        ({"ends_at": NOW + LONGEST + HOUR}, "longer than 366 days"),
        (
            {"starts_at": NOW + LONGEST + HOUR, "ends_at": NOW + LONGEST + 2 * HOUR},
            "begins more than 366 days ahead",
        ),
        ({"comment": "  "}, "comment must have 1 to 1,000"),
        ({"comment": "x" * 1001}, "comment must have 1 to 1,000"),
        ({"comment": "a\x1b[2J"}, "comment must have"),
        ({"created_by": ""}, "author must have 1 to 100"),
        ({"about": Matchers()}, "which incidents"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    engine: Engine, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SilenceError, match=complaint):
        silenced(engine, **changes)
    assert list_silences(engine, NOW, expired=True) == []


def test_one_about_everything_needs_consent(engine: Engine) -> None:
    assert silenced(engine, Matchers(), everything=True).matchers.empty


def test_an_end_can_come_early(engine: Engine) -> None:
    first, later = silenced(engine), silenced(engine, starts_at=NOW + HOUR)
    soon = NOW + timedelta(minutes=1)
    assert expire_silence(engine, first.id, soon).ends_at == soon
    assert expire_silence(engine, later.id, soon).starts_at == soon
    assert active(engine, soon) == []
    with pytest.raises(SilenceError, match="silence 1 is over already"):
        expire_silence(engine, first.id, soon)
    with pytest.raises(NoSuchSilenceError, match="no silence 99"):
        expire_silence(engine, 99, soon)


def opened(engine: Engine, entity: str = "203.0.113.7") -> None:
    finding = Finding("recon", "client", entity, NOW, NOW, 43, 10, "paths", HOUR, Level.MEDIUM)
    routing = Routing.everything_to("ops")
    Store(engine, now=lambda: NOW).record([finding], watermark=None, routing=routing)


def waiting(engine: Engine) -> list[tuple[str, str | None, datetime]]:
    table = table_of(NotificationRow)
    query = select(table.c.state, table.c.reason, table.c.due_at).order_by(table.c.id)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_what_waited_for_a_silence_is_told_when_it_ends_early(engine: Engine) -> None:
    silence, other = silenced(engine), silenced(engine, Matchers(entity=("198.51.100.7",)))
    opened(engine)
    opened(engine, "198.51.100.7")
    receiver = MemoryTransport()
    target = Target("ops", SecretStr("json://127.0.0.1"))
    sender = Sender(engine, [target], muting=Muting(), transports=lambda _: receiver)
    sender.run_once(NOW)
    assert receiver.messages == []
    end = NOW + 2 * HOUR
    assert waiting(engine) == [("pending", f"silence {n}", end) for n in (silence.id, other.id)]
    soon = NOW + timedelta(minutes=1)
    expire_silence(engine, silence.id, soon)
    assert waiting(engine)[0] == ("pending", f"silence {silence.id}", soon)
    assert waiting(engine)[1] == ("pending", f"silence {other.id}", end)
    sender.run_once(soon)
    assert len(receiver.messages) == 1
    assert [row[0] for row in waiting(engine)] == ["sent", "pending"]
    sender.run_once(end)
    assert len(receiver.messages) == 2


def test_one_that_ends_while_the_sender_judges_holds_nothing_back(engine: Engine) -> None:
    silence = silenced(engine)
    opened(engine)
    soon = NOW + timedelta(minutes=1)

    class Slow(Muting):
        """Somebody ends the silence after the sender has read it."""

        def at(self, connection: Connection, now: datetime) -> Moment:
            moment = super().at(connection, now)
            if now == NOW:
                expire_silence(engine, silence.id, soon)
            return moment

    receiver = MemoryTransport()
    target = Target("ops", SecretStr("json://127.0.0.1"))
    sender = Sender(engine, [target], muting=Slow(), transports=lambda _: receiver)
    sender.run_once(NOW)
    assert waiting(engine) == [("pending", "silence 1", soon)]
    sender.run_once(soon)
    assert len(receiver.messages) == 1


def test_one_that_cannot_be_read_mutes_nothing_and_is_told_of(engine: Engine) -> None:
    silenced(engine)
    row = {
        "matchers": {"of_tomorrow": ["x"]},
        "comment": "c",
        "created_by": "b",
        "created_at": NOW,
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
    }
    with engine.begin() as connection:
        connection.execute(insert(SilenceRow).values(row))
    with capture_logs() as logs:
        assert active(engine, NOW) == [1]
    assert [entry["silence"] for entry in logs] == [2]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(matchers(), st.integers(1, 500), st.integers(0, 500), st.integers(0, 500))
def test_any_silence_is_read_back_and_in_force_when_it_says(
    emptied: Callable[[], Engine], about: Matchers, minutes: int, ahead: int, later: int
) -> None:
    engine = emptied()
    start = NOW + timedelta(minutes=ahead)
    made = silenced(
        engine, about, starts_at=start, ends_at=start + timedelta(minutes=minutes), everything=True
    )
    assert list_silences(engine, NOW) == [made]
    now = NOW + timedelta(minutes=later)
    assert (active(engine, now) == [made.id]) == (made.state(now) == "active")
