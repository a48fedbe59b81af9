"""An incident in a few words, for rows and titles. Pure."""

import re
from typing import Final

from alerts.incidents.views import IncidentView
from ingest.masking import printable

#: When it happened, as a summary says it; rows have columns for that.
_SPAN: Final = re.compile(r", (?:from [\d:-]+(?: [\d:]+)? to [\d:-]+(?: [\d:]+)?|at [\d:]+) UTC\.")

#: What an entity is called.
_KINDS: Final = {
    "client": "Client",
    "network": "Network",
    "user": "User",
    "api_key": "API key",
    "route": "Route",
    "service": "Service",
    "source": "Log",
    "target": "Notification target",
    "all": "All traffic",
}


def headline(incident: IncidentView) -> str:
    """Return the summary without whom it is about and when it was; never empty."""
    name = printable(incident.entity)
    subject = next(
        (
            start
            for start in (f"{_KINDS.get(incident.entity_type, '')} {name}: ", "All traffic: ")
            if incident.summary.startswith(start)
        ),
        "",
    )
    text = _SPAN.sub(".", incident.summary.removeprefix(subject), count=1).removesuffix(".")
    return text[:1].upper() + text[1:] if text.strip() else incident.summary


def subject(entity_type: str, entity: str) -> str:
    """Return whom an incident is about: Client 203.0.113.7."""
    kind = _KINDS.get(entity_type, entity_type)
    return kind if entity_type == "all" else f"{kind} {entity}"
