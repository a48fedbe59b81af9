"""From the outbox to receivers in memory: bundles, times, fallback, failing alerts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, event, insert

from alerts.actions import Change, change_incident
from alerts.database.models import (
    DeliveryAttemptRow,
    DeliveryRow,
    IncidentRow,
    NotificationRow,
    TimelineRow,
    table_of,
)
from alerts.deletion.retention import prune
from alerts.lists.queries import get_incident
from alerts.messages import Message
from alerts.messages.notices import Ending
from alerts.muting.maintenance import Maintenance, Span, Window
from alerts.muting.mutes import Muting
from alerts.routing.matchers import Matchers
from alerts.routing.routes import Route, Routing
from alerts.routing.target import Target
from alerts.sending.bundles import DIGEST
from alerts.sending.lane import UNDER_WAY_LIMIT
from alerts.sending.retries import ATTEMPT_LIMIT, LONGEST_RETRY_AFTER, verdict
from alerts.storage.tombstones import Tombstones
from alerts.transports.alertmanager import alerts
from alerts.transports.memory import MemoryTransport
from alerts.transports.outcome import Outcome
from detectors.findings import Level
from ingest.times import iso
from tests.alerts.sending import (
    MINUTE,
    NOW,
    SECOND,
    Office,
    finding,
    one_route,
    rows,
    states,
    target,
)

DOWN = Outcome(delivered=False, error="connection refused")
REFUSED = Outcome(delivered=False, error="answered HTTP 400", permanent=True)
OPS = target("ops")


def many(count: int, prefix: str = "user") -> list[Any]:
    return [finding(entity=f"{prefix}{number}") for number in range(count)]


def test_rows_of_one_incident_are_one_item(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.record(finding())
    office.record(finding(NOW + SECOND, Level.HIGH))
    assert office.run() == 1
    assert office.told("ops") == [[(1, ("opened", "severity:high"))]]
    (delivery,) = rows(engine, DeliveryRow)
    assert (delivery.state, delivery.attempts, delivery.digest) == ("sent", 1, False)
    assert delivery.title.startswith("[HIGH] ")
    (attempt,) = rows(engine, DeliveryAttemptRow)
    assert (attempt.number, attempt.outcome, attempt.error) == (1, "sent", None)


def test_what_is_over_before_it_could_be_told_is_not_told(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.record(finding())
    office.record(watermark=NOW + 20 * MINUTE)
    assert office.run() == 0
    reason = "suppressed (over before it could be told)"
    assert states(engine) == {"ops": [f"opened: {reason}", f"calm:1: {reason}"]}
    office.record(finding(NOW + 25 * MINUTE))
    assert office.run(25 * MINUTE) == 1
    assert office.told("ops") == [[(1, ("opened", "returned:1"))]]


def test_a_group_waits_and_is_told_once(engine: Engine) -> None:
    routing = one_route(
        "ops", group_by=("detector",), group_wait=30 * SECOND, group_interval=5 * MINUTE
    )
    office = Office(engine, OPS, routing=routing)
    office.record(finding())
    assert office.run() == 0
    office.now += 20 * SECOND
    office.record(finding(entity="other"))
    assert office.run() == 0
    assert states(engine)["ops"] == ["opened: pending (waits for others of its group)"] * 2
    assert office.run(10 * SECOND) == 1
    assert [[item[0] for item in message] for message in office.told("ops")] == [[1, 2]]
    office.record(finding(entity="third"))
    assert office.run(4 * MINUTE) == 0
    assert office.run(MINUTE) == 1
    assert office.told("ops") == [[(3, ("opened",))]]


def test_what_the_sender_forgot_in_a_restart_is_told_all_the_same(engine: Engine) -> None:
    office = Office(engine, OPS, routing=one_route("ops", group_wait=30 * SECOND))
    office.record(finding())
    office.run()
    office.restart()
    assert office.run(29 * SECOND) == 0
    assert office.run(SECOND) == 1


def test_maintenance_makes_it_wait_and_then_tells_what_it_is(engine: Engine) -> None:
    night = Window("night", (Span(NOW, NOW + timedelta(hours=1)),), Matchers())
    muting = Muting(maintenance=Maintenance([night]))
    office = Office(engine, OPS, muting=muting)
    office.record(finding())
    assert office.run() == 0
    (row,) = rows(engine, NotificationRow)
    assert (row.state, row.reason, row.due_at) == (
        "pending",
        "maintenance night",
        NOW + timedelta(hours=1),
    )
    office.record(finding(NOW + SECOND, Level.CRITICAL))
    assert office.run(59 * MINUTE) == 0
    assert office.run(MINUTE) == 1
    assert office.told("ops") == [[(1, ("opened", "severity:critical"))]]


def test_reminders_come_until_it_is_acknowledged(engine: Engine) -> None:
    routing = one_route("ops", repeat_interval=timedelta(hours=4))
    office = Office(engine, OPS, routing=routing)
    office.record(finding())
    assert office.run() == 1
    assert office.run(timedelta(hours=3, minutes=59)) == 0
    assert office.run(MINUTE) == 1
    assert office.run(timedelta(hours=4)) == 1
    assert office.told("ops") == [[(1, ("opened",))], [(1, ("repeat:1",))], [(1, ("repeat:2",))]]
    _set_status(engine, "acknowledged")
    assert office.run(timedelta(hours=40)) == 0
    assert len(rows(engine, NotificationRow)) == 3


def test_a_reminder_that_is_not_sent_is_not_made_again_and_again(engine: Engine) -> None:
    routing = one_route("ops", repeat_interval=timedelta(hours=4))
    office = Office(engine, OPS, routing=routing)
    office.record(finding())
    office.run()
    office.targets = (replace(OPS, min_level=Level.HIGH),)
    office.restart()
    for _ in range(5):
        office.run(timedelta(hours=1))
    assert states(engine)["ops"] == ["opened: sent", "repeat:1: suppressed (below high)"]


def test_reminders_come_when_the_messages_before_are_pruned(engine: Engine) -> None:
    office = Office(engine, OPS, routing=one_route("ops", repeat_interval=timedelta(hours=4)))
    office.record(finding())
    office.run()
    prune(engine, NOW + timedelta(days=91), tombstones=Tombstones(b"s" * 32))
    assert rows(engine, DeliveryRow) == []
    assert office.run(timedelta(days=91)) == 1
    assert office.run(timedelta(hours=4)) == 1
    assert office.told("ops") == [[(1, ("opened",))], [(1, ("repeat:1",))], [(1, ("repeat:2",))]]


@pytest.mark.parametrize(("status", "told"), [("open", 1), ("acknowledged", 0)])
def test_it_escalates_when_nobody_acknowledges(engine: Engine, status: str, told: int) -> None:
    routing = one_route("ops", escalate_after=30 * MINUTE, escalate_to=("boss",))
    office = Office(engine, OPS, target("boss"), routing=routing)
    office.record(finding())
    assert office.run() == 1
    _set_status(engine, status)
    assert office.run(29 * MINUTE) == 0
    assert office.run(MINUTE) == told
    assert office.told("boss") == [[(1, ("escalated:1",))]] * told
    assert office.run(timedelta(days=1)) == 0


def test_what_returns_has_time_until_it_escalates(engine: Engine) -> None:
    routing = one_route("ops", escalate_after=30 * MINUTE, escalate_to=("boss",))
    office = Office(engine, OPS, target("boss"), routing=routing)
    office.record(finding())
    office.run()
    office.record(watermark=NOW + 16 * MINUTE)
    office.run(16 * MINUTE)
    office.now += 9 * MINUTE
    office.record(finding(NOW + 25 * MINUTE))
    office.run()
    office.told("ops")
    office.run(29 * MINUTE)
    assert office.told("boss") == []
    office.run(MINUTE)
    assert office.told("boss") == [[(1, ("escalated:1",))]]


def test_what_is_opened_again_escalates_though_it_was_acknowledged(engine: Engine) -> None:
    routing = one_route("ops", escalate_after=30 * MINUTE, escalate_to=("boss",))
    office = Office(engine, OPS, target("boss"), routing=routing)
    office.record(finding())
    office.run()
    with engine.begin() as connection:
        values = {"transition": "escalated:1", "state": "suppressed", "target": "boss"}
        row = rows(engine, NotificationRow)[0]._asdict() | values | {"delivery_id": None}
        row |= {"created_at": NOW + 30 * MINUTE}
        del row["id"]
        connection.execute(insert(table_of(NotificationRow)), row)
    office.run(60 * MINUTE)
    assert office.told("boss") == []
    change_incident(engine, 1, Change(status="acknowledged"), actor="ann", now=office.now)
    change_incident(engine, 1, Change(status="open"), actor="ann", now=office.now)
    office.run(29 * MINUTE)
    assert office.told("boss") == []
    office.run(MINUTE)
    assert office.told("boss") == [[(1, ("escalated:2",))]]
    office.run(timedelta(days=1))
    assert office.told("boss") == []


def test_who_ended_it_and_what_they_wrote_with_it_is_told(engine: Engine) -> None:
    routing = one_route("ops")
    office = Office(engine, OPS, routing=routing)
    office.record(finding())
    office.run()
    for change in (
        Change(comment="before"),
        Change(status="closed", resolution="benign", comment="a scanner of ours"),
        Change(comment="afterwards"),
    ):
        office.now += SECOND
        change_incident(engine, 1, change, actor="cli:ann", now=office.now, routing=routing)
    office.run(MINUTE)
    told = office.transports["ops"].messages[-1]
    assert told.notice.items[0].ending == Ending("cli:ann", "a scanner of ours")
    assert told.title == "[RESOLVED] user 203.0.113.7: closed by ann (benign) (incident 1)"


def test_who_heard_of_it_by_escalation_hears_of_its_end(engine: Engine) -> None:
    routing = one_route("ops", escalate_after=30 * MINUTE, escalate_to=("boss",))
    office = Office(engine, OPS, target("boss"), routing=routing)
    office.record(finding())
    office.run()
    office.run(30 * MINUTE)
    office.record(watermark=NOW + 31 * MINUTE)
    assert office.run(MINUTE) == 2
    assert office.told("boss") == [[(1, ("escalated:1",))], [(1, ("calm:1",))]]


def test_who_heard_of_it_as_fallback_hears_of_its_end(engine: Engine) -> None:
    office = Office(engine, target("ops", fallback="mail"), target("mail"))
    office.routing = one_route("ops")
    office.transports["ops"] = MemoryTransport([REFUSED])
    office.restart()
    office.record(finding())
    office.run()
    office.told("mail")
    office.record(watermark=NOW + 31 * MINUTE)
    assert office.run(31 * MINUTE) == 1
    assert office.told("mail") == [[(1, ("calm:1",))]]
    assert "calm:1: suppressed (over before it could be told)" in states(engine)["ops"]


def test_more_than_a_target_takes_is_a_digest(engine: Engine) -> None:
    office = Office(engine, target("ops", max_messages=3, per=10 * MINUTE))
    office.record(*many(5))
    assert office.run() == 1
    (delivery,) = rows(engine, DeliveryRow)
    assert (delivery.digest, delivery.group_key) == (True, DIGEST)
    (message,) = office.transports["ops"].messages
    assert (message.notice.digest, message.notice.incidents) == (True, 5)
    office.record(*many(2, "more"))
    assert office.run(SECOND) == 0, "what comes during a storm waits"
    assert office.run(200 * SECOND) == 2
    office.record(*many(1, "last"))
    assert office.run(SECOND) == 0, "three within ten minutes"
    assert office.run(10 * MINUTE) == 1


def test_a_digest_names_the_gravest(engine: Engine) -> None:
    office = Office(engine, target("ops", max_messages=3))
    office.record(*many(80), finding(level=Level.CRITICAL, entity="worst"))
    office.run()
    ((worst, *others),) = office.told("ops")
    assert worst[0] == 81
    assert len(others) == 49


def test_a_target_that_fails_keeps_only_few_messages_under_way(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.transports["ops"] = MemoryTransport(always=DOWN)
    office.restart()
    office.record(*many(10))
    assert office.run() == 0
    assert len(rows(engine, DeliveryRow)) == UNDER_WAY_LIMIT
    waiting = [row for row in rows(engine, NotificationRow) if row.state == "pending"]
    assert len(waiting) == 10 - UNDER_WAY_LIMIT
    office.transports["ops"] = MemoryTransport()
    office.restart()
    assert office.run(6 * SECOND) == 10
    assert {row.state for row in rows(engine, NotificationRow)} == {"sent"}


def test_a_refused_message_is_dead_and_others_are_told(engine: Engine) -> None:
    office = Office(engine, target("ops", fallback="mail"), target("mail"), target("boss"))
    office.routing = one_route("ops", "boss")
    office.transports["ops"] = MemoryTransport([REFUSED])
    office.restart()
    office.record(finding())
    assert office.run() == 4
    assert states(engine) == {
        "ops": ["opened: dead"],
        "boss": ["opened: sent", "opened: sent"],
        "mail": ["opened: sent", "opened: sent"],
    }
    assert sorted(office.told("mail") + office.told("boss")) == [
        [(1, ("opened",))],
        [(1, ("opened",))],
        [(2, ("opened",))],
        [(2, ("opened",))],
    ]
    failing = get_incident(engine, 2)
    assert failing is not None
    assert failing.incident.detectors == ("alerts_failing",)
    assert failing.incident.severity == "high"
    assert failing.incident.summary.startswith(
        "Notification target ops: 1 message given up (last error: answered HTTP 400) within 24 h"
        " (limit 1), at "
    )


def test_failing_alerts_say_the_last_reason(engine: Engine) -> None:
    office = Office(engine, OPS, target("boss"))
    odd = "x" * 500
    office.transports["ops"] = MemoryTransport(
        [REFUSED, *(Outcome(delivered=False, permanent=True, error=e) for e in ("HTTP 410", odd))]
    )
    office.restart()
    said = []
    for number in range(3):
        after = timedelta(minutes=number)
        office.record(finding(NOW + after, entity=f"other {number}"))
        office.run(after)
        (failing,) = (row for row in rows(engine, IncidentRow) if row.entity_type == "target")
        said.append(failing.summary)
    assert "1 message given up (last error: answered HTTP 400) within" in said[0]
    assert "2 messages given up (last error: HTTP 410) within" in said[1]
    assert f"3 messages given up (last error: {'x' * 119}…) within" in said[2]


def test_failing_alerts_are_over_with_the_next_that_arrives(engine: Engine) -> None:
    office = Office(engine, OPS, target("boss"))
    office.transports["ops"] = MemoryTransport([REFUSED])
    office.restart()
    office.record(finding())
    office.run()
    office.record(watermark=NOW + timedelta(hours=2))
    assert _status(engine, 2) == "open", "no log says when a target works again"
    office.told("boss")
    office.record(finding(NOW + timedelta(hours=2), entity="other"))
    assert office.run(timedelta(hours=2)) == 3
    assert _status(engine, 2) == "resolved"
    (calm,) = (
        row for row in rows(engine, TimelineRow) if row.incident_id == 2 and row.action == "calm"
    )
    assert calm.at == NOW + timedelta(hours=2)
    office.run()
    assert (2, ("calm:1",)) in [item for message in office.told("boss") for item in message]


def test_failing_alerts_that_a_crash_left_open_are_ended(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.transports["ops"] = MemoryTransport([REFUSED])
    office.restart()
    office.record(finding(), finding(entity="other"))
    office.run()
    assert _status(engine, 3) == "resolved"
    _set_status(engine, "open", auto_resolved=False)  # as if the program had ended before
    office.restart()
    office.run()
    assert _status(engine, 3) == "resolved"


def test_targets_that_stand_in_for_each_other_do_not_make_news_for_each_other(
    engine: Engine,
) -> None:
    pair = target("ops", fallback="boss"), target("boss", fallback="ops")
    office = Office(engine, *pair, routing=one_route("ops"))
    office.transports = {name: MemoryTransport(always=REFUSED) for name in ("ops", "boss")}
    office.restart()
    for hour in range(30):
        office.record(finding(NOW + timedelta(hours=hour), entity=f"user{hour}"))
        office.run(timedelta(hours=1))
    failing = [row for row in rows(engine, IncidentRow) if row.entity_type == "target"]
    assert sorted(row.entity for row in failing) == ["boss", "ops"]
    about = {row.id for row in failing}
    told = [row for row in rows(engine, NotificationRow) if row.incident_id in about]
    assert {row.transition for row in told} == {"opened"}


def test_what_is_left_of_a_target_that_settings_no_longer_have(engine: Engine) -> None:
    office = Office(engine, OPS, target("mail"))
    office.transports["ops"] = MemoryTransport([REFUSED, DOWN])
    office.restart()
    office.record(finding())
    office.run()
    office.record(finding(entity="under way"))
    office.run()
    office.record(finding(entity="waiting"))
    office.told("mail")
    office.targets, office.routing = (target("mail"),), Routing.everything_to("mail")
    office.restart()
    office.run(MINUTE)
    assert _status(engine, 2) == "resolved", "the incident about ops"
    left = [row.state for row in rows(engine, NotificationRow) if row.target == "ops"]
    assert left == ["dead", "dead", "suppressed"]
    assert "opened: suppressed (the target is no longer in the settings)" in states(engine)["ops"]
    assert {row.state for row in rows(engine, DeliveryRow)} == {"sent", "dead"}
    office.run(MINUTE)
    assert (2, ("calm:1",)) in [item for message in office.told("mail") for item in message]


def test_a_fault_of_the_way_to_a_target_is_a_failed_attempt(engine: Engine) -> None:
    def fail(_message: Message) -> None:
        raise KeyError("token")

    office = Office(engine, OPS, target("boss"))
    office.transports["ops"] = MemoryTransport(during=fail)
    office.restart()
    office.record(finding())
    assert office.run() == 1, "the other target is told"
    (delivery,) = (row for row in rows(engine, DeliveryRow) if row.target == "ops")
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert delivery.last_error == "the program failed to send it (KeyError)"
    assert delivery.next_attempt_at > office.now
    office.transports["ops"] = MemoryTransport()
    office.restart()
    assert office.run(MINUTE) == 1
    assert [row.outcome for row in rows(engine, DeliveryAttemptRow) if row.delivery_id == 1] == [
        "failed",
        "sent",
    ]


def test_a_fault_in_writing_a_message_is_a_failed_attempt(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("secret")

    office = Office(engine, OPS)
    office.record(finding())
    with monkeypatch.context() as patched:
        patched.setattr("alerts.sending.lane.render", fail)
        office.run()
        (delivery,) = rows(engine, DeliveryRow)
        assert (delivery.state, delivery.attempts) == ("pending", 1)
        assert delivery.last_error == "the program failed to write it (KeyError)"
        for _ in range(ATTEMPT_LIMIT):
            office.run(timedelta(minutes=16))
        assert rows(engine, DeliveryRow)[0].state == "dead"
    office.record(finding(entity="other"))
    assert office.run() == 1


def test_what_became_part_of_another_is_left_out_of_later_attempts(engine: Engine) -> None:
    office = Office(engine, OPS, routing=one_route("ops", group_by=()))
    office.transports["ops"] = MemoryTransport([DOWN])
    office.restart()
    office.record(finding(), finding(NOW + 50 * MINUTE), finding(entity="other"))
    office.run()
    office.told("ops")
    office.record(finding(NOW + 25 * MINUTE))
    office.run(10 * MINUTE)
    (message,) = office.told("ops")
    assert {incident for incident, _ in message} == {1, 2}
    assert [row.merged_into for row in rows(engine, IncidentRow)] == [None, None, 1]


def test_who_keeps_alerts_is_told_what_became_part_of_another(engine: Engine) -> None:
    keeper = Target("am", SecretStr("alertmanager://127.0.0.1:9093"))
    office = Office(engine, keeper, OPS)
    office.record(finding(), finding(NOW + 50 * MINUTE))
    office.run(55 * MINUTE)
    office.record(finding(NOW + 25 * MINUTE))
    office.told("ops")
    office.told("am")
    office.run(2 * MINUTE)
    (message,) = office.transports["am"].messages
    assert message.title.endswith("part of incident 1 (incident 2)")
    told = alerts(message.notice, office.now)
    assert all(alert["endsAt"] <= iso(office.now) for alert in told)
    assert office.told("am") == [[(2, ("merged:1",))]]
    office.run(timedelta(hours=3))
    assert office.told("am") == office.told("ops") == []


def test_attempts_end_in_the_dead_letter(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.transports["ops"] = MemoryTransport(always=DOWN)
    office.restart()
    office.record(finding())
    for attempt in range(1, ATTEMPT_LIMIT + 1):
        office.run()
        (delivery,) = rows(engine, DeliveryRow)
        assert delivery.attempts == attempt
        office.now = delivery.next_attempt_at
    assert delivery.state == "dead"
    assert delivery.last_error == "connection refused"
    assert [row.outcome for row in rows(engine, DeliveryAttemptRow)] == ["failed"] * ATTEMPT_LIMIT
    assert office.run(timedelta(days=30)) == 0


def test_retry_after_holds_back_everything_for_the_target(engine: Engine) -> None:
    office = Office(engine, OPS)
    later = Outcome(delivered=False, error="HTTP 429", retry_after=timedelta(minutes=2))
    office.transports["ops"] = MemoryTransport([later])
    office.restart()
    office.record(*many(3))
    assert office.run() == 0
    assert len(rows(engine, DeliveryRow)) == 1
    assert office.run(119 * SECOND) == 0
    assert office.run(SECOND) == 3


def test_no_receiver_may_ask_for_more_than_an_hour() -> None:
    asked = Outcome(delivered=False, error="HTTP 429", retry_after=timedelta(days=9))
    assert verdict(asked, 1, NOW).again_at == NOW + LONGEST_RETRY_AFTER


def test_a_message_about_removed_incidents_is_abandoned(engine: Engine) -> None:
    office = Office(engine, OPS)
    office.transports["ops"] = MemoryTransport([DOWN])
    office.restart()
    office.record(finding())
    office.run()
    with engine.begin() as connection:
        connection.execute(table_of(NotificationRow).delete())
    assert office.run(MINUTE) == 0
    (delivery,) = rows(engine, DeliveryRow)
    assert (delivery.state, delivery.attempts) == ("dead", 1)
    assert "removed" in delivery.last_error


def test_no_transaction_is_open_while_the_network_is_talked_to(engine: Engine) -> None:
    """The store is never delayed: while a message is on its way it records at once."""
    office = Office(engine, OPS)
    held: list[int] = []

    def during(_message: object) -> None:
        held.append(len(transactions.open))
        office.record(finding(entity=f"meanwhile{len(held)}"))

    office.transports["ops"] = MemoryTransport(during=during)
    office.restart()
    with _Transactions(engine) as transactions:
        office.record(finding())
        assert office.run() == 1
    assert held == [0]
    assert transactions.most > 0, "they are counted"
    assert len(rows(engine, IncidentRow)) == 2


def test_nobody_waits_for_what_is_far_away(engine: Engine) -> None:
    office = Office(engine, OPS, routing=Routing([Route("all", ("elsewhere",))]))
    office.record(finding())
    assert office.run() == 0
    why = "the target is no longer in the settings"
    assert states(engine) == {"elsewhere": [f"opened: suppressed ({why})"]}


class _Transactions:
    """Counts the transactions that are open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.open: set[int] = set()
        self.most = 0

    def __enter__(self) -> "_Transactions":
        event.listen(self._engine, "begin", self._begin)
        event.listen(self._engine, "commit", self._end)
        event.listen(self._engine, "rollback", self._end)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "begin", self._begin)
        event.remove(self._engine, "commit", self._end)
        event.remove(self._engine, "rollback", self._end)

    def _begin(self, connection: Any) -> None:
        self.open.add(id(connection))
        self.most = max(self.most, len(self.open))

    def _end(self, connection: Any) -> None:
        self.open.discard(id(connection))


def _set_status(engine: Engine, status: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(table_of(IncidentRow).update().values(status=status, **values))


def _status(engine: Engine, identity: int) -> str:
    return str(next(row.status for row in rows(engine, IncidentRow) if row.id == identity))


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capsys.readouterr()
