"""The outbox out, to a real receiver on loopback."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from alerts.database.models import DeliveryRow, NotificationRow, table_of
from alerts.routing.routes import Routing
from alerts.routing.target import Target, TargetError
from alerts.sending.retries import ATTEMPT_LIMIT, LONGEST_WAIT, backoff
from alerts.sending.sender import Sender
from alerts.storage.store import Store
from detectors.findings import Finding, Level

NOW = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
SECRET = "hunter2secret"

# Apprise's mail plugin asks an optional PGP library that still imports imghdr.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Receiver:
    """Answers with the codes given, then 200; remembers what came."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.messages: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.came = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.append(json.loads(body))
                receiver.headers.append(dict(self.headers.items()))
                self.send_response(receiver.codes.pop(0) if receiver.codes else 200)
                self.end_headers()
                receiver.came.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"json://user:{SECRET}@127.0.0.1:{self.server.server_port}/hook")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def open_incident(engine: Engine, *targets: str, entity: str = "203.0.113.7") -> None:
    finding = Finding(
        "recon",
        "user",
        entity,
        NOW,
        NOW + timedelta(minutes=2),
        43,
        10,
        "distinct missing paths",
        timedelta(minutes=2),
        Level.MEDIUM,
    )
    routing = Routing.everything_to(*targets)
    Store(engine, now=lambda: NOW).record([finding], watermark=None, routing=routing)


def outbox(engine: Engine) -> list[Any]:
    """Return all notifications with what is kept of their deliveries."""
    table, tried = table_of(NotificationRow), table_of(DeliveryRow)
    own = (table.c.target, table.c.state, table.c.reason)
    rest = [column for column in tried.c if column.name not in {"target", "state"}]
    query = select(*own, *rest).outerjoin(tried, tried.c.id == table.c.delivery_id)
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(table.c.id)).all())


def test_a_message_arrives_with_its_mark(engine: Engine, receiver: Receiver) -> None:
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", receiver.url)])
    assert sender.run_once(NOW) == 1
    assert sender.run_once(NOW + timedelta(days=1)) == 0
    (row,) = outbox(engine)
    assert (row.state, row.attempts, row.sent_at, row.last_error) == ("sent", 1, NOW, None)
    (message,) = receiver.messages
    assert message["title"] == "[MEDIUM] user 203.0.113.7: new incident (incident 1)"
    assert "43 distinct missing paths within 2 min (limit 10)" in message["message"]
    assert message["idempotency_key"] == row.idempotency_key
    assert receiver.headers[0]["Idempotency-Key"] == row.idempotency_key


def test_a_refusal_is_tried_again_with_the_same_mark(engine: Engine, receiver: Receiver) -> None:
    receiver.codes = [500]
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", receiver.url)])
    assert sender.run_once(NOW) == 0
    (row,) = outbox(engine)
    assert (row.state, row.attempts, row.last_error) == ("bundled", 1, "answered HTTP 500")
    assert NOW < row.next_attempt_at <= NOW + timedelta(seconds=5)
    assert sender.run_once(NOW + timedelta(seconds=1)) == 0
    assert len(receiver.messages) == 1
    assert sender.run_once(row.next_attempt_at) == 1
    first, second = receiver.messages
    assert first == second
    assert outbox(engine)[0].state == "sent"


def test_an_unreachable_target_ends_in_the_dead_letter(engine: Engine) -> None:
    gone = Receiver()
    gone.close()
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", gone.url)])
    now = NOW
    with capture_logs([merge_contextvars]) as logs:
        for attempt in range(1, ATTEMPT_LIMIT + 1):
            assert sender.run_once(now) == 0
            (row,) = outbox(engine)
            assert (row.attempts, row.last_error) == (attempt, "connection refused")
            now = row.next_attempt_at
    assert row.state == "dead"
    assert sender.run_once(NOW + timedelta(days=30)) == 0
    assert len(logs) == ATTEMPT_LIMIT
    assert {(line["incidents"], line["delivery"]) for line in logs} == {("1", 1)}
    assert SECRET not in str(logs) + str(outbox(engine))


def test_a_target_that_fails_delays_no_other(engine: Engine, receiver: Receiver) -> None:
    gone = Receiver()
    gone.close()
    open_incident(engine, "gone", "ops")
    sender = Sender(engine, [Target("gone", gone.url), Target("ops", receiver.url)])
    assert sender.run_once(NOW) == 1
    assert {row.target: row.state for row in outbox(engine)} == {"gone": "bundled", "ops": "sent"}


def test_what_is_below_the_target_s_level_is_not_sent(engine: Engine, receiver: Receiver) -> None:
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", receiver.url, Level.HIGH)])
    assert sender.run_once(NOW) == 0
    (row,) = outbox(engine)
    assert (row.state, row.reason, receiver.messages) == ("suppressed", "below high", [])


def test_the_thread_sends_and_stops(engine: Engine, receiver: Receiver) -> None:
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", receiver.url)], now=lambda: NOW, interval=0.01)
    sender.start()
    sender.start()
    assert receiver.came.wait(10)
    sender.stop()
    assert len(receiver.messages) == 1
    assert [t for t in threading.enumerate() if t.name.startswith("sender-")] == []


def test_the_thread_survives_what_nobody_expected(engine: Engine, receiver: Receiver) -> None:
    def clock() -> datetime:
        if next(faults, False):
            raise ZeroDivisionError
        return NOW

    faults = iter([True, True])
    open_incident(engine, "ops")
    sender = Sender(engine, [Target("ops", receiver.url)], now=clock, interval=0.01)
    with capture_logs() as logs:
        sender.start()
        assert receiver.came.wait(10)
        sender.stop()
    said = [line for line in logs if line["log_level"] == "error"]
    assert [line["error"] for line in said] == ["ZeroDivisionError"] * 2
    assert {line["target"] for line in said} <= {"ops", "(departed)"}
    assert said[0]["where"].startswith("test_sender.py:")


def test_hostile_names_arrive_as_text(engine: Engine, receiver: Receiver) -> None:
    open_incident(engine, "ops", entity="a\x1b[2J\u202e\r\nBcc: x@example.org")
    Sender(engine, [Target("ops", receiver.url)]).run_once(NOW)
    (message,) = receiver.messages
    assert message["title"].isprintable()
    assert all(line.isprintable() for line in message["message"].split("\n"))
    assert not any(line.startswith("Bcc") for line in message["message"].split("\n"))


def test_an_address_that_apprise_does_not_know_is_not_shown(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(TargetError, match="target ops") as caught:
            Sender(engine, [Target("ops", SecretStr(f"nosuch://{SECRET}@host"))])
    finally:
        logging.getLogger().removeHandler(handler)
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())


def test_waits_grow_and_are_capped() -> None:
    for attempts in (1, 2, 5, 9, 1000):
        wait = min(timedelta(seconds=5) * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
        assert wait / 2 <= backoff(attempts) <= wait
