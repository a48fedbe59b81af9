"""Which incidents something is about: routes, silences, inhibition and maintenance share it."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alerts.views import IncidentView
from detectors.documents import LevelName
from detectors.findings import Level

Patterns = tuple[str, ...]

#: What each matcher compares, and where an incident has it.
_FIELDS: Final = ("severity", "detector", "service", "entity", "entity_type", "tag", "label")


class Matchers(BaseModel):
    """Incidents, by what they say. Each field that is given must match, with one of its patterns.

    Patterns are names with * and ?, upper and lower case alike; of `entity` also networks, as
    203.0.113.0/24. Of a field with several values (detector, service, tag, label) one must match.
    Without any field every incident matches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: tuple[LevelName, ...] = ()
    severity_min: LevelName | None = Field(default=None, description="this level and above")
    detector: Patterns = ()
    service: Patterns = ()
    entity: Patterns = ()
    entity_type: Patterns = ()
    tag: Patterns = ()
    label: Patterns = ()

    @field_validator(*_FIELDS, mode="before")
    @classmethod
    def _one_is_a_list_too(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    def matches(self, incident: IncidentView) -> bool:
        """Whether these matchers are about the incident."""
        return self.mismatch(incident) is None

    def mismatch(self, incident: IncidentView) -> str | None:
        """Return the first field that does not match, in words; None if all do."""
        if self.severity_min and _level(incident.severity) < _level(self.severity_min):
            return f"severity {incident.severity} is below {self.severity_min}"
        for name in _FIELDS:
            patterns: Patterns = getattr(self, name)
            if patterns and not _any(patterns, values_of(incident, name)):
                return f"{name} is not {' or '.join(patterns)}"
        return None


def values_of(incident: IncidentView, field: str) -> tuple[str, ...]:
    """Return what an incident has in a field of matchers."""
    several = {
        "detector": incident.detectors,
        "service": incident.services,
        "tag": incident.tags,
        "label": incident.labels,
    }
    return several[field] if field in several else (str(getattr(incident, field)),)


def _any(patterns: Patterns, values: Iterable[str]) -> bool:
    return any(_fits(pattern, value) for value in values for pattern in patterns)


def _fits(pattern: str, value: str) -> bool:
    if fnmatchcase(value.casefold(), pattern.casefold()):
        return True
    network = _network(pattern)
    if network is None:
        return False
    try:
        return ip_address(value) in network
    except ValueError:
        return False


def _network(pattern: str) -> IPv4Network | IPv6Network | None:
    if "/" not in pattern:
        return None
    try:
        return ip_network(pattern, strict=False)
    except ValueError:
        return None


def _level(name: str) -> Level:
    return Level[name.upper()]
