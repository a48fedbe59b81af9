"""The figures of a report, worked out from outcomes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from vedette.evaluation.matching import AlarmOutcome, AttackOutcome, FindingOutcome, Matched


@dataclass(frozen=True, slots=True)
class Delay:
    """Time to detect over the attacks that were found; `windows` counts it in windows.

    From an attack's first request to the end of the first slot of time with which a finding about
    it reached its limit; the window is that of the finding that was first.
    """

    median_seconds: float
    worst_seconds: float
    median_windows: float


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of some attacks were found, and how fast; None where nothing was to be found."""

    attacks: int
    found: int
    recall: float | None
    delay: Delay | None


@dataclass(frozen=True, slots=True)
class DetectorScore:
    """One detector: recall over the attacks that it must find, precision over its findings.

    `unlisted` of the right findings are about attacks for which the truth does not name it.
    """

    detector: str
    recall: Recall
    findings: int
    right: int
    unlisted: int
    precision: float | None
    false_alarms: int
    false_alarms_a_day: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one log, or of several together.

    `incidents` are right or false alarms. The `others` count neither way: they are part of a
    distributed attack that has an incident of its own, or about what is unsure. A rate a day is
    None for a log without a span.
    """

    days: float
    overall: Recall
    incidents: int
    others: int
    false_alarms: int
    precision: float | None
    incidents_a_day: float | None
    false_alarms_a_day: float | None
    by_detector: tuple[DetectorScore, ...]
    by_intensity: dict[str, Recall]
    by_name: dict[str, Recall]
    missed: tuple[AttackOutcome, ...]
    false: tuple[AlarmOutcome, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: times in ISO 8601."""
        return {
            **asdict(self),
            "false": [{**asdict(a), "started_at": a.started_at.isoformat()} for a in self.false],
        }


def report(matched: Matched) -> Report:
    """Work the figures out."""
    attacks, days = matched.attacks, matched.days
    told = [alarm for alarm in matched.alarms if alarm.verdict in {"attack", "false"}]
    false = [alarm for alarm in told if alarm.verdict == "false"]
    return Report(
        days=days,
        overall=recall_of(attacks),
        incidents=len(told),
        others=len(matched.alarms) - len(told),
        false_alarms=len(false),
        precision=_share(len(told) - len(false), len(told)),
        incidents_a_day=_share(len(told), days),
        false_alarms_a_day=_share(len(false), days),
        by_detector=tuple(_scores(matched, false)),
        by_intensity=_grouped(attacks, lambda attack: attack.intensity),
        by_name=_grouped(attacks, lambda attack: attack.name),
        missed=tuple(attack for attack in attacks if not attack.found),
        false=tuple(false),
    )


def _scores(matched: Matched, false: Sequence[AlarmOutcome]) -> Iterable[DetectorScore]:
    findings: dict[str, list[FindingOutcome]] = defaultdict(list)
    for finding in matched.findings:
        findings[finding.detector].append(finding)
    alarms = Counter(detector for alarm in false for detector in alarm.detectors)
    expected = {attack.expected for attack in matched.attacks if attack.expected is not None}
    for detector in sorted(expected | findings.keys()):
        theirs = findings[detector]
        right = [finding for finding in theirs if finding.right]
        must = [attack for attack in matched.attacks if attack.expected == detector]
        yield DetectorScore(
            detector=detector,
            recall=recall_of(must, lambda attack: attack.expected in attack.by),
            findings=len(theirs),
            right=len(right),
            unlisted=sum(not finding.listed for finding in right),
            precision=_share(len(right), len(theirs)),
            false_alarms=alarms[detector],
            false_alarms_a_day=_share(alarms[detector], matched.days),
        )


def _grouped(
    attacks: Iterable[AttackOutcome], name: Callable[[AttackOutcome], str | None]
) -> dict[str, Recall]:
    groups: dict[str, list[AttackOutcome]] = defaultdict(list)
    for attack in attacks:
        groups[name(attack) or ""].append(attack)
    return {key: recall_of(groups[key]) for key in groups if key}


def recall_of(
    attacks: Sequence[AttackOutcome],
    found: Callable[[AttackOutcome], bool] = lambda attack: attack.found,
) -> Recall:
    """Return how many of the attacks were found, by a measure of one's own if need be."""
    those = [attack for attack in attacks if found(attack)]
    return Recall(len(attacks), len(those), _share(len(those), len(attacks)), _delay(those))


def _delay(attacks: Iterable[AttackOutcome]) -> Delay | None:
    timed = [
        (attack.seconds, attack.seconds / attack.window_seconds)
        for attack in attacks
        if attack.seconds is not None and attack.window_seconds
    ]
    if not timed:
        return None
    seconds = [each for each, _ in timed]
    return Delay(median(seconds), max(seconds), median(windows for _, windows in timed))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
