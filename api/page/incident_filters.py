"""What somebody chose above the list of incidents, from the query of its address and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from pydantic import ValidationError

from alerts.lists.filters import IncidentFilter
from api.incident_query import IncidentQuery

#: Choices of status: what each is called, and which statuses it keeps.
STATUSES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "": ("Needs attention", ("open", "acknowledged")),
    "open": ("Open", ("open",)),
    "acknowledged": ("Acknowledged", ("acknowledged",)),
    "ended": ("Resolved or closed", ("resolved", "closed")),
    "any": ("Any status", ()),
}
SEVERITIES: Final = {
    "": "Any severity",
    "critical": "Critical",
    "high": "High and above",
    "medium": "Medium and above",
    "low": "Low and above",
}
PERIODS: Final[dict[str, tuple[str, timedelta | None]]] = {
    "": ("Any time", None),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
ASSIGNEES: Final = {"": "Anybody's", "me": "Mine", "nobody": "Nobody's"}
SORTS: Final = {"": "Last active first", "start": "Newest first", "severity": "Severest first"}

#: Filters that are taken as they are, and what each is called.
NAMES: Final = {
    "entity": "Entity",
    "detector": "Detector",
    "service": "Service",
    "tag": "Tag",
    "label": "Label",
}
MODES: Final = {"": "Alerts", "monitor": "Only monitored", "any": "Alerts and monitored"}

#: Everything that the form may say.
_KEYS: Final = (
    "text", "status", "severity", "period", "assignee", "sort", "mode", "parent", *NAMES,
)  # fmt: skip

T = TypeVar("T")

#: Incidents on one page.
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, by key, and where the page begins; what is empty is left out."""

    values: Mapping[str, str]
    cursor: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Chosen":
        """Take what is known of a query; the rest is not looked at."""
        values = {key: query[key].strip() for key in _KEYS if query.get(key, "").strip()}
        return cls(values, query.get("cursor") or None)

    def get(self, key: str) -> str:
        """Return what was chosen under a key; nothing is the first choice."""
        return self.values.get(key, "")

    @property
    def narrow(self) -> bool:
        """Whether something below the fold of the form was chosen."""
        return any(key in self.values for key in (*NAMES, "mode", "parent", "assignee", "sort"))

    def address(self, cursor: str | None = None) -> str:
        """Return the address of the list with this choice, from a cursor on."""
        query = urlencode(dict(self.values) | ({"cursor": cursor} if cursor else {}))
        return f"/?{query}" if query else "/"

    def filter(self, name: str, now: datetime) -> IncidentFilter:
        """Return it as the queries take it, for whom it is `name`. Raises FilterError."""
        given: dict[str, Any] = {key: self.values[key] for key in NAMES if key in self.values}
        given |= {
            key: self.values[key]
            for key in ("text", "sort", "mode", "parent")
            if key in self.values
        }
        given["status"] = list(_known(STATUSES, self.get("status"), "status")[1])
        if severity := self.get("severity"):
            given["severity_min"] = severity
        length = _known(PERIODS, self.get("period"), "time")[1]
        if length is not None:
            given["since"] = now - length
        if _known(ASSIGNEES, self.get("assignee"), "assignee") and self.get("assignee"):
            given |= {"assignee": name} if self.get("assignee") == "me" else {"unassigned": True}
        try:
            return IncidentQuery.model_validate(given).filter()
        except ValidationError as error:
            fault = error.errors()[0]
            raise FilterError(f"{fault['loc'][0]}: {fault['msg']}") from error


class FilterError(ValueError):
    """A filter has no such value; the message says which, and what it can be."""


def _known(choices: Mapping[str, T], chosen: str, what: str) -> T:
    if chosen not in choices:
        raise FilterError(f"{what}: there is no such choice")
    return choices[chosen]
