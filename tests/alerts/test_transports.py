"""Each way to a target against real receivers on loopback, with each fault."""

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from pydantic import SecretStr

from alerts.messages import Message, render
from alerts.routing.target import Target, TargetError
from alerts.transports import transport_of
from alerts.transports.answers import LONGEST_RETRY_AFTER, outcome_of, retry_after
from alerts.transports.outcome import Outcome
from tests.receivers.kinds import KINDS, SECRET, WEB_KINDS, Kind
from tests.receivers.notices import notice
from tests.receivers.web import Answer, WebReceiver


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    name: str = request.param
    fixtures = {"mail": "mail", "slack": "slack"}
    return Kind(name, request.getfixturevalue(fixtures.get(name, "web")))


@pytest.fixture
def program_log() -> Iterator[StringIO]:
    """All that a program's handler at the root of logging is told, but by the mail server."""
    told = StringIO()
    handler = logging.StreamHandler(told)
    handler.addFilter(lambda record: not record.name.startswith("mail."))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    yield told
    root.removeHandler(handler)
    root.setLevel(level)


def message_for(kind: Kind, mark: str = "mark-1") -> Message:
    return render(notice(mark=mark, link="https://vedette.example"), kind.target)


def failed(error: str, *, permanent: bool = False, seconds: int | None = None) -> Outcome:
    wait = None if seconds is None else timedelta(seconds=seconds)
    return Outcome(delivered=False, error=error, permanent=permanent, retry_after=wait)


_WEB = {
    "timeout": failed("timed out"),
    "busy": failed("answered HTTP 429", seconds=7),
    "broken": failed("answered HTTP 500"),
    "refusing": failed("answered HTTP 403", permanent=True),
    "drop": failed("the connection closed midway"),
    "slow": Outcome(delivered=True),
}
_MAIL = {
    "timeout": failed("timed out"),
    "busy": failed("the mail server answered 450"),
    "broken": failed("the mail server answered 451"),
    "refusing": failed("the mail server answered 554", permanent=True),
    "drop": failed("the connection closed midway"),
    "slow": Outcome(delivered=True),
}


@pytest.mark.parametrize("fault", list(_WEB))
def test_each_fault_has_its_outcome_and_a_repeat_the_same_mark(
    kind: Kind, fault: str, program_log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    transport = kind.transport()
    kind.plan(fault)
    first = transport.deliver(message_for(kind))
    assert first == (_MAIL if kind.name == "mail" else _WEB)[fault]
    assert transport.deliver(message_for(kind)) == Outcome(delivered=True)
    assert kind.marks() == ["mark-1", "mark-1"]
    assert transport.deliver(message_for(kind, "mark-2")) == Outcome(delivered=True)
    assert kind.marks()[2] == "mark-2"
    assert SECRET not in str(first) + program_log.getvalue() + "".join(capfd.readouterr())


def test_a_receiver_that_is_gone_refuses_and_is_found_again(kind: Kind) -> None:
    transport = kind.transport()
    assert transport.deliver(message_for(kind)) == Outcome(delivered=True)
    kind.server.close()
    assert transport.deliver(message_for(kind)) == failed("connection refused")
    kind.restart()
    try:
        assert transport.deliver(message_for(kind)) == Outcome(delivered=True)
        assert kind.marks() == ["mark-1"]
    finally:
        kind.server.close()


@pytest.mark.parametrize("name", [name for name in WEB_KINDS if name != "alertmanager"])
def test_an_answer_that_ends_midway_is_no_delivery(name: str, slack: WebReceiver) -> None:
    kind = Kind(name, slack)
    kind.plan("midway")
    assert kind.transport().deliver(message_for(kind)) == failed("the connection closed midway")


def test_alertmanager_s_status_is_its_answer(web: WebReceiver) -> None:
    kind = Kind("alertmanager", web)
    kind.plan("midway")
    assert kind.transport().deliver(message_for(kind)) == Outcome(delivered=True)


@pytest.mark.parametrize("name", WEB_KINDS)
def test_no_redirect_is_followed(name: str, slack: WebReceiver) -> None:
    kind = Kind(name, slack)
    kind.plan("moved")
    error = "answered HTTP 307: redirects are not followed"
    assert kind.transport().deliver(message_for(kind)) == failed(error, permanent=True)
    assert len(slack.requests) == 1


def test_slack_that_answers_but_does_not_accept_is_no_delivery(slack: WebReceiver) -> None:
    kind = Kind("slack", slack)
    slack.plan = [Answer(body=b"no_service")]
    outcome = kind.transport().deliver(message_for(kind))
    assert outcome == failed("answered, but did not accept the message")


def test_a_host_that_nobody_knows_is_said_so() -> None:
    target = Target("ops", SecretStr(f"json://u:{SECRET}@nowhere.invalid/?cto=0.5"))
    outcome = transport_of(target).deliver(render(notice(), target))
    assert outcome == failed("the host's name is not known")


def test_two_deliveries_at_once_see_each_their_own_answer(web: WebReceiver) -> None:
    other = WebReceiver()
    try:
        web.plan = [Answer(429, {"Retry-After": "3"}, slow=True)] * 3
        other.plan = [Answer(404, slow=True)] * 3
        found: dict[str, list[Outcome]] = {}

        def send(name: str, receiver: WebReceiver) -> None:
            kind = Kind("json", receiver)
            transport = kind.transport()
            found[name] = [transport.deliver(message_for(kind)) for _ in range(3)]

        threads = [
            threading.Thread(target=send, args=pair) for pair in (("web", web), ("other", other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found["web"] == [failed("answered HTTP 429", seconds=3)] * 3
        assert found["other"] == [failed("answered HTTP 404", permanent=True)] * 3
    finally:
        other.close()


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        *((status, True) for status in (400, 401, 404, 410, 413, 422)),
        *((status, False) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_which_statuses_are_permanent(status: int, *, permanent: bool) -> None:
    assert outcome_of(status, {}) == failed(f"answered HTTP {status}", permanent=permanent)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 400}, LONGEST_RETRY_AFTER.total_seconds()),
        (
            {
                "Date": "Mon, 03 Nov 2025 09:00:00 GMT",
                "Retry-After": "Mon, 03 Nov 2025 09:01:30 GMT",
            },
            90,
        ),
        (
            {
                "Date": "Mon, 03 Nov 2025 09:00:00 GMT",
                "Retry-After": "Mon, 03 Nov 2025 08:00:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    wait = retry_after(headers)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "address",
    [
        "alertmanager://",
        "alertmanager://user:hunter2secret@:9093",
        "alertmanager://hunter2secret@host:port",
        "alertmanagers://hunter2secret@host:9093/?x=1",
        "nosuch://hunter2secret@host",
    ],
)
def test_an_address_that_cannot_be_is_not_shown(address: str) -> None:
    with pytest.raises(TargetError, match="target ops") as caught:
        transport_of(Target("ops", SecretStr(address)))
    assert SECRET not in str(caught.value)
