"""What happens to an incident as its findings grow. Pure: no database, no clock.

All times are event times, so that a replay says the same as the first run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from alerts.incidents import Content, alerting
from alerts.stages import reached_at
from detectors.findings import Finding, Level

Status = Literal["open", "acknowledged", "resolved", "closed"]
Resolution = Literal["true_positive", "false_positive", "benign", "mitigated", "duplicate"]

#: Event time without anything new after which an incident counts as calm.
CALM_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class State:
    """Where an incident stands: what people decided, and what calm decided for them.

    `decided_at` is when a person last set the status (wall clock), `decided_severity` what the
    incident amounted to at that moment.
    """

    status: Status = "open"
    resolution: Resolution | None = None
    auto_resolved: bool = False
    acknowledged_at: datetime | None = None
    calms: int = 0
    assignee: str | None = None
    labels: tuple[str, ...] = ()
    decided_at: datetime | None = None
    decided_severity: Level | None = None

    @property
    def ended_by_person(self) -> bool:
        """Whether a person resolved or closed it; then it only grows."""
        return self.status in {"resolved", "closed"} and not self.auto_resolved

    def calmed(self) -> "State":
        """Return the state after CALM_AFTER without anything new."""
        return replace(self, status="resolved", auto_resolved=True, calms=self.calms + 1)

    def reopened(self) -> "State":
        """Return the state after something new: acknowledged if it was, else open."""
        status: Status = "acknowledged" if self.acknowledged_at else "open"
        return replace(self, status=status, resolution=None, auto_resolved=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: an entry of the timeline, and the transition to tell, if any."""

    action: str
    at: datetime
    transition: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def begin(content: Content, findings: tuple[Finding, ...]) -> tuple[State, list[Step]]:
    """Return the state and history of a new incident."""
    opening = Step("opened", _begun(findings), "opened", {"severity": content.severity.label})
    earliest_end = min(finding.last for finding in findings if finding.first == content.started_at)
    state, pauses = _pauses(State(), earliest_end, findings)
    return state, [opening, *pauses]


def grow(
    state: State,
    before: Content,
    content: Content,
    findings: tuple[Finding, ...],
    news: Iterable[Finding],
) -> tuple[State, list[Step]]:
    """Return the state and the steps of an incident whose content changes.

    `findings` are all that it now has, `news` those that are new to it or may have grown.
    """
    steps: list[Step] = []
    if not state.ended_by_person:
        state, steps = _pauses(state, before.last_at, news)
    if before.mode == "monitor" and content.mode == "alert":
        detail = {"severity": content.severity.label}
        steps.append(Step("opened", _begun(findings), "opened", detail))
        state = state.reopened() if state.ended_by_person else state
    elif content.severity > before.severity:
        label = content.severity.label
        at = reached_at(alerting(findings))
        steps.append(Step("severity", at, f"severity:{label}", {"severity": label}))
        state = state.reopened() if state.ended_by_person else state
    for detector in sorted(set(content.detectors) - set(before.detectors)):
        at = min(finding.first for finding in findings if finding.detector == detector)
        steps.append(Step("detector", at, None, {"detector": detector}))
    return state, steps


def calm(state: State, last_at: datetime) -> tuple[State, Step]:
    """Return the state and the step of an incident without anything new for CALM_AFTER."""
    state = state.calmed()
    return state, Step("calm", last_at + CALM_AFTER, f"calm:{state.calms}")


def elder_first(spans: Sequence[tuple[datetime, int]]) -> list[int]:
    """Return ids of incidents that join, given (started_at, id): the one that stays first."""
    return [identity for _, identity in sorted(spans)]


def _begun(findings: tuple[Finding, ...]) -> datetime:
    return min(finding.first for finding in alerting(findings))


def _pauses(state: State, last_at: datetime, news: Iterable[Finding]) -> tuple[State, list[Step]]:
    """Walk through what is new, and note each calm and each return."""
    steps: list[Step] = []
    for finding in sorted(news, key=lambda f: (f.first, f.last)):
        if finding.last <= last_at:
            continue
        if finding.first - last_at > CALM_AFTER and not state.auto_resolved:
            state, step = calm(state, last_at)
            steps.append(step)
        if state.auto_resolved:
            state = state.reopened()
            at = finding.first if finding.first > last_at else finding.last
            steps.append(Step("returned", at, f"returned:{state.calms}"))
        last_at = finding.last
    return state, steps
