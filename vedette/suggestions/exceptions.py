"""Who or what alone made false alarms, to be excepted for a while."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.lists.decided import Decided
from detectors.catalogue import Catalogue
from ingest.mask_rules import MASK

#: How long an exception holds after the last of the false alarms.
EXPIRY: Final = timedelta(days=90)

#: Types of entities that an exception can name, and by which key.
_KEYS: Final = {
    "client": "client",
    "network": "network",
    "user": "user",
    "api_key": "api_key",
    "route": "route",
    "service": "service",
    "source": "source",
}

#: Keys of which a value with a trailing * stands for all that begin like it.
_STARTS: Final = frozenset({"route", "service", "source"})

#: Ends a path that was cut, or not shown.
_CUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Excepted:
    """An exception for one detector: what it names, until when, and the false alarms behind it."""

    detector: str
    key: str
    value: str
    until: datetime
    incidents: tuple[Decided, ...]

    @property
    def why(self) -> str:
        """What stands beside it in the settings."""
        numbers = ", ".join(str(each.id) for each in self.incidents)
        return f"false alarms: incidents {numbers}"


def exceptions_for(
    incidents: Sequence[Decided], catalogue: Catalogue, least: int
) -> list[Excepted]:
    """Return exceptions for entities, and paths, that made `least` false alarms and no attack."""
    rules = {rule.name for rule in catalogue.rules}
    found = list(_of_entities(incidents, least))
    covered = {(each.detector, incident.id) for each in found for incident in each.incidents}
    found += [
        each
        for each in _of_paths(incidents, least)
        if each.detector in rules
        and any((each.detector, incident.id) not in covered for incident in each.incidents)
    ]
    return sorted(found, key=lambda each: (each.detector, each.key, each.value))


def _of_entities(incidents: Sequence[Decided], least: int) -> Iterator[Excepted]:
    groups: dict[tuple[str, str, str], list[Decided]] = defaultdict(list)
    for each in incidents:
        for detector in {finding.detector for finding in each.findings}:
            groups[detector, each.entity_type, each.entity].append(each)
    for (detector, kind, entity), mine in groups.items():
        wide = kind in _STARTS and entity.endswith("*")
        if kind in _KEYS and _can_be_named(entity) and not wide:
            yield from _excepted(detector, _KEYS[kind], entity, mine, least)


def _of_paths(incidents: Sequence[Decided], least: int) -> Iterator[Excepted]:
    groups: dict[tuple[str, str], list[Decided]] = defaultdict(list)
    for each in incidents:
        detectors = {finding.detector for finding in each.findings}
        if each.harmless and len(each.paths) != 1:
            continue  # nothing says that it is about one path
        for detector in detectors:
            for path in each.paths:
                groups[detector, path].append(each)
    for (detector, path), mine in groups.items():
        if _can_be_named(path) and not path.endswith((_CUT, "*")):
            yield from _excepted(detector, "path", path, mine, least)


def _excepted(
    detector: str, key: str, value: str, incidents: Iterable[Decided], least: int
) -> Iterator[Excepted]:
    mine = list(incidents)
    harmless = tuple(each for each in mine if each.harmless)
    if len(harmless) < least or any(each.attack for each in mine):
        return
    last = max(each.last_at for each in harmless) + EXPIRY
    until = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    yield Excepted(detector, key, value, until, harmless)


def _can_be_named(text: str) -> bool:
    """Whether a name is as the log has it: not masked, not cut, nothing that cannot be seen."""
    return bool(text) and MASK not in text and "…" not in text and text.isprintable()
