"""Kinds of receivers: how each is addressed, and what each shows of a delivery."""

import re
from dataclasses import dataclass

from pydantic import SecretStr

from alerts.routing.target import Target
from alerts.transports import Transport, transport_of
from alerts.transports.alertmanager import AlertmanagerTransport
from tests.receivers.mail import PASSWORD, USER, MailReceiver
from tests.receivers.web import Answer, Misbehaviour, Request, WebReceiver

#: In every address; to be seen in no error.
SECRET = PASSWORD

#: Address of a Slack webhook, whose last part is its secret.
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}xxxxxxxxxxx/#ops"

#: A port of each receiver is asked for this long, in seconds.
WAIT = 0.5

WEB_KINDS = ("json", "xml", "form", "slack", "alertmanager")
KINDS = (*WEB_KINDS, "mail")


def address(kind: str, web: WebReceiver) -> str:
    """Return the address of a receiver over HTTP, as settings have it."""
    limits = f"?rto={WAIT}&cto={WAIT}"
    if kind == "slack":
        return SLACK + limits
    if kind == "alertmanager":
        return f"alertmanager://{USER}:{SECRET}@{web.address}/am"
    return f"{kind}://{USER}:{SECRET}@{web.address}/hook{limits}"


def mark_in(kind: str, request: Request) -> str:
    """Return the mark as the receiver's program finds it."""
    assert request.headers["Idempotency-Key"]
    if kind == "slack":
        (mark,) = re.findall(r"Reference: ([\w-]+)", str(request.json()))
        return str(mark)
    if kind == "alertmanager":
        return str(request.json()[0]["annotations"]["reference"])
    fields = getattr(request, kind)()
    return str(fields["idempotency_key"])


@dataclass
class Kind:
    """A running receiver of one kind, behind one face for mail and HTTP."""

    name: str
    server: WebReceiver | MailReceiver

    @property
    def target(self) -> Target:
        server = self.server
        url = server.url if isinstance(server, MailReceiver) else address(self.name, server)
        return Target("ops", SecretStr(url))

    def transport(self) -> Transport:
        """The way there, with a short limit of time."""
        if self.name == "alertmanager":
            return AlertmanagerTransport(self.target, timeout=(WAIT, WAIT))
        return transport_of(self.target)

    def plan(self, fault: str) -> None:
        """Have the next message meet the fault."""
        server = self.server
        if isinstance(server, MailReceiver):
            server.plan.append(_MAIL_FAULTS[fault])
        else:
            server.plan.append(_WEB_FAULTS[fault])

    def marks(self) -> list[str]:
        """The marks of all that came."""
        server = self.server
        if isinstance(server, MailReceiver):
            return [str(mail["Idempotency-Key"]) for mail in server.mails]
        return [mark_in(self.name, request) for request in server.requests]

    def restart(self) -> None:
        self.server = self.server.restarted()


_WEB_FAULTS: dict[str, Answer | Misbehaviour] = {
    "timeout": "silent",
    "busy": Answer(429, {"Retry-After": "7"}),
    "broken": Answer(500, body=SECRET.encode()),
    "refusing": Answer(403, body=SECRET.encode()),
    "moved": Answer(307, {"Location": "http://127.0.0.1:9/elsewhere"}),
    "slow": Answer(slow=True),
    "drop": "drop",
    "midway": "midway",
}
_MAIL_FAULTS = {
    "timeout": "silent",
    "busy": "450 4.7.1 wait, hunter2secret",
    "broken": "451 4.3.0 local error",
    "refusing": "554 5.7.1 hunter2secret is not welcome",
    "slow": "slow",
    "drop": "drop",
}
