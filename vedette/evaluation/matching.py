"""Incidents and findings against the truth. Pure: no database, no clock, no files.

A claim (an incident or a finding) is about an episode if it names one of its entities and their
spans overlap. An episode's span goes on for one window of the claim after its last request: until
then a rule may still be counting it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from detectors.findings import Finding
from vedette.evaluation.episodes import Entity, Episode

#: Many logs have whole seconds: an event may seem to be up to so much older than it is.
ROUNDING: Final = timedelta(seconds=1)

Verdict = Literal["attack", "part", "unsure", "false"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An incident that people were told of.

    `window` is the longest of its findings. `child` says that it belongs to the incident of a
    distributed attack: nobody is told of it by itself.
    """

    entity: Entity
    detectors: tuple[str, ...]
    started_at: datetime
    last_at: datetime
    window: timedelta
    members: frozenset[str] = frozenset()
    child: bool = False


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """What became of one attack.

    `seconds` is the time from its first request until a finding about it could first be known,
    `window_seconds` the window of that finding's detector. `by` are the detectors that found it;
    `expected` is the one that must, None where nobody said.
    """

    name: str
    intensity: str | None
    entity_type: str
    entity: str
    found: bool
    expected: str | None
    by: tuple[str, ...]
    seconds: float | None
    window_seconds: float | None


@dataclass(frozen=True, slots=True)
class AlarmOutcome:
    """An incident and what it is: an attack, part of a distributed one, unsure, or false.

    `about` names the attack, or the harmless episode that looked like one.
    """

    verdict: Verdict
    entity_type: str
    entity: str
    detectors: tuple[str, ...]
    started_at: datetime
    about: str | None


@dataclass(frozen=True, slots=True)
class FindingOutcome:
    """A finding: right if it is about an attack; listed if the truth names its detector there."""

    detector: str
    right: bool
    listed: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """All outcomes of one log, and how many days of event time it spans."""

    days: float
    attacks: tuple[AttackOutcome, ...]
    alarms: tuple[AlarmOutcome, ...]
    findings: tuple[FindingOutcome, ...]

    def __add__(self, other: "Matched") -> "Matched":
        """Return the outcomes of both logs together."""
        return Matched(
            self.days + other.days,
            self.attacks + other.attacks,
            self.alarms + other.alarms,
            self.findings + other.findings,
        )


def match(
    episodes: Sequence[Episode],
    alarms: Iterable[Alarm],
    findings: Iterable[Finding],
    days: float,
) -> Matched:
    """Hold alarms and findings against the episodes.

    An attack is found if an alarm, or a finding in mode `alert`, is about it.
    """
    known = _ByEntity(episodes)
    told, found = list(alarms), list(findings)
    for alarm in told:
        known.join(alarm.members, _true(known, alarm))
    for finding in found:
        attacks = [episode for episode in _about(known, finding) if episode.attack]
        known.join(finding.members, attacks)
    return Matched(
        days=days,
        attacks=tuple(_attacks(known, told, found)),
        alarms=tuple(_alarms(known, told)),
        findings=tuple(_findings(known, found)),
    )


class _ByEntity:
    """Episodes by the entities that they name."""

    def __init__(self, episodes: Sequence[Episode]) -> None:
        self.attacks = [episode for episode in episodes if episode.attack]
        self._named: dict[Entity, list[Episode]] = defaultdict(list)
        self._joined: dict[str, list[Episode]] = defaultdict(list)
        for episode in episodes:
            for entity in episode.entities:
                self._named[entity].append(episode)
            for member in episode.members:
                self._joined[member].append(episode)

    def about(
        self, entity: Entity, first: datetime, last: datetime, window: timedelta
    ) -> list[Episode]:
        """Return the episodes that a claim is about."""
        near = self._named.get(entity, [])
        return [episode for episode in near if overlaps(episode, first, last, window)]

    def join(self, members: Iterable[str], attacks: Sequence[Episode]) -> None:
        """Take the clients that an incident about these attacks has counted for members."""
        for member in members if attacks else ():
            self._joined[member] += attacks

    def joined(
        self, entity: Entity, first: datetime, last: datetime, window: timedelta
    ) -> list[Episode]:
        """Return the episodes that a claim's client is a member of."""
        near = self._joined.get(entity[1], []) if entity[0] == "client" else []
        return [episode for episode in near if overlaps(episode, first, last, window)]


def overlaps(episode: Episode, first: datetime, last: datetime, window: timedelta) -> bool:
    """Whether a span overlaps an episode's, which goes on for one window."""
    return first <= episode.ended_at + window and last + ROUNDING >= episode.started_at


def _attacks(
    known: _ByEntity, alarms: Iterable[Alarm], findings: Iterable[Finding]
) -> Iterator[AttackOutcome]:
    told: set[int] = set()
    for alarm in alarms:
        about = known.about(alarm.entity, alarm.started_at, alarm.last_at, alarm.window)
        told |= {id(episode) for episode in about}
    reports: dict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        for episode in _about(known, finding):
            reports[id(episode)].append(finding)
    for attack in known.attacks:
        yield _outcome(attack, reports[id(attack)], told=id(attack) in told)


def _outcome(attack: Episode, reports: Sequence[Finding], *, told: bool) -> AttackOutcome:
    loud = [report for report in reports if report.mode == "alert"]
    first = min(loud, key=lambda r: (_known_at(r), r.window, r.detector), default=None)
    waited = None if first is None else max(_known_at(first) - attack.started_at, timedelta(0))
    (entity_type, entity), *_ = sorted(attack.entities)
    return AttackOutcome(
        name=attack.name,
        intensity=attack.intensity,
        entity_type=entity_type,
        entity=entity,
        found=told or first is not None,
        expected=attack.detectors[0] if attack.detectors else None,
        by=tuple(sorted({report.detector for report in reports})),
        seconds=None if waited is None else waited.total_seconds(),
        window_seconds=None if first is None else first.window.total_seconds(),
    )


def _known_at(finding: Finding) -> datetime:
    """Return when a finding could first be known; at the latest when it was over."""
    return finding.last if finding.reached is None else finding.reached


def _alarms(known: _ByEntity, alarms: Iterable[Alarm]) -> Iterator[AlarmOutcome]:
    for alarm in alarms:
        span = alarm.started_at, alarm.last_at, alarm.window
        about = known.about(alarm.entity, *span)
        joined = known.joined(alarm.entity, *span)
        attacks = [episode for episode in about if episode.attack]
        parts = [episode for episode in joined if episode.attack]
        unsure = [episode for episode in (*about, *joined) if episode.kind == "unsure"]
        verdict: Verdict = (
            "attack" if attacks else "part" if parts else "unsure" if unsure else "false"
        )
        named = [*attacks, *parts, *unsure, *about]
        yield AlarmOutcome(
            verdict="part" if alarm.child else verdict,
            entity_type=alarm.entity[0],
            entity=alarm.entity[1],
            detectors=alarm.detectors,
            started_at=alarm.started_at,
            about=named[0].name if named else None,
        )


def _true(known: _ByEntity, alarm: Alarm) -> list[Episode]:
    about = known.about(alarm.entity, alarm.started_at, alarm.last_at, alarm.window)
    return [episode for episode in about if episode.attack]


def _findings(known: _ByEntity, findings: Iterable[Finding]) -> Iterator[FindingOutcome]:
    """Judge each finding but those about what is unsure."""
    for finding in findings:
        about = _about(known, finding)
        entity = finding.entity_type, finding.entity
        about += known.joined(entity, finding.first, finding.last, finding.window)
        attacks = [episode for episode in about if episode.attack]
        if attacks or not any(episode.kind == "unsure" for episode in about):
            yield FindingOutcome(
                detector=finding.detector,
                right=bool(attacks),
                listed=any(not e.detectors or finding.detector in e.detectors for e in attacks),
            )


def _about(known: _ByEntity, finding: Finding) -> list[Episode]:
    entity = finding.entity_type, finding.entity
    return known.about(entity, finding.first, finding.last, finding.window)
