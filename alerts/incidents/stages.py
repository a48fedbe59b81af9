"""Stages of an attack, by the tags of findings, and the severity that they add up to. Pure.

Severity depends on the set of findings alone, and never falls as that grows.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final

from detectors.findings import Finding, Level


class Stage(IntEnum):
    """How far an attack has come, in the order of the kill chain."""

    RECONNAISSANCE = 1
    EXPLOITATION = 2
    FAILURES = 3
    SUCCESS = 4


#: ATT&CK's technique for using somebody's working credentials.
_VALID_ACCOUNTS: Final = "attack.t1078"

#: The technique of payloads sent to public services. Its tactic is initial-access too, but a
#: payload that was sent is an attempt: whether it worked is for the rule's own level to say.
_EXPLOIT: Final = "attack.t1190"

_SUB_TECHNIQUE: Final = re.compile(r"(attack\.t\d{4})\.\d{3}")

#: Tags that mean a stage, the furthest first.
_MEANINGS: Final = (
    (Stage.FAILURES, frozenset({"attack.credential-access", "attack.t1110"})),
    (Stage.EXPLOITATION, frozenset({_EXPLOIT, "attack.execution"})),
    (Stage.RECONNAISSANCE, frozenset({"attack.reconnaissance", "attack.discovery"})),
)


@lru_cache(maxsize=1_024)
def stage_of(tags: tuple[str, ...]) -> Stage | None:
    """Return the furthest stage that the tags of a finding mean; None for other kinds of harm."""
    known = {tag.lower() for tag in tags}
    known |= {technique_of(tag) for tag in known}
    if _VALID_ACCOUNTS in known or ("attack.initial-access" in known and _EXPLOIT not in known):
        return Stage.SUCCESS
    return next((stage for stage, meaning in _MEANINGS if known & meaning), None)


def technique_of(tag: str) -> str:
    """Return the technique that a tag names: attack.t1110 of attack.t1110.001; others as is."""
    found = _SUB_TECHNIQUE.fullmatch(tag)
    return found[1] if found else tag


def techniques(tags: Iterable[str]) -> frozenset[str]:
    """Return the tags with techniques in place of their sub-techniques.

    One sub-technique of guessing passwords is hardly told from another by the log: what is one
    by itself is another together.
    """
    return frozenset(map(technique_of, tags))


def severity_of(findings: Collection[Finding]) -> Level:
    """Return what one entity's findings amount to; there must be one at least.

    The highest of their levels; one more if they are of two stages; critical if an earlier stage
    was followed by a success.
    """
    level = max(finding.level for finding in findings)
    if leading(findings):
        return Level.CRITICAL
    stages = {stage_of(finding.tags) for finding in findings} - {None}
    return Level(min(level + (len(stages) > 1), Level.CRITICAL))


def stages_of(findings: Iterable[Finding]) -> list[Stage]:
    """Return the stages that the findings are of, in the order of the kill chain."""
    return sorted({stage for f in findings if (stage := stage_of(f.tags)) is not None})


def leading(findings: Collection[Finding]) -> list[Finding]:
    """Return the findings of an earlier stage that a success followed; none without success."""
    staged = [(finding, stage_of(finding.tags)) for finding in findings]
    ends = [finding.last for finding, stage in staged if stage is Stage.SUCCESS]
    earlier = [finding for finding, stage in staged if stage not in {None, Stage.SUCCESS}]
    return [finding for finding in earlier if ends and finding.first <= max(ends)]


def reached_at(findings: Sequence[Finding]) -> datetime:
    """Return the time of the first finding with which their severity was reached."""
    ordered = sorted(findings, key=lambda finding: finding.first)
    severity = severity_of(findings)
    return next(
        finding.first
        for number, finding in enumerate(ordered, start=1)
        if severity_of(ordered[:number]) >= severity
    )
