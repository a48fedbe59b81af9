"""The sentence that says what happened: numbers against thresholds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.findings import EntityType, Finding
from ingest.masking import printable

#: Claims in one sentence; the others are counted.
CLAIM_LIMIT: Final = 4

#: Characters of an entity's name that the sentence shows.
NAME_LIMIT: Final = 120

_NOUNS: Final[dict[EntityType, str]] = {
    "client": "Client",
    "network": "Network",
    "user": "User",
    "api_key": "API key",
    "route": "Route",
    "service": "Service",
    "all": "All traffic",
}


def summarise(findings: Sequence[Finding]) -> str:
    """Say what one entity's findings claim: one clause a detector, the severest first.

    Times are UTC. The text holds no control characters, whatever the log said.
    """
    strongest: dict[str, Finding] = {}
    for finding in findings:
        rival = strongest.get(finding.detector)
        if rival is None or _weight(finding) > _weight(rival):
            strongest[finding.detector] = finding
    ranked = sorted(strongest.values(), key=lambda f: (-f.level, f.first, f.detector))
    claims = [_claim(finding) for finding in ranked[:CLAIM_LIMIT]]
    if len(ranked) > CLAIM_LIMIT:
        claims.append(f"{len(ranked) - CLAIM_LIMIT} more")
    span = _span(min(f.first for f in findings), max(f.last for f in findings))
    return f"{_subject(findings[0])}: {_listed(claims)}, {span}."


def duration(length: timedelta) -> str:
    """Write a window as people do: 60 s, 2 min, 1 h."""
    seconds = int(length.total_seconds())
    if seconds >= 3600 and seconds % 3600 == 0:  # noqa: PLR2004 - seconds of an hour
        return f"{seconds // 3600} h"
    if seconds >= 120 and seconds % 60 == 0:  # noqa: PLR2004 - seconds of two minutes
        return f"{seconds // 60} min"
    return f"{seconds} s"


def _weight(finding: Finding) -> tuple[int, int, float]:
    return finding.value, -finding.threshold, -finding.first.timestamp()


def _subject(finding: Finding) -> str:
    noun = _NOUNS[finding.entity_type]
    if finding.entity_type == "all":
        return noun
    name = printable(finding.entity)
    return f"{noun} {name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + '…'}"


def _claim(finding: Finding) -> str:
    within = f" within {duration(finding.window)}" if finding.window else ""
    return f"{finding.value:,} {finding.unit}{within} (limit {finding.threshold:,})"


def _listed(claims: Sequence[str]) -> str:
    return " and ".join([", ".join(claims[:-1]), claims[-1]] if len(claims) > 1 else claims)


def _span(first: datetime, last: datetime) -> str:
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if first.date() != last.date():
        return f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
    return f"from {first:%H:%M:%S} to {last:%H:%M:%S} UTC"
