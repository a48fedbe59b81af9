"""Findings as the view of one incident shows them: against their limits, and explained. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.detectors import DetectorAnswer
from detectors.findings import Finding

#: Parts of a bar's length in which it is drawn.
_WHOLE: Final = 100

#: Room beyond the greater of value and limit.
_ROOM: Final = 1.08


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding against its limit: `length` and `mark` are parts of 100 of a bar.

    `times` is how often the limit goes into the value, None where that says nothing. `runbook` is
    the address of a page, or where it is in the project.
    """

    finding: Finding
    length: float
    mark: float
    times: str | None
    title: str | None
    description: str | None
    falsepositives: tuple[str, ...]
    runbook: str


def claims(findings: Sequence[Finding], known: Mapping[str, DetectorAnswer]) -> tuple[Claim, ...]:
    """Return the findings, the severest first, with what is said of their detectors."""
    ordered = sorted(findings, key=lambda finding: (-finding.level, finding.first))
    return tuple(_claim(finding, known.get(finding.detector)) for finding in ordered)


def _claim(finding: Finding, known: DetectorAnswer | None) -> Claim:
    whole = max(finding.value, finding.threshold, 1) * _ROOM
    runbook = (known.runbook if known else None) or f"docs/runbooks/{finding.detector}.md"
    return Claim(
        finding=finding,
        length=round(_WHOLE * max(finding.value, 0) / whole, 2),
        mark=round(_WHOLE * max(finding.threshold, 0) / whole, 2),
        times=_times(finding.value, finding.threshold),
        title=known.title if known else None,
        description=known.description if known else None,
        falsepositives=known.falsepositives if known else (),
        runbook=runbook,
    )


def _times(value: int, limit: int) -> str | None:
    if limit <= 1 or value < limit:
        return None
    times = value / limit
    return f"{times:.1f}" if times < _WHOLE else f"{times:,.0f}"
