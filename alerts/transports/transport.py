"""A way to a target."""

from typing import Protocol
from urllib.parse import urlsplit

from alerts.messages import Message
from alerts.messages.message import ALERTMANAGER_SCHEMES
from alerts.routing.target import Target
from alerts.transports.alertmanager import AlertmanagerTransport
from alerts.transports.channel import AppriseTransport
from alerts.transports.outcome import Outcome


class Transport(Protocol):
    """Delivers messages to one target; not to be called by two threads at once."""

    def deliver(self, message: Message) -> Outcome:
        """Send the message, once, within a time limit; what went wrong is in the outcome.

        The same notice always carries the same mark, so that a receiver can tell a repeat.
        """
        ...


def transport_of(target: Target) -> Transport:
    """Return the way to the target. Raises TargetError."""
    scheme = urlsplit(target.url.get_secret_value()).scheme.lower()
    if scheme in ALERTMANAGER_SCHEMES:
        return AlertmanagerTransport(target)
    return AppriseTransport(target)
