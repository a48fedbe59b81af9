"""One message to one target through Apprise; the outcome in words without secrets."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from apprise import Apprise, AppriseResultStatus, NotifyFormat
from apprise.plugins.base import NotifyBase

from alerts.messages.about import PlainMessage

#: Header of the messages that can carry one: the same for every repeat.
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

#: Field of JSON, form and XML messages.
IDEMPOTENCY_FIELD: Final = "idempotency_key"

_HTTP_ERROR: Final = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a message was delivered, and if not, why.

    After a `permanent` error another attempt would meet the same; `retry_after` is what the
    receiver asks for.
    """

    delivered: bool
    error: str | None = None
    permanent: bool = False
    retry_after: timedelta | None = None


def deliver(service: Apprise, message: PlainMessage, idempotency_key: str) -> Outcome:
    """Send the message; takes as long as the target's time limit at most."""
    for plugin in service:
        _mark(plugin, idempotency_key)
    result = service.notify(
        body=message.body, title=message.title, body_format=NotifyFormat.TEXT.value
    )
    if result:
        return Outcome(delivered=True)
    if result.status == AppriseResultStatus.TIMEOUT:
        return Outcome(delivered=False, error="timed out")
    # What Apprise logs may name the address, so only its kind is kept.
    said = " ".join(str(entry.message) for entry in result.logs())
    code = _HTTP_ERROR.search(said)
    if code:
        return Outcome(delivered=False, error=f"answered HTTP {code.group(1)}")
    if "onnection" in said:
        return Outcome(delivered=False, error="connection failed")
    return Outcome(delivered=False, error="not delivered")


def _mark(plugin: NotifyBase, idempotency_key: str) -> None:
    headers = getattr(plugin, "headers", None)
    if isinstance(headers, dict):
        headers[IDEMPOTENCY_HEADER] = idempotency_key
    fields = getattr(plugin, "payload_extras", None)
    if isinstance(fields, dict):
        fields[IDEMPOTENCY_FIELD] = idempotency_key
