"""Receivers of messages on loopback, one of each kind for a test that takes it."""

from collections.abc import Iterator

import pytest
from apprise.plugins.slack import NotifySlack

from tests.receivers.mail import MailReceiver, mail_receiver
from tests.receivers.web import WebReceiver, web_receiver


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    """A receiver over HTTP."""
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailReceiver]:
    """A mail server."""
    from apprise.plugins.email.base import NotifyEmail  # noqa: PLC0415 - slow, and warns

    monkeypatch.setattr(NotifyEmail, "request_rate_per_sec", 0)
    with mail_receiver() as receiver:
        yield receiver


@pytest.fixture
def slack(web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> WebReceiver:
    """A receiver that Apprise takes for Slack."""
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://{web.address}/services")
    monkeypatch.setattr(NotifySlack, "request_rate_per_sec", 0)
    return web
