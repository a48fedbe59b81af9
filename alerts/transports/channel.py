"""Messages through Apprise: mail, Slack, JSON, and whatever else it knows."""

import html
import logging
import re
from importlib.resources import files
from typing import Final

from apprise import AppriseResult, AppriseResultStatus, NotifyFormat, NotifyType
from apprise.plugins.base import NotifyBase
from apprise.plugins.slack import NotifySlack, SlackMode

from alerts.messages import Message
from alerts.messages.apprise_service import service_of
from alerts.messages.escaping import Format
from alerts.messages.message import channel_of
from alerts.messages.news import ended
from alerts.routing.target import Target
from alerts.transports.outcome import IDEMPOTENCY_FIELD, IDEMPOTENCY_HEADER, Outcome
from alerts.transports.watching import watched
from detectors.findings import Level

#: What Apprise calls the formats. Slack's goes through as it is.
_FORMATS: Final[dict[Format, NotifyFormat | None]] = {
    "text": NotifyFormat.TEXT,
    "markdown": NotifyFormat.MARKDOWN,
    "html": NotifyFormat.HTML,
    "slack": None,
}

#: An answer of a mail server in what Apprise logs.
_SMTP: Final = re.compile(r"\(([245]\d\d), b['\"]|was refused: ([245]\d\d) ")

#: Words in what Apprise logs of a connection.
_REASONS: Final = (
    ("timed out", "timed out"),
    ("refused", "connection refused"),
    ("unexpectedly closed", "the connection closed midway"),
    ("reset by peer", "the connection closed midway"),
    ("CERTIFICATE_VERIFY_FAILED", "the certificate or TLS was not accepted"),
    ("not known", "the host's name is not known"),
    ("onnection", "connection failed"),
)


class AppriseTransport:
    """Delivers through the plugin of the target's address."""

    def __init__(self, target: Target) -> None:
        """Set up the plugin. Raises TargetError."""
        self._service = service_of(target)
        self._slack = channel_of(target).format == "slack"
        for plugin in self._service:
            if isinstance(plugin, NotifySlack):
                _use_blocks(plugin, ours=self._slack)

    def deliver(self, message: Message) -> Outcome:
        """Send the message, within the plugin's time limit."""
        mark = message.notice.mark
        for plugin in self._service:
            _mark(plugin, mark)
        kind = _FORMATS[message.format]
        with watched(mark) as watch:
            result = self._service.notify(
                body=message.body,
                title=html.escape(message.title, quote=False) if self._slack else message.title,
                body_format=kind.value if kind else None,
                notify_type=_kind(message),
                log_level=logging.DEBUG,
            )
        if result:
            return Outcome(delivered=True)
        if watch.outcome is not None and not watch.outcome.delivered:
            return watch.outcome
        if watch.outcome is not None:
            return Outcome(delivered=False, error="answered, but did not accept the message")
        return _outcome(result)


def _use_blocks(plugin: NotifySlack, *, ours: bool) -> None:
    """Have the message in blocks, which say what is text and what is mrkdwn."""
    plugin.include_image = False
    plugin.include_footer = False
    plugin.use_blocks = True
    workflow = plugin.mode in {SlackMode.WORKFLOW, SlackMode.WORKFLOW_TRIGGER}
    if ours and not workflow and not plugin.template:
        plugin.template.add(str(files("alerts.transports") / "slack.json"))


def _mark(plugin: NotifyBase, mark: str) -> None:
    headers = getattr(plugin, "headers", None)
    if isinstance(headers, dict):
        headers[IDEMPOTENCY_HEADER] = mark
    fields = getattr(plugin, "payload_extras", None)
    if isinstance(fields, dict):
        fields[IDEMPOTENCY_FIELD] = mark


def _kind(message: Message) -> NotifyType:
    incidents = [item.incident for item in message.notice.items]
    if all(ended(incident) for incident in incidents):
        return NotifyType.SUCCESS
    gravest = max(Level[incident.severity.upper()] for incident in incidents)
    if gravest >= Level.HIGH:
        return NotifyType.FAILURE
    return NotifyType.WARNING if gravest >= Level.MEDIUM else NotifyType.INFO


def _outcome(result: AppriseResult) -> Outcome:
    """Return the outcome by what was logged, of which only the kind is kept: it holds secrets."""
    if result.status == AppriseResultStatus.TIMEOUT:
        return Outcome(delivered=False, error="timed out")
    said = " ".join(str(entry.message) for entry in (*result.logs(), *result.call_logs()))
    codes = [first or second for first, second in _SMTP.findall(said)]
    if codes:
        code = max(codes)
        error = f"the mail server answered {code}"
        return Outcome(delivered=False, error=error, permanent=code.startswith("5"))
    words = next((words for mark, words in _REASONS if mark in said), "not delivered")
    return Outcome(delivered=False, error=words)
