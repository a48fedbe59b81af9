"""What happens to an incident as its findings grow. Pure: no database, no clock.

All times of steps are event times, so that a replay says the same as the first run. The only
times of the wall clock are those of decisions: which of two people spoke last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from alerts.incidents.content import Content, alerting
from alerts.incidents.stages import Stage, reached_at, stage_of
from detectors.findings import Finding, Level

Status = Literal["open", "acknowledged", "resolved", "closed"]
Resolution = Literal["true_positive", "false_positive", "benign", "mitigated", "duplicate"]

#: Status of what is over, for the time being or for good.
ENDED: Final = frozenset({"resolved", "closed"})

#: Event time without anything new after which an incident counts as calm.
CALM_AFTER: Final = timedelta(minutes=15)

#: Numbers of clients that people are told of when an attack by many passes them.
MEMBER_MARKS: Final = (10, 100, 1_000)

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class State:
    """Where an incident stands: what people decided, and what calm decided for them.

    `decided_at` is when a person last set the status (wall clock), `decided_severity` the severity
    that this person saw; None if what they saw was only monitored. `assigned_at` is when somebody
    last said who handles it (wall clock).

    `auto_resolved` says that its last event was long enough ago: it is resolved for that, or a
    person opened it again, and then it stays as that person left it until something new comes.
    """

    status: Status = "open"
    resolution: Resolution | None = None
    auto_resolved: bool = False
    acknowledged_at: datetime | None = None
    calms: int = 0
    assignee: str | None = None
    assigned_at: datetime | None = None
    labels: tuple[str, ...] = ()
    decided_at: datetime | None = None
    decided_severity: Level | None = None

    @property
    def ended_by_person(self) -> bool:
        """Whether a person resolved or closed it; then it only grows."""
        return self.status in ENDED and not self.auto_resolved

    @property
    def held_open(self) -> bool:
        """Whether a person opened it again, and nothing new came since."""
        return self.status not in ENDED and self.auto_resolved

    def holds(self, content: Content) -> bool:
        """Whether an ending by a person still holds: nothing severer came than they saw."""
        seen = self.decided_severity
        return content.mode == "monitor" or (seen is not None and content.severity <= seen)

    def calmed(self) -> "State":
        """Return the state after CALM_AFTER without anything new."""
        return replace(self, status="resolved", auto_resolved=True, calms=self.calms + 1)

    def reopened(self) -> "State":
        """Return the state after something new: acknowledged if it was, else open."""
        status: Status = "acknowledged" if self.acknowledged_at else "open"
        return replace(self, status=status, resolution=None, auto_resolved=False)


@dataclass(frozen=True, slots=True)
class Part:
    """An incident before it grows or joins others."""

    id: int
    state: State
    content: Content


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
    parts: Sequence[Part],
    content: Content,
    findings: tuple[Finding, ...],
    news: Iterable[Finding],
) -> tuple[State, list[Step]]:
    """Return the state and the steps of an incident whose content changes.

    `parts` are the incident as it was, and the younger ones that join it now. `findings` are all
    that it now has, `news` those that are new to the first part or may have grown.

    People's decisions are those of `joined`. An ending by a person holds, and nothing is told,
    until the severity is above what that person saw.
    """
    elder = parts[0]
    state, decider = joined(parts)
    undone = state if state.ended_by_person and not state.holds(content) else None
    if undone:
        state = _going_on(state, elder.state)
    steps = _joins(parts, decider)
    if not (state.ended_by_person or elder.state.ended_by_person):
        state, pauses = _pauses(state, elder.content.last_at, news)
        steps += pauses
    if decider is not elder and decider.state.held_open and state.status not in ENDED:
        state = replace(state, auto_resolved=decider.content.last_at == content.last_at)
    steps += _rises(elder.content, content, findings)
    if undone:
        state, step = _reopening(undone, state, content, told=any(s.transition for s in steps))
        steps.append(step)
    if state.ended_by_person:
        steps = [replace(step, transition=None) for step in steps]
    return state, [*steps, *_new_detectors(elder.content, content, findings)]


def joined(parts: Sequence[Part]) -> tuple[State, Part]:
    """Return what people decided of several incidents that join, and whose decision it is.

    The latest decision of all is that of the whole, with what was acknowledged and seen then;
    without any the elder's state stays. The latest word on who handles it counts, too. Labels are
    united. So it does not matter in which order incidents join.
    """
    elder = parts[0].state
    decider = max(parts, key=lambda part: part.state.decided_at or _NEVER)
    assigned = max((part.state for part in parts), key=lambda state: state.assigned_at or _NEVER)
    state = decider.state
    if decider is not parts[0] and not state.ended_by_person:
        state = _going_on(state, elder)
    return replace(
        state,
        calms=elder.calms,
        assignee=assigned.assignee,
        assigned_at=assigned.assigned_at,
        labels=tuple(sorted({label for part in parts for label in part.state.labels})),
    ), decider


def calm(state: State, last_at: datetime) -> tuple[State, Step]:
    """Return the state and the step of an incident without anything new for CALM_AFTER."""
    state = state.calmed()
    return state, Step("calm", last_at + CALM_AFTER, f"calm:{state.calms}")


def elder_first(spans: Sequence[tuple[datetime, int]]) -> list[int]:
    """Return ids of incidents that join, given (started_at, id): the one that stays first."""
    return [identity for _, identity in sorted(spans)]


def _going_on(state: State, elder: State) -> State:
    """Return a decided state as one that is not over, and as calm as the elder incident was."""
    state = replace(state.reopened(), auto_resolved=elder.auto_resolved)
    calm_now = elder.auto_resolved and elder.status in ENDED
    return replace(state, status="resolved") if calm_now else state


def _reopening(undone: State, state: State, content: Content, *, told: bool) -> tuple[State, Step]:
    """Say which ending is undone, and tell it unless something else does."""
    detail = {"status": undone.status, "resolution": undone.resolution}
    if told:
        return state, Step("reopened", content.last_at, None, detail)
    state = replace(state, calms=state.calms + 1)
    return state, Step("reopened", content.last_at, f"returned:{state.calms}", detail)


def _joins(parts: Sequence[Part], decider: Part) -> list[Step]:
    """Say which incidents joined, and if one of them brought a decision, which."""
    steps: list[Step] = []
    for part in parts[1:]:
        detail: dict[str, Any] = {"incident": part.id}
        if part is decider:
            detail |= {"status": part.state.status, "resolution": part.state.resolution}
        steps.append(Step("joined", part.content.started_at, None, detail))
    return steps


def _rises(before: Content, now: Content, findings: tuple[Finding, ...]) -> list[Step]:
    """Return what an incident passed by growing: first alert, severity, stages, clients."""
    counting = alerting(findings)
    severity = {"severity": now.severity.label}
    if before.mode == "monitor":
        opened = Step("opened", _begun(findings), "opened", severity)
        return [opened] if now.mode == "alert" else []
    steps: list[Step] = []
    if now.severity > before.severity:
        kind = f"severity:{now.severity.label}"
        steps.append(Step("severity", reached_at(counting), kind, severity))
    for name in now.stages:
        if name not in before.stages:
            stage = Stage[name.upper()]
            at = min(f.first for f in counting if stage_of(f.tags) is stage)
            steps.append(Step("stage", at, f"stage:{name}", {"stage": name}))
    passed = [mark for mark in MEMBER_MARKS if before.member_count < mark <= now.member_count]
    if passed:
        detail = {"members": now.member_count}
        steps.append(Step("members", now.last_at, f"members:{passed[-1]}", detail))
    return steps


def _new_detectors(before: Content, now: Content, findings: tuple[Finding, ...]) -> list[Step]:
    return [
        Step(
            "detector",
            min(finding.first for finding in findings if finding.detector == detector),
            None,
            {"detector": detector},
        )
        for detector in sorted(set(now.detectors) - set(before.detectors))
    ]


def _begun(findings: tuple[Finding, ...]) -> datetime:
    return min(finding.first for finding in alerting(findings))


def _pauses(state: State, last_at: datetime, news: Iterable[Finding]) -> tuple[State, list[Step]]:
    """Walk through what is new, and note each calm and each return."""
    steps: list[Step] = []
    for finding in sorted(news, key=lambda f: (f.first, f.last)):
        if finding.last <= last_at:
            continue
        if state.held_open:
            state = state.reopened()
        elif finding.first - last_at > CALM_AFTER and not state.auto_resolved:
            state, step = calm(state, last_at)
            steps.append(step)
        if state.auto_resolved:
            state = state.reopened()
            at = finding.first if finding.first > last_at else finding.last
            steps.append(Step("returned", at, f"returned:{state.calms}"))
        last_at = finding.last
    return state, steps
