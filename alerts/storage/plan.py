"""What new findings mean for the incidents of one entity. Pure: no database, no clock."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.incidents.content import Content, bounded, components, content_of, stage_names
from alerts.incidents.lifecycle import Part, State, Step, begin, elder_first, grow
from alerts.storage.nearby import StoredIncident
from detectors.findings import Evidence, Finding, earliest, merge_runs


@dataclass(frozen=True, slots=True)
class Plan:
    """One incident as it shall be: new, or grown, or joined out of several.

    `findings` carry no evidence of their own; `evidence` is the incident's.
    """

    elder: StoredIncident | None
    younger: tuple[StoredIncident, ...]
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    content: Content
    state: State
    steps: tuple[Step, ...]

    @property
    def parent_id(self) -> int | None:
        """The incident that this one was part of before."""
        return self.elder.parent_id if self.elder else None

    @property
    def changes_incident(self) -> bool:
        """Whether the incident's own row changes."""
        elder = self.elder
        return (
            elder is None
            or bool(self.younger)
            or elder.content != self.content
            or elder.state != self.state
            or self.changes_evidence
        )

    @property
    def changes_evidence(self) -> bool:
        """Whether the incident shows other events than before."""
        return self.elder is None or earliest(self.elder.evidence) != self.evidence

    def stored_findings(self) -> Iterator[tuple[int, int, Finding]]:
        """Give row, incident and finding of all that is stored here so far."""
        for incident in [*([self.elder] if self.elder else []), *self.younger]:
            for row, finding in incident.findings.items():
                yield row, incident.id, finding


def plan_entity(stored: Sequence[StoredIncident], runs: Sequence[Finding]) -> list[Plan]:
    """Merge the runs of one entity into its stored incidents; return those that may change."""
    bare = [replace(run, evidence=()) for run in runs]
    known = [finding for incident in stored for finding in incident.findings.values()]
    return [
        _plan(component, [i for i in stored if _within(i.content.started_at, component)], runs)
        for component in components(_merged(known, bare))
        if any(_within(run.first, component) for run in runs)
    ]


def _plan(
    findings: tuple[Finding, ...], stored: Sequence[StoredIncident], runs: Sequence[Finding]
) -> Plan:
    own_runs = [run for run in runs if _within(run.first, findings)]
    evidence = earliest(
        [
            *(item for incident in stored for item in incident.evidence),
            *(item for run in own_runs for item in run.evidence),
        ]
    )
    content = content_of(findings, evidence)
    if not stored:
        state, steps = begin(content, tuple(own_runs))
        return Plan(None, (), findings, evidence, content, state, tuple(steps))
    by_id = {incident.id: incident for incident in stored}
    order = elder_first([(incident.content.started_at, incident.id) for incident in stored])
    elder, *younger = (by_id[identity] for identity in order)
    news = [*own_runs, *(f for incident in younger for f in incident.findings.values())]
    state, steps = grow([_part(by_id[identity]) for identity in order], content, findings, news)
    return Plan(elder, tuple(younger), findings, evidence, content, state, tuple(steps))


def _part(incident: StoredIncident) -> Part:
    """Return an incident as it was; its stages by its findings, as older rows do not name them."""
    stages = stage_names(tuple(incident.findings.values()))
    return Part(incident.id, incident.state, replace(incident.content, stages=stages))


def _merged(known: Iterable[Finding], runs: Iterable[Finding]) -> Iterator[Finding]:
    pairs: dict[tuple[str, str, str], tuple[list[Finding], list[Finding]]]
    pairs = defaultdict(lambda: ([], []))
    for finding in known:
        pairs[finding.key][0].append(finding)
    for run in runs:
        pairs[run.key][1].append(run)
    for old, new in pairs.values():
        yield from map(bounded, merge_runs(old, new))


def _within(moment: datetime, findings: tuple[Finding, ...]) -> bool:
    return findings[0].first <= moment <= max(finding.last for finding in findings)
