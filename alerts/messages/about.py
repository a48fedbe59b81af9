"""What a message about an incident says. Plain text; nothing in it is markup."""

from dataclasses import dataclass

from alerts.times import iso
from alerts.views import IncidentView
from ingest.masking import printable

_HEADLINES = {
    "opened": "new incident",
    "severity": "severity raised",
    "calm": "calm again",
    "returned": "active again",
}


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """A title and a body, of printable text and line ends only."""

    title: str
    body: str


def message_about(incident: IncidentView, transition: str, idempotency_key: str) -> PlainMessage:
    """Say what happened; the key at the end tells a repeat from a second message."""
    kind = transition.partition(":")[0]
    headline = _HEADLINES.get(kind, kind)
    title = f"[{incident.severity.upper()}] Incident {incident.id}: {headline}"
    many = incident.entity_type != "client" and incident.member_count
    lines = [
        incident.summary,
        "",
        f"Incident: {incident.id} ({incident.status})",
        f"Severity: {incident.severity}",
        *([f"Clients: {incident.member_count:,}"] if many else []),
        f"Detectors: {', '.join(incident.detectors)}",
        f"Active: {iso(incident.started_at)} to {iso(incident.last_at)}",
        f"Reference: {idempotency_key}",
    ]
    return PlainMessage(printable(title), "\n".join(printable(line) for line in lines))
