"""A detector that is no Sigma rule: what people read about it, and what they may set."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Final

from detectors.addresses import inside
from detectors.findings import EntityType, Level, Mode
from detectors.naming import name_of
from detectors.overrides import RuleException, RuleOverride

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: Exceptions without an end.
FOREVER: Final = 2**63 - 1

#: By which fields an exception can name what a detector watches.
_FIELDS: Final[Mapping[EntityType, tuple[str, ...]]] = {
    "client": ("client", "network"),
    "network": ("network",),
    "user": ("user",),
    "api_key": ("api_key",),
    "route": ("route",),
    "service": ("service",),
    "source": ("source",),
}

#: What several entities of a type are called.
_PLURAL: Final[Mapping[EntityType, str]] = {
    "all": "all traffic",
    "api_key": "API keys",
}


class DetectorSettingsError(ValueError):
    """Settings of a detector that cannot be honoured; the message names the key."""


@dataclass(frozen=True, slots=True)
class Detector:
    """What people read about a detector, and what they may set. The words are those of a Rule.

    `window` is zero where a detector has none.
    """

    name: str
    id: str
    title: str
    description: str
    level: Level
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    unit: str
    threshold: int
    window: timedelta
    entity_type: EntityType = "source"
    mode: Mode = "alert"
    exceptions: tuple[RuleException, ...] = ()

    @property
    def runbook(self) -> str:
        """The page that says what to do."""
        return f"docs/runbooks/{self.name}.md"

    @property
    def signature(self) -> str:
        """What decides its findings."""
        told = (self.name, self.threshold, self.level, self.mode, self.exceptions)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def under(self, override: RuleOverride) -> "Detector":
        """Return it as the settings want it; raises DetectorSettingsError."""
        for exception in override.exceptions:
            self._check(exception)
        return replace(
            self,
            threshold=override.threshold or self.threshold,
            level=Level[override.level.upper()] if override.level else self.level,
            mode=override.mode,
            exceptions=override.exceptions,
        )

    def excepted_until(self, entity: str) -> int | None:
        """Return up to when (us since 1970) an entity is excepted, None if it is not.

        `entity` is as findings call it.
        """
        ends = [_end(entry) for entry in self.exceptions if self._covers(entry, entity)]
        return max(ends, default=None)

    def excepts(self, entity: str, time: int) -> bool:
        """Whether an entity is excepted at a time (us since 1970)."""
        until = self.excepted_until(entity) if self.exceptions else None
        return until is not None and time < until

    def _check(self, exception: RuleException) -> None:
        """Refuse an exception that no entity of the detector's type could agree with."""
        fields = _FIELDS.get(self.entity_type, ())
        if exception.names and exception.names <= set(fields):
            return
        where = f"detectors.{self.name}.exceptions: it watches"
        if not fields:
            raise DetectorSettingsError(f"{where} all traffic, which has no exceptions")
        watched = _PLURAL.get(self.entity_type, f"{self.entity_type}s")
        article = "an" if fields[0].startswith("a") else "a"
        raise DetectorSettingsError(
            f"{where} {watched}, so an exception names {article} {' or a '.join(fields)}"
            " and nothing else"
        )

    def _covers(self, exception: RuleException, entity: str) -> bool:
        given = [getattr(exception, field) for field in exception.names]
        return all(
            _agrees(self.entity_type, pattern, entity)
            if isinstance(pattern, str)
            else _within(self.entity_type, pattern, entity)
            for pattern in given
        )


def active(
    detectors: Iterable[Detector], overrides: Mapping[str, RuleOverride]
) -> dict[str, Detector]:
    """Return by name those of the detectors that are switched on, as the settings want them.

    Settings of others are passed over. Raises DetectorSettingsError.
    """
    found = ((entry, overrides.get(entry.name, RuleOverride())) for entry in detectors)
    return {entry.name: entry.under(given) for entry, given in found if given.enabled}


def signature_of(detectors: Iterable[Detector]) -> str:
    """Return a hash of all that decides the findings of some detectors."""
    told = "".join(f"{entry.name}:{entry.signature};" for entry in detectors)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _agrees(kind: EntityType, pattern: str, entity: str) -> bool:
    prefix = pattern.removesuffix("*")
    if prefix != pattern and kind in {"source", "service", "route"}:
        return entity.startswith(prefix)
    return entity == name_of(kind, pattern)


def _within(kind: EntityType, network: object, entity: str) -> bool:
    given = ip_network(str(network))
    if kind == "client":
        return inside(entity, given)
    watched = ip_network(entity)
    return watched.version == given.version and watched.subnet_of(given)  # type: ignore[arg-type]


def _end(exception: RuleException) -> int:
    if exception.until is None:
        return FOREVER
    return (exception.until - _EPOCH) // _MICROSECOND
