"""One rule with many limits: counted once, judged as often as wanted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import polars as pl

from alerts.incidents.content import components
from detectors.counts import RuleCounts, judged, lowered, shape_of, with_limit
from detectors.findings import Finding
from detectors.overrides import RuleOverride
from detectors.rules import Rule
from vedette.backtest.labels import Truth
from vedette.evaluation.matching import Alarm, match
from vedette.evaluation.report import report
from vedette.rules import catalogue_of
from vedette.settings import Settings


@dataclass(frozen=True, slots=True)
class Swept:
    """What a rule by itself would have found with one limit.

    `attacks` are those that the rule must find, or of which nobody said who must, and `found` how
    many of them it does. False alarms are those that are known to be: where somebody said what is
    true of the whole log, all that is no attack. Figures that need what nobody said are None.
    """

    threshold: int
    incidents: int = 0
    incidents_a_day: float | None = None
    false_alarms: int | None = None
    false_alarms_a_day: float | None = None
    precision: float | None = None
    attacks: int = 0
    found: int = 0
    recall: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, and for a row of a table."""
        return asdict(self)


def single_rule(settings: Settings, name: str, threshold: int | None = None) -> Rule:
    """Return a rule under settings, switched on and alerting, with another limit if one is given.

    Raises KeyError for a detector that is not there or is no rule, ValueError for a limit that no
    rule can have.
    """
    overrides = dict(settings.detectors)
    theirs = overrides.get(name, RuleOverride())
    given = theirs.model_dump(exclude_unset=True) | {"enabled": True, "mode": "alert"}
    if threshold is not None:
        given["threshold"] = threshold
    overrides[name] = RuleOverride.model_validate(given)
    try:
        return catalogue_of(settings, overrides).rule(name)
    except (StopIteration, ValueError) as error:
        raise KeyError(f"no rule is called {name!r} ({error})") from error


def counted_for(rule: Rule, thresholds: Iterable[int]) -> dict[str, Rule]:
    """Return by shape what is to be counted so that a rule can be judged with some limits."""
    limits = sorted(set(thresholds))
    lows = (lowered(with_limit(rule, limit), limits[0]) for limit in limits)
    return {low.name: low for low in lows}


def sweep_counts(
    rule: Rule,
    counts: Mapping[str, RuleCounts],
    thresholds: Iterable[int],
    truth: Truth,
    days: float,
) -> list[Swept]:
    """Return what a rule finds with each limit, in their order, each once.

    Raises LimitTooLowError for one that is lower than what was counted with.
    """
    swept: list[Swept] = []
    left = dict(counts)
    for threshold in sorted(set(thresholds)):
        limited = with_limit(rule, threshold)
        shape = shape_of(limited)
        findings = judged(limited, left[shape])
        swept.append(figures_of(rule.name, threshold, findings, truth, days))
        if rule.comparison in {"gte", "gt"}:  # what is below this limit is below the next ones
            highest = {finding.entity for finding in findings}
            above = pl.col("entity").is_in(list(highest))
            left[shape] = replace(
                left[shape], floor=threshold, panes=left[shape].panes.filter(above)
            )
    return swept


def figures_of(
    detector: str, threshold: int, findings: Sequence[Finding], truth: Truth, days: float
) -> Swept:
    """Return the figures of one detector's findings by themselves."""
    matched = match(truth.episodes, alarms_of(findings), findings, days)
    figures = report(matched)
    attacks = [a for a in matched.attacks if a.expected in {detector, None}]
    found = sum(detector in attack.by for attack in attacks)
    right = sum(alarm.verdict == "attack" for alarm in matched.alarms)
    wrong = sum(
        alarm.verdict == "false" and (truth.complete or alarm.about is not None)
        for alarm in matched.alarms
    )
    known = truth.says_something
    return Swept(
        threshold=threshold,
        incidents=figures.incidents,
        incidents_a_day=figures.incidents_a_day,
        false_alarms=wrong if known else None,
        false_alarms_a_day=wrong / days if known and days else None,
        precision=right / (right + wrong) if known and right + wrong else None,
        attacks=len(attacks),
        found=found,
        recall=found / len(attacks) if attacks else None,
    )


def alarms_of(findings: Iterable[Finding]) -> Iterator[Alarm]:
    """Put findings together to incidents, as the service does."""
    theirs: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        theirs[finding.entity_type, finding.entity].append(finding)
    for entity, mine in theirs.items():
        for incident in components(mine):
            yield Alarm(
                entity=entity,
                detectors=tuple(sorted({finding.detector for finding in incident})),
                started_at=min(finding.first for finding in incident),
                last_at=max(finding.last for finding in incident),
                window=max((f.window for f in incident), default=timedelta(0)),
                members=frozenset().union(*(finding.members for finding in incident)),
            )


def proposal(swept: Sequence[Swept], now: int, budget_a_day: float = 0.0) -> int | None:
    """Return a limit that keeps to a budget; None if none does.

    With labels the budget is of false alarms, and the limit has the best recall that there is
    within it. Of several it is today's, unless that lies at the edge of them: else the one in the
    middle, as far as can be from both the traffic and the attacks that were seen. Without labels
    the budget is of incidents, and the limit the lowest.
    """
    labelled = any(each.recall is not None for each in swept)
    rates = [(e.false_alarms_a_day if labelled else e.incidents_a_day, e) for e in swept]
    within = [each for rate, each in rates if rate is not None and rate <= budget_a_day]
    if not within:
        return None
    if not labelled:
        return min(each.threshold for each in within)
    highest = max(each.recall or 0.0 for each in within)
    best = sorted(each.threshold for each in within if (each.recall or 0.0) == highest)
    return now if now in best[1:-1] else best[len(best) // 2]


def limits_between(low: int, high: int, count: int = 20, *others: int) -> list[int]:
    """Return so many limits, even on a logarithmic scale, each once, and some others."""
    low, high = max(low, 1), max(high, low + 1)
    steps = [low * (high / low) ** (place / (count - 1)) for place in range(count)]
    return sorted({*others, *(round(step) for step in steps)})
