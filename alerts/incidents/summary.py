"""The sentence that says what happened: numbers against thresholds."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from alerts.incidents.stages import Stage, leading, stage_of
from detectors.findings import EntityType, Finding
from ingest.masking import printable

#: Claims in one sentence; the others are counted.
CLAIM_LIMIT: Final = 4

#: Notes that follow the sentence; the incident has the others.
NOTES_TOLD: Final = 2

#: Characters of an entity's name that the sentence shows.
NAME_LIMIT: Final = 120

#: How a sentence about one entity begins.
_SUBJECTS: Final[dict[EntityType, str]] = {
    "client": "Client {}",
    "network": "Network {}",
    "user": "User {}",
    "api_key": "API key {}",
    "route": "Route {}",
    "service": "Service {}",
    "source": "Log {}",
    "target": "Notification target {}",
    "all": "All traffic",
}

#: Where, or as whom, many clients did something.
_PLACES: Final[dict[EntityType, str]] = {
    "network": "from network {}",
    "user": "as user {}",
    "api_key": "with API key {}",
    "route": "on {}",
    "service": "in service {}",
    "source": "in log {}",
}

#: A word that looks like a plural: not "access", "status" or "analysis".
_PLURAL: Final = re.compile(r"\b\w[\w-]*[^\Wsui]s\b")

#: How plurals end and singulars instead.
_SINGULARS: Final = (
    ("cookies", "cookie"),
    ("ies", "y"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("s", ""),
)


def summarise(findings: Sequence[Finding], members: int = 0) -> str:
    """Say what one entity's findings claim: one clause a detector, the severest first.

    A success comes first, then what led to it. `members` are the clients that the findings
    counted in all; if there are any, the sentence begins with them. Times are UTC. What the
    findings told first say beside their numbers follows. The text holds no control characters,
    whatever the log said.
    """
    story, cause = _told(findings)
    name = _name(findings[0].entity)
    entity_type = findings[0].entity_type
    claims = [claim(finding) for finding in story]
    many = members > 0 and entity_type in _PLACES
    if many:
        claims[0] = claim(story[0], " " + _PLACES[entity_type].format(name))
    shown = claims[:CLAIM_LIMIT]
    causes = [claim(finding) for finding in cause][: CLAIM_LIMIT - len(shown)]
    left = len(claims) + len(cause) - len(shown) - len(causes)
    more = [f"{left} more"] if left else []
    said = listed([*shown, *([] if causes else more)])
    if causes:
        said += f", after {listed([*causes, *more])}"
    if members and all(finding.value != members for finding in findings):
        said += f", {members:,} {'client' if members == 1 else 'clients'} in all"
    times = span(min(f.first for f in findings), max(f.last for f in findings))
    start = "" if many else _SUBJECTS[entity_type].format(name) + ": "
    return f"{start}{said}, {times}.{notes([*story, *cause])}"


def duration(length: timedelta) -> str:
    """Write a window as people do: 60 s, 2 min, 1 h."""
    seconds = int(length.total_seconds())
    if seconds >= 3600 and seconds % 3600 == 0:  # noqa: PLR2004 - seconds of an hour
        return f"{seconds // 3600} h"
    if seconds >= 120 and seconds % 60 == 0:  # noqa: PLR2004 - seconds of two minutes
        return f"{seconds // 60} min"
    return f"{seconds} s"


def strongest(findings: Sequence[Finding]) -> list[Finding]:
    """Return the strongest finding of each detector, the severest first."""
    best: dict[str, Finding] = {}
    for finding in findings:
        rival = best.get(finding.detector)
        if rival is None or _weight(finding) > _weight(rival):
            best[finding.detector] = finding
    return sorted(best.values(), key=lambda f: (-f.level, f.first, f.detector))


def claim(finding: Finding, place: str = "") -> str:
    """Say how much of what there was, within which time, against which limit."""
    within = f" within {duration(finding.window)}" if finding.window else ""
    limit = f"limit {finding.threshold:,}"
    unit = _one(finding.unit) if finding.value == 1 else finding.unit
    return f"{finding.value:,} {unit}{place}{within} ({limit})"


def notes(findings: Sequence[Finding]) -> str:
    """Return the first notes of some findings, each once, as they follow a sentence."""
    told = dict.fromkeys(finding.note for finding in findings if finding.note)
    return "".join(f" {printable(note)}" for note in list(told)[:NOTES_TOLD])


def listed(claims: Sequence[str]) -> str:
    """Write claims as a list within a sentence."""
    return " and ".join([", ".join(claims[:-1]), claims[-1]] if len(claims) > 1 else claims)


def span(first: datetime, last: datetime) -> str:
    """Write from when to when, to the second, with dates only if there are two."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if first.replace(microsecond=0) == last.replace(microsecond=0):
        return f"at {first:%H:%M:%S} UTC"
    if first.date() != last.date():
        return f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
    return f"from {first:%H:%M:%S} to {last:%H:%M:%S} UTC"


def _told(findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the strongest finding of each detector: what happened, and what led to it."""
    ranked = strongest(findings)
    led = {finding.detector for finding in leading(findings)}
    story = [finding for finding in ranked if finding.detector not in led]
    story.sort(key=lambda finding: bool(led) and stage_of(finding.tags) is not Stage.SUCCESS)
    return story, [finding for finding in ranked if finding.detector in led]


def _weight(finding: Finding) -> tuple[int, int, float]:
    return finding.value, -finding.threshold, -finding.first.timestamp()


def _name(entity: str) -> str:
    name = printable(entity)
    return name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + "…"


def _one(unit: str) -> str:
    """Return what is counted in the singular: the first word that looks like a plural."""
    plural = _PLURAL.search(unit)
    if plural is None:
        return unit
    word = plural[0]
    ending, single = next(pair for pair in _SINGULARS if word.endswith(pair[0]))
    return unit[: plural.start()] + word.removesuffix(ending) + single + unit[plural.end() :]
