"""What detectors find in a log, how near others come, and what other limits would find."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from alerts.incidents.summary import duration
from detectors.catalogue import Catalogue
from detectors.counts import CountingKernel, RuleCounts, judged, shape_of, with_limit
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from detectors.rules import Rule
from vedette.backtest.labels import Truth
from vedette.backtest.sweeping import (
    Swept,
    counted_for,
    figures_of,
    limits_between,
    proposal,
    single_rule,
    sweep_counts,
)
from vedette.evaluation.episodes import Episode
from vedette.evaluation.matching import overlaps
from vedette.rules import catalogue_of
from vedette.tuning.labelled import LabelledLog

if TYPE_CHECKING:
    import pandas as pd

#: Events that are put through the detectors at once.
_SLICE: Final = 500_000

#: How far below its limit a detector's entities are listed by `peaks`.
_NEAR: Final = 0.2


def overview(log: LabelledLog) -> "pd.DataFrame":
    """Return a row for each detector that found something or had something to find.

    Columns: detector, entity, threshold, window (as text), incidents_a_day, false_alarms_a_day,
    precision, attacks, recall; the most incidents first. What needs labels is NaN without.
    """
    import pandas as pd

    catalogue = _catalogue(log)
    findings = _findings(log, catalogue)
    rows = []
    for rule in catalogue.rules:
        mine = [finding for finding in findings if finding.detector == rule.name]
        figures = figures_of(rule.name, rule.threshold, mine, _truth(log), log.days)
        if mine or figures.attacks:
            rows.append(_about(rule) | _row_of(figures))
    columns = [*_ABOUT, "incidents_a_day", "false_alarms_a_day", "precision", "attacks", "recall"]
    frame = pd.DataFrame(rows, columns=columns)
    ordered = frame.sort_values("incidents_a_day", ascending=False, kind="stable")
    return ordered.reset_index(drop=True)


def sweep(log: LabelledLog, detector: str, thresholds: Iterable[int]) -> "pd.DataFrame":
    """Return what the detector would have found with other limits: a row each.

    Columns: threshold, incidents, incidents_a_day, false_alarms, false_alarms_a_day, precision,
    attacks, found, recall. Attacks are those that the detector must find (or of which the truth
    does not say who must). What needs labels is NaN without. Exceptions and all other settings
    are those of the log. Raises KeyError for a detector that is not there or is no rule,
    ValueError for a limit below 1.
    """
    import pandas as pd

    wanted = sorted(set(thresholds))
    if not wanted:
        return pd.DataFrame()
    single_rule(log.settings, detector, wanted[0])  # raises ValueError for one below 1
    rule = single_rule(log.settings, detector)
    counts = _counts(log, rule, wanted)
    swept = sweep_counts(rule, counts, wanted, _truth(log), log.days)
    return pd.DataFrame([_row_of(each) for each in swept])


def peaks(log: LabelledLog, detector: str, at_least: int | None = None) -> "pd.DataFrame":
    """Return how high each entity came within one window, the highest first.

    Columns: entity, peak, first, last (UTC), label (attack; other attack for one that the truth
    does not want this detector to find; benign, unsure, unknown), name (of the episode). Entities
    below `at_least` are left out: by default a fifth of the limit, at least 2. Raises KeyError as
    `sweep` does.
    """
    import pandas as pd

    limit = limit_of(log, detector)
    lowest = max(2, round(limit * _NEAR)) if at_least is None else at_least
    rule = single_rule(log.settings, detector)
    highest = _highest(rule, _counts(log, rule, [lowest]), lowest)
    rows = [_row(log, finding) for finding in highest.values()]
    frame = pd.DataFrame(rows, columns=list(_ROW))
    return frame.sort_values(["peak", "entity"], ascending=[False, True], ignore_index=True)


def compare(log: LabelledLog, detector: str, now: int, proposed: int) -> "pd.DataFrame":
    """Return what a change of the limit would gain and lose: a row each entity, the first first.

    Columns: change (gained, lost) and the columns of `peaks`, of the
    limit that reports it.
    """
    import pandas as pd

    rule = single_rule(log.settings, detector)
    counts = _counts(log, rule, [now, proposed])
    before, after = _highest(rule, counts, now), _highest(rule, counts, proposed)
    changes = [("lost", before[entity]) for entity in before.keys() - after.keys()]
    changes += [("gained", after[entity]) for entity in after.keys() - before.keys()]
    rows = [
        {"change": change, **_row(log, finding)}
        for change, finding in sorted(changes, key=lambda c: (c[1].first, c[1].entity))
    ]
    return pd.DataFrame(rows, columns=["change", *_ROW])


def limit_of(log: LabelledLog, detector: str) -> int:
    """Return the detector's limit under the log's settings. Raises KeyError as `sweep` does."""
    return single_rule(log.settings, detector).threshold


def limits_around(now: int, highest: "pd.DataFrame", count: int = 20) -> list[int]:
    """Return limits worth trying: from a quarter of today's to the highest peak, evenly spread.

    Even on a logarithmic scale, each once, today's among them, at most ten times today's.
    """
    top = min(max(highest["peak"].max() if len(highest) else now, 2 * now), 10 * now)
    return limits_between(max(2, now // 4), top, count, now)


def suggest(swept: "pd.DataFrame", now: int, budget_a_day: float = 0.0) -> int | None:
    """Return a limit that keeps to a budget; None if none does.

    With labels the budget is of false alarms, and the limit has the best recall that there is
    within it. Of several it is today's, unless that lies at the edge of them: else the one in the
    middle, as far as can be from both the traffic and the attacks that were seen. Without labels
    the budget is of incidents, and the limit the lowest.
    """
    known = swept.astype(object).where(swept.notna(), None)
    names = [field.name for field in fields(Swept) if field.name in known]
    rows = [Swept(**row) for row in known[names].to_dict("records")]
    return proposal(rows, now, budget_a_day)


def settings_lines(detector: str, threshold: int) -> str:
    """Return the lines of a settings file that set a detector's limit."""
    return f"[detectors.{detector}]\nthreshold = {threshold}\n"


_ABOUT: Final = ("detector", "entity", "threshold", "window")


def _about(rule: Rule) -> dict[str, object]:
    values = rule.name, rule.entity_type, rule.threshold, duration(rule.window)
    return dict(zip(_ABOUT, values, strict=True))


def _catalogue(log: LabelledLog) -> Catalogue:
    return catalogue_of(log.settings)


def _truth(log: LabelledLog) -> Truth:
    return Truth(log.episodes, complete=log.is_labelled)


def _counts(log: LabelledLog, rule: Rule, thresholds: Iterable[int]) -> Mapping[str, RuleCounts]:
    """Count a rule over the log for some limits, and all above them."""
    kernel = CountingKernel(counted_for(rule, thresholds).values())
    for events in log.events.iter_slices(_SLICE):
        kernel.process(events, None)
    kernel.finish()
    return kernel.counts()


def _highest(rule: Rule, counts: Mapping[str, RuleCounts], threshold: int) -> dict[str, Finding]:
    """Return the highest finding of each entity with a limit."""
    limited = with_limit(rule, threshold)
    return _by_entity(judged(limited, counts[shape_of(limited)]))


def _row_of(figures: Swept) -> dict[str, float | int]:
    """Return figures as a row of a frame, NaN where nothing is known."""
    given = figures.to_dict()
    return {name: float("nan") if value is None else value for name, value in given.items()}


def _findings(log: LabelledLog, catalogue: Catalogue) -> list[Finding]:
    """Return the final findings; they do not depend on how the events are cut."""
    kernel = RuleKernel(catalogue, prompt=False)
    found: list[Finding] = []
    for events in log.events.iter_slices(_SLICE):
        found = merge_runs(found, kernel.process(events, None))
    return merge_runs(found, kernel.finish())


#: The columns of `peaks`.
_ROW: Final = ("entity", "peak", "first", "last", "label", "name")


def _row(log: LabelledLog, finding: Finding) -> dict[str, object]:
    episode = _episode(log.episodes, finding)
    values = (
        finding.entity,
        finding.value,
        finding.first,
        finding.last,
        _label(episode, finding.detector),
        "" if episode is None else episode.name,
    )
    return dict(zip(_ROW, values, strict=True))


def _by_entity(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the highest finding of each entity."""
    highest: dict[str, Finding] = {}
    for finding in findings:
        known = highest.get(finding.entity)
        if known is None or finding.value > known.value:
            highest[finding.entity] = finding
    return highest


def _label(episode: Episode | None, detector: str) -> str:
    if episode is None:
        return "unknown"
    other = episode.attack and episode.detectors and detector not in episode.detectors
    return "other attack" if other else episode.kind


def _episode(episodes: Iterable[Episode], finding: Finding) -> Episode | None:
    """Return what is known about a finding, attacks first."""
    entity = finding.entity_type, finding.entity
    about = [
        episode
        for episode in episodes
        if (entity in episode.entities or (entity[0] == "client" and entity[1] in episode.members))
        and overlaps(episode, finding.first, finding.last, finding.window)
    ]
    return min(about, key=lambda episode: not episode.attack, default=None)
