"""Everything about an incident as JSON."""

import json
from typing import Any, Final

from alerts.lists.details import IncidentDetail
from ingest.masking import printable_json

#: Says what the object is; a new number means that a field changed its meaning or went away.
FORMAT: Final = "vedette.incident/1"


def complete(detail: IncidentDetail) -> dict[str, Any]:
    """Return an incident with everything that is kept about it, as plain data."""
    return {"format": FORMAT, **detail.to_dict()}


def json_line(document: dict[str, Any]) -> str:
    """Return plain data as one line of JSON, in which no character can be obeyed."""
    return printable_json(json.dumps(document, ensure_ascii=False, separators=(", ", ": ")))
