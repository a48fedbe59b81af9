"""How high entities came, for detectors whose limit differs between two sides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from alerts.incidents.summary import duration
from detectors.counts import judged
from detectors.findings import Finding
from detectors.rules import Rule
from vedette.backtest.incidents import incidents_of
from vedette.backtest.judging import Judge, Side
from vedette.backtest.labels import Known, Label, Truth, labelled


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest value that an entity reached within one window, and what is known of it."""

    entity: str
    value: int
    label: Label


@dataclass(frozen=True, slots=True)
class Peaks:
    """The entities that came near a detector's limits, of which it has one on each side.

    Those below `least` were not counted.
    """

    detector: str
    unit: str
    window: str
    before: int
    after: int
    least: int
    entities: tuple[Peak, ...] = field(repr=False)


def peaks_of(judge: Judge, before: Side, after: Side, truth: Truth) -> list[Peaks]:
    """Return the peaks of every rule that has another limit under the other settings."""
    return list(_peaks(judge, before, after, truth))


def _peaks(judge: Judge, before: Side, after: Side, truth: Truth) -> Iterator[Peaks]:
    olds = {rule.name: rule for rule in before.catalogue.rules}
    for rule in after.catalogue.rules:
        old = olds.get(rule.name)
        if old is None or old.threshold == rule.threshold:
            continue
        highest = highest_of(judge, after, rule)
        known = labels_of(highest, after.about.days, truth)
        yield Peaks(
            detector=rule.name,
            unit=rule.unit,
            window=duration(rule.window),
            before=old.threshold,
            after=rule.threshold,
            least=judge.counts(after, rule).floor or 0,
            entities=tuple(
                Peak(finding.entity, finding.value, each.label)
                for finding, each in zip(highest, known, strict=True)
            ),
        )


def highest_of(judge: Judge, side: Side, rule: Rule) -> list[Finding]:
    """Return the highest finding of each entity that was counted for a rule, the highest first."""
    counts = judge.counts(side, rule)
    low = rule if counts.floor is None else replace(rule, threshold=counts.floor)
    highest: dict[str, Finding] = {}
    for finding in judged(low, counts):
        known = highest.get(finding.entity)
        if known is None or finding.value > known.value:
            highest[finding.entity] = finding
    return sorted(highest.values(), key=lambda finding: (-finding.value, finding.entity))


def labels_of(findings: Sequence[Finding], days: float, truth: Truth) -> list[Known]:
    """Return what is known of each finding by itself."""
    alone = [incidents_of([finding])[0] for finding in findings]
    return list(labelled(truth, alone, findings, days).known)
