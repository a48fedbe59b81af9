"""An incident told in the order of the kill chain. Pure: no database, no clock."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.incidents.content import alerting
from alerts.incidents.stages import Stage, stage_of
from alerts.incidents.summary import claim, listed, notes, span, strongest
from detectors.findings import Finding

#: How a chapter begins.
_BEGINNINGS: Final[dict[Stage | None, str]] = {
    Stage.RECONNAISSANCE: "Looked around",
    Stage.EXPLOITATION: "Tried to exploit",
    Stage.FAILURES: "Failed to get in",
    Stage.SUCCESS: "Got in",
    None: "Seen",
}

#: Claims that one chapter makes; the others are counted.
CLAIM_LIMIT: Final = 6


@dataclass(frozen=True, slots=True)
class Chapter:
    """One stage of an attack; `stage` is None for what belongs to none.

    `level` is the highest of its findings, `sentence` says what happened, with numbers against
    limits and the times between which it did, and the first of what its findings note.
    """

    stage: str | None
    level: str
    first: datetime
    last: datetime
    detectors: tuple[str, ...]
    sentence: str


def story(findings: Sequence[Finding]) -> tuple[Chapter, ...]:
    """Tell the findings of one incident: a chapter a stage, in the order of the kill chain.

    What is of no stage (floods, errors, outages) comes last: it may be what the attack led to.
    Only findings that alert are told, unless none does.
    """
    stages: dict[Stage | None, list[Finding]] = defaultdict(list)
    for finding in alerting(tuple(findings)) if findings else ():
        stages[stage_of(finding.tags)].append(finding)
    order = sorted(stages, key=lambda stage: (stage is None, stage or 0))
    return tuple(_chapter(stage, stages[stage]) for stage in order)


def _chapter(stage: Stage | None, findings: Sequence[Finding]) -> Chapter:
    first, last = min(f.first for f in findings), max(f.last for f in findings)
    ranked = strongest(findings)
    claims = [claim(finding) for finding in ranked]
    left = len(claims) - CLAIM_LIMIT
    shown = [*claims[:CLAIM_LIMIT], *([f"{left} more"] if left > 0 else [])]
    return Chapter(
        stage=None if stage is None else stage.name.lower(),
        level=max(finding.level for finding in findings).label,
        first=first,
        last=last,
        detectors=tuple(sorted({finding.detector for finding in findings})),
        sentence=f"{_BEGINNINGS[stage]}: {listed(shown)}, {span(first, last)}.{notes(ranked)}",
    )
