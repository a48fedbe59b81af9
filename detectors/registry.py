"""Detectors that are no Sigma rules, by name, with what the settings change about them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.findings import EntityType, Level, Mode
from detectors.overrides import RuleException, RuleOverride

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: Exceptions without an end.
FOREVER: Final = 2**63 - 1


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
            if exception.source is None or exception.names_more_than_a_source:
                raise DetectorSettingsError(
                    f"detectors.{self.name}.exceptions: it watches sources, so an exception names"
                    " a source, and no client, user, api_key, path or network"
                )
        return replace(
            self,
            threshold=override.threshold or self.threshold,
            level=Level[override.level.upper()] if override.level else self.level,
            mode=override.mode,
            exceptions=override.exceptions,
        )

    def excepted_until(self, source: str) -> int | None:
        """Return up to when (us since 1970) a source is excepted, None if it is not."""
        ends = [_end(entry) for entry in self.exceptions if _covers(entry.source, source)]
        return max(ends, default=None)


SOURCE_SILENT: Final = Detector(
    name="source_silent",
    id="561e1354-1ffe-554f-ac77-58a06933ce31",
    title="A source fell silent",
    description=(
        "A log or partition that had events all the time has none any more: its writer, its"
        " shipper or its service has stopped, or somebody has switched logging off."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1562.006", "owasp.api8"),
    falsepositives=("A service that was taken out of use while its log stays",),
    unit="minutes without events",
    threshold=15,
    window=timedelta(0),
)

UNPARSED_LINES: Final = Detector(
    name="unparsed_lines",
    id="47b714a2-f9dc-5552-b82b-efe7f015eb62",
    title="Many lines cannot be read",
    description=(
        "A large share of a log's lines does not have the format that is expected: what they tell"
        " is not seen by any rule."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1562.006", "owasp.api8"),
    falsepositives=(
        "A log that other programs write to, and no `ignore` patterns for their lines",
    ),
    unit="lines that could not be read",
    threshold=100,
    window=timedelta(minutes=10),
)

CLOCK_SKEW: Final = Detector(
    name="clock_skew",
    id="6107007e-5483-597a-9809-a5a3aad8c0ac",
    title="Times of many lines cannot be right",
    description=(
        "A large share of a log's lines is more than a minute late, or far ahead of its neighbours:"
        " rules that count within a window cannot count them."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1070.006", "owasp.api8"),
    falsepositives=("A shipper that hands lines over in bundles of several minutes",),
    unit="lines late by more than a minute, or far ahead",
    threshold=100,
    window=timedelta(minutes=10),
)

MISSED_LINES: Final = Detector(
    name="missed_lines",
    id="7c3c4f7e-9d0b-5a3e-9a55-52a4e2d6b1c9",
    title="Lines were not seen",
    description=(
        "Lines of a log, or records of a topic, are gone before they were read, or may be: what"
        " happened meanwhile was not judged by any rule."
    ),
    level=Level.MEDIUM,
    tags=("attack.defense-evasion", "attack.t1070.002", "owasp.api8"),
    falsepositives=(
        "A log that is copied and truncated to rotate it, whose last lines were read in time",
    ),
    unit="seconds that were not wholly seen",
    threshold=1,
    window=timedelta(0),
)

#: Lines that `unparsed_lines` and `clock_skew` count must also be this share, in percent.
SHARE_PERCENT: Final = 20

DETECTORS: Final = (SOURCE_SILENT, UNPARSED_LINES, CLOCK_SKEW, MISSED_LINES)


def active_detectors(overrides: Mapping[str, RuleOverride]) -> dict[str, Detector]:
    """Return the detectors that are switched on, as the settings want them.

    Settings of others are passed over. Raises DetectorSettingsError.
    """
    found = ((entry, overrides.get(entry.name, RuleOverride())) for entry in DETECTORS)
    return {entry.name: entry.under(given) for entry, given in found if given.enabled}


def rule_overrides(overrides: Mapping[str, RuleOverride]) -> dict[str, RuleOverride]:
    """Return the settings that are of rules, not of the detectors here."""
    ours = {detector.name for detector in DETECTORS}
    return {name: given for name, given in overrides.items() if name not in ours}


def signature_of(detectors: Iterable[Detector]) -> str:
    """Return a hash of all that decides the findings of some detectors."""
    told = "".join(f"{entry.name}:{entry.signature};" for entry in detectors)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _covers(pattern: str | None, source: str) -> bool:
    if pattern is None:
        return False
    prefix = pattern.removesuffix("*")
    return source == pattern if prefix == pattern else source.startswith(prefix)


def _end(exception: RuleException) -> int:
    if exception.until is None:
        return FOREVER
    return (exception.until - _EPOCH) // _MICROSECOND
