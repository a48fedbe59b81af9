"""Which incidents something is about: routes, silences, inhibition and maintenance share it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from detectors.documents import LevelName
from detectors.findings import EntityType, Level
from ingest.masking import printable

if TYPE_CHECKING:
    from alerts.incidents.views import IncidentView

Patterns = tuple[str, ...]

#: What each matcher compares, and where an incident has it.
FIELDS: Final = ("severity", "detector", "service", "entity", "entity_type", "tag", "label")

#: Patterns of one field, and characters of one.
PATTERN_LIMIT: Final = 200
LENGTH_LIMIT: Final = 512

#: What is meant to be a network, rightly written or not.
_LIKE_NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+/\d+")

#: What stands for itself: after a backslash, or a bracket, which only fnmatch would understand.
_ITSELF: Final = re.compile(r"\\([*?\\])|\[")

#: What makes more of a pattern than a name.
_SIGNS: Final = frozenset("*?\\")

#: What `literal` has to put a backslash before; before anything else a backslash is itself.
_SPECIAL: Final = re.compile(r"[*?]|\\(?=[*?\\])")


class Matchers(BaseModel):
    """Incidents, by what they say. Each field that is given must match, with one of its patterns.

    Patterns are names with * and ?, upper and lower case alike; after a backslash these, and a
    backslash, are themselves (`literal`). Of `entity` also addresses and networks, as
    203.0.113.0/24. Of a field with several values (detector, service, tag, label)
    one must match. Without any field every incident matches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: tuple[LevelName, ...] = Field(default=(), description="one of these levels")
    severity_min: LevelName | None = Field(default=None, description="this level and above")
    detector: Patterns = Field(default=(), description="one of its detectors")
    service: Patterns = Field(default=(), description="one of its services")
    entity: Patterns = Field(default=(), description="the client, user and so on")
    entity_type: Patterns = Field(default=(), description="client, user, network and so on")
    tag: Patterns = Field(default=(), description="one of its tags, as attack.t1110")
    label: Patterns = Field(default=(), description="one of the labels that people gave it")

    @field_validator(*FIELDS, mode="before")
    @classmethod
    def _one_is_a_list_too(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("detector", "service", "entity", "entity_type", "tag", "label")
    @classmethod
    def _can_match(cls, patterns: Patterns) -> Patterns:
        if len(patterns) > PATTERN_LIMIT:
            raise ValueError(f"at most {PATTERN_LIMIT} patterns")
        for pattern in patterns:
            if not 0 < len(pattern) <= LENGTH_LIMIT:
                raise ValueError(f"a pattern has 1 to {LENGTH_LIMIT} characters")
        return patterns

    @field_validator("entity")
    @classmethod
    def _are_networks(cls, patterns: Patterns) -> Patterns:
        for pattern in patterns:
            if _LIKE_NETWORK.fullmatch(pattern) and _network(pattern) is None:
                raise ValueError(f"{pattern} is no network, as 203.0.113.0/24 or 2001:db8::/32 is")
        return patterns

    @field_validator("entity_type")
    @classmethod
    def _are_types(cls, patterns: Patterns) -> Patterns:
        wrong = unmatched(patterns, get_args(EntityType))
        if wrong is not None:
            raise ValueError(f"nothing is of the type {wrong}")
        return patterns

    @property
    def empty(self) -> bool:
        """Whether no field is given, so that every incident matches."""
        return not self.written()

    def written(self) -> dict[str, Any]:
        """Return the fields that are given, as plain data; `model_validate` reads it back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def least(self) -> Level:
        """The lowest severity that an incident can have and match."""
        named = min((_level(name) for name in self.severity), default=Level.INFORMATIONAL)
        return max(named, _level(self.severity_min or Level.INFORMATIONAL.label))

    def matches(self, incident: "IncidentView") -> bool:
        """Whether these matchers are about the incident."""
        return self.mismatch(incident) is None

    def mismatch(self, incident: "IncidentView") -> str | None:
        """Return the first field that does not match, in words; None if all do."""
        if self.severity_min and _level(incident.severity) < _level(self.severity_min):
            return f"severity {incident.severity} is below {self.severity_min}"
        for name in FIELDS:
            patterns: Patterns = getattr(self, name)
            if patterns and not _any(patterns, values_of(incident, name), name == "entity"):
                return f"{name} is not {' or '.join(patterns)}"
        return None

    def __str__(self) -> str:
        """Write the fields that are given, as people read them."""
        parts = [
            f"{name}={'|'.join(value) if isinstance(value, list) else value}"
            for name, value in self.written().items()
        ]
        return " ".join(parts) or "everything"


def literal(name: str) -> str:
    """Return the pattern that matches this name alone, whatever signs are in it."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def values_of(incident: "IncidentView", field: str) -> tuple[str, ...]:
    """Return what an incident has in a field of matchers."""
    several = {
        "detector": incident.detectors,
        "service": incident.services,
        "tag": incident.tags,
        "label": incident.labels,
    }
    return several[field] if field in several else (str(getattr(incident, field)),)


def unmatched(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first pattern that matches none of the names, with a hint; None if all do.

    A matcher that can match nothing is a typing error, and nobody would notice.
    """
    known = sorted(names)
    for pattern in patterns:
        if not any(_fits(pattern, name) for name in known):
            return f"{printable(pattern)!r}; {suggestion(pattern, known)}"
    return None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of the known names may be meant, or all of them."""
    names = sorted(known)
    near = get_close_matches(name.casefold(), names, 1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"


def _any(patterns: Patterns, values: Iterable[str], addresses: bool) -> bool:
    return any(
        _fits(pattern, value) or (addresses and _within(pattern, value))
        for value in values
        for pattern in patterns
    )


def _fits(pattern: str, value: str) -> bool:
    if _SIGNS.isdisjoint(pattern):  # thousands of plain names would push patterns out of the cache
        return pattern.casefold() == value.casefold()
    return _regex(pattern).match(value.casefold()) is not None


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    plain = _ITSELF.sub(lambda found: f"[{found[1] or '['}]", pattern.casefold())
    return re.compile(translate(plain))


def _within(pattern: str, value: str) -> bool:
    outer = _network(pattern)
    inner = None if outer is None else _network(value)
    if isinstance(outer, IPv4Network) and isinstance(inner, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, IPv6Network) and isinstance(inner, IPv6Network):
        return inner.subnet_of(outer)
    return False


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network | None:
    """Return an address or a network; other bits than those of the network do not matter."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _level(name: str) -> Level:
    return Level[name.upper()]
