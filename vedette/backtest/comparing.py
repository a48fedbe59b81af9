"""Two settings held against each other on one log: what is gained, lost and changed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from alerts.incidents.summary import duration
from detectors.findings import Finding, Level
from ingest.times import iso
from vedette.backtest.incidents import Incident, incidents_of
from vedette.backtest.judging import Side
from vedette.backtest.labels import Known, Label, Truth, labelled

Change = Literal["gained", "lost", "changed"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one detector measured of an incident, at most, against the limit of either settings.

    `before` and `after` are its limits; None where the detector is off, or only monitors.
    """

    detector: str
    value: int
    unit: str
    window: str
    limit: int
    before: int | None
    after: int | None

    def __str__(self) -> str:
        window = f" within {self.window}" if self.window else ""
        both = ["none" if limit is None else f"{limit:,}" for limit in (self.before, self.after)]
        shown = f"limit {both[0]}" if both[0] == both[1] else f"limit {both[0]} -> {both[1]}"
        if self.limit not in {self.before, self.after}:
            shown += f", {self.limit:,} for this one"
        return f"{self.detector}: {self.value:,} {self.unit}{window} ({shown})"


@dataclass(frozen=True, slots=True)
class Difference:
    """Incidents of one entity that overlap in time and are not the same under both settings."""

    change: Change
    entity_type: str
    entity: str
    known: Known
    severity: tuple[str | None, str | None]
    started_at: datetime
    last_at: datetime
    measured: tuple[Measured, ...]
    what: tuple[str, ...]
    before: tuple[Incident, ...] = field(repr=False)
    after: tuple[Incident, ...] = field(repr=False)

    @property
    def telling(self) -> tuple[Measured, ...]:
        """What was measured by detectors whose part differs; all of it, if there is none."""
        names = [{d for each in side for d in each.detectors} for side in (self.before, self.after)]
        differing = names[0] ^ names[1]
        found = tuple(m for m in self.measured if m.before != m.after or m.detector in differing)
        return found or self.measured

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "change": self.change,
            "entity_type": self.entity_type,
            "entity": self.entity,
            "label": self.known.label,
            "name": self.known.name,
            "severity_before": self.severity[0],
            "severity_after": self.severity[1],
            "started_at": iso(self.started_at),
            "last_at": iso(self.last_at),
            "detectors": sorted({each.detector for each in self.measured}),
            "measured": [
                {
                    "detector": each.detector,
                    "value": each.value,
                    "unit": each.unit,
                    "window": each.window,
                    "limit_before": each.before,
                    "limit_after": each.after,
                }
                for each in self.measured
            ],
            "what": list(self.what),
            "summary_before": [incident.summary for incident in self.before],
            "summary_after": [incident.summary for incident in self.after],
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """What people would have had to look at, and how much of it was right.

    `precision` is over the incidents of which something is known; `attacks` are those known, and
    `found` how many of them. None where nothing is known.
    """

    incidents: int
    a_day: float | None
    by_label: Mapping[Label, int]
    precision: float | None
    attacks: int
    found: int
    recall: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "incidents": self.incidents,
            "incidents_a_day": self.a_day,
            "labels": dict(self.by_label),
            "precision": self.precision,
            "attacks": self.attacks,
            "attacks_found": self.found,
            "recall": self.recall,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, in order of time, with the figures of both sides."""

    names: tuple[str, str]
    events: int
    days: float
    span: tuple[datetime, datetime] | None
    before: Figures
    after: Figures
    differences: tuple[Difference, ...]
    unchanged: int
    labels: bool
    missed: tuple[str, ...]

    def only(self, change: Change) -> list[Difference]:
        """Return the differences of one kind."""
        return [each for each in self.differences if each.change == change]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "settings": self.names[0],
            "against": self.names[1],
            "events": self.events,
            "days": self.days,
            "since": None if self.span is None else iso(self.span[0]),
            "until": None if self.span is None else iso(self.span[1]),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "unchanged": self.unchanged,
            "attacks_no_longer_found": list(self.missed),
            "differences": [each.to_dict() for each in self.differences],
        }


def compare(before: Side, after: Side, truth: Truth, names: tuple[str, str]) -> Comparison:
    """Hold what two sides find against each other."""
    judged = [_Judged.of(side, truth) for side in (before, after)]
    old, new = judged
    differences: list[Difference] = []
    unchanged = 0
    for olds, news in _paired(old.told, new.told):
        found = _difference(olds, news, old, new)
        if found is None:
            unchanged += 1
        else:
            differences.append(found)
    differences.sort(key=lambda each: (each.started_at, each.entity_type, each.entity))
    return Comparison(
        names=names,
        events=before.about.events,
        days=before.about.days,
        span=before.about.span,
        before=old.figures,
        after=new.figures,
        differences=tuple(differences),
        unchanged=unchanged,
        labels=truth.says_something,
        missed=tuple(name for name in old.attacks_found if name not in set(new.attacks_found)),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """One side: all incidents, those that people are told of with their labels, limits."""

    by_entity: Mapping[tuple[str, str], Sequence[Incident]]
    told: Sequence[tuple[Incident, Known]]
    limits: Mapping[str, int]
    figures: Figures
    attacks_found: Sequence[str]

    @classmethod
    def of(cls, side: Side, truth: Truth) -> "_Judged":
        every = incidents_of(side.findings)
        alerting = [incident for incident in every if incident.mode == "alert"]
        found = labelled(truth, alerting, side.findings, side.about.days)
        told = [pair for pair in zip(alerting, found.known, strict=True) if pair[0].told]
        rules = {r.name: r.threshold for r in side.catalogue.rules if r.mode == "alert"}
        others = {f.detector: f.threshold for f in side.findings if f.mode == "alert"}
        attacks = found.matched.attacks
        by_entity: dict[tuple[str, str], list[Incident]] = defaultdict(list)
        for incident in every:
            by_entity[incident.entity_type, incident.entity].append(incident)
        return cls(
            by_entity,
            told,
            others | rules,
            _figures(told, side.about.days, [a.found for a in attacks]),
            [f"{a.name} ({a.entity_type} {a.entity})" for a in attacks if a.found],
        )


def _figures(
    told: Sequence[tuple[Incident, Known]], days: float, attacks: Sequence[bool]
) -> Figures:
    counted: dict[Label, int] = {"attack": 0, "false alarm": 0, "unsure": 0, "unknown": 0}
    for _, known in told:
        counted[known.label] += 1
    right, wrong = counted["attack"], counted["false alarm"]
    found = sum(attacks)
    return Figures(
        incidents=len(told),
        a_day=len(told) / days if days else None,
        by_label=counted,
        precision=right / (right + wrong) if right + wrong else None,
        attacks=len(attacks),
        found=found,
        recall=found / len(attacks) if attacks else None,
    )


_Told = tuple[Incident, Known]


def _paired(
    olds: Iterable[_Told], news: Iterable[_Told]
) -> Iterator[tuple[list[_Told], list[_Told]]]:
    """Yield what belongs together: incidents of one entity whose spans overlap, one by one."""
    by_entity: dict[tuple[str, str], list[tuple[_Told, int]]] = defaultdict(list)
    for side, incidents in enumerate((olds, news)):
        for told in incidents:
            by_entity[told[0].entity_type, told[0].entity].append((told, side))
    for mine in by_entity.values():
        mine.sort(key=lambda each: (each[0][0].started_at, each[1]))
        group: tuple[list[_Told], list[_Told]] = ([], [])
        end: datetime | None = None
        for told, side in mine:
            if end is not None and told[0].started_at > end:
                yield group
                group, end = ([], []), None
            group[side].append(told)
            end = told[0].last_at if end is None else max(end, told[0].last_at)
        yield group


def _difference(
    olds: Sequence[_Told], news: Sequence[_Told], old: _Judged, new: _Judged
) -> Difference | None:
    before, after = tuple(each for each, _ in olds), tuple(each for each, _ in news)
    what = tuple(_changes(before, after)) if before and after else ()
    if before and after and not what:
        return None
    change: Change = "gained" if not before else "lost" if not after else "changed"
    if not (before and after):
        what = tuple(_silenced(before or after, old if after else new))
    every = [*before, *after]
    first = every[0]
    known = next((k for _, k in (*olds, *news) if k.label != "unknown"), Known("unknown"))
    return Difference(
        change=change,
        entity_type=first.entity_type,
        entity=first.entity,
        known=known,
        severity=(_severest(before), _severest(after)),
        started_at=min(incident.started_at for incident in every),
        last_at=max(incident.last_at for incident in every),
        measured=tuple(_measured(every, old.limits, new.limits)),
        what=what,
        before=before,
        after=after,
    )


def _measured(
    incidents: Iterable[Incident], before: Mapping[str, int], after: Mapping[str, int]
) -> Iterator[Measured]:
    highest: dict[str, Finding] = {}
    for incident in incidents:
        for detector, finding in incident.peaks.items():
            if detector not in highest or finding.value > highest[detector].value:
                highest[detector] = finding
    for detector, finding in highest.items():
        yield Measured(
            detector=detector,
            value=finding.value,
            unit=finding.unit,
            window=duration(finding.window) if finding.window else "",
            limit=finding.threshold,
            before=before.get(detector),
            after=after.get(detector),
        )


def _severest(incidents: Sequence[Incident]) -> str | None:
    if not incidents:
        return None
    return max(Level[each.severity.upper()] for each in incidents).label


def _changes(before: Sequence[Incident], after: Sequence[Incident]) -> Iterator[str]:
    """Say what is not the same of incidents that are there under both settings."""
    if len(before) != len(after):
        yield f"{len(before)} became {len(after)} incidents"
    if (old := _severest(before)) != (new := _severest(after)):
        yield f"severity {old} -> {new}"
    names = [{name for each in side for name in each.detectors} for side in (before, after)]
    for word, some in (("no longer", names[0] - names[1]), ("also", names[1] - names[0])):
        if some:
            yield f"{word} {', '.join(sorted(some))}"
    yield from _moved(before, after)
    for detector in sorted(names[0] & names[1]):
        old_peak, new_peak = (_peak(side, detector) for side in (before, after))
        if old_peak.value != new_peak.value:
            yield f"{detector}: {old_peak.value:,} -> {new_peak.value:,} {new_peak.unit}"
    members = [max(each.member_count for each in side) for side in (before, after)]
    if members[0] != members[1]:
        yield f"clients {members[0]:,} -> {members[1]:,}"


def _moved(before: Sequence[Incident], after: Sequence[Incident]) -> Iterator[str]:
    begins = [min(each.started_at for each in side) for side in (before, after)]
    ends = [max(each.last_at for each in side) for side in (before, after)]
    for word, (old, new) in (("begins", begins), ("ends", ends)):
        if old != new:
            yield f"{word} {new:%H:%M:%S} instead of {old:%H:%M:%S}"


def _peak(incidents: Iterable[Incident], detector: str) -> Finding:
    found = (each.peaks[detector] for each in incidents if detector in each.peaks)
    return max(found, key=lambda finding: (finding.value, -finding.threshold))


def _silenced(there: Sequence[Incident], other: _Judged) -> Iterator[str]:
    """Say why the other settings tell nobody of incidents that they do have."""
    for incident in there:
        for each in other.by_entity.get((incident.entity_type, incident.entity), ()):
            overlaps = each.started_at <= incident.last_at and each.last_at >= incident.started_at
            if overlaps and each.parent is not None:
                yield f"part of {each.parent[0]} {each.parent[1]} on the other side"
            elif overlaps and each.mode == "monitor":
                yield "only monitored on the other side"
