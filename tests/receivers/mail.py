"""A mail server on loopback that keeps what came, and fails as told."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

#: Seconds that a slow answer takes.
SLOW = 0.2

#: What the server may do with a mail in place of an answer at once.
Misbehaviour = Literal["silent", "drop", "slow"]

USER = "ops"
PASSWORD = "hunter2secret"


class MailReceiver:
    """Answers DATA as `plan` says, then 250; `raw` is what came, to the byte."""

    def __init__(self, port: int | None = None) -> None:
        self.plan: list[str | Misbehaviour] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.port = _free_port() if port is None else port
        self._controller = Controller(
            _Handler(self),
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=20,
            auth_require_tls=False,
            authenticator=_authenticator,
        )
        self._controller.start()
        self._open = True

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, parsed as a mail program does."""
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]

    @property
    def url(self) -> str:
        return (
            f"mailto://{USER}:{PASSWORD}@127.0.0.1:{self.port}/?from=vedette@example.org"
            "&to=team@example.org&mode=insecure&cto=0.5"
        )

    def close(self) -> None:
        """Stop: from now on the port refuses connections. Does nothing the second time."""
        if self._open:
            self._open = False
            self._controller.stop()

    def restarted(self) -> "MailReceiver":
        """Stop, and return another on the same port."""
        self.close()
        return MailReceiver(self.port)


class _Handler:
    def __init__(self, receiver: MailReceiver) -> None:
        self._receiver = receiver

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        receiver = self._receiver
        receiver.raw.append(cast("bytes", envelope.original_content))
        receiver.recipients.append(list(envelope.rcpt_tos))
        step = receiver.plan.pop(0) if receiver.plan else "250 taken"
        if step == "drop":
            assert server.transport is not None
            server.transport.abort()  # type: ignore[attr-defined]
            return "250 nobody hears this"
        if step in {"silent", "slow"}:
            await asyncio.sleep(30 if step == "silent" else SLOW)
            return "250 taken late"
        return step


def _authenticator(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
