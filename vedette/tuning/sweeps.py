"""What detectors find in a log, how near others come, and what other limits would find."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from alerts.incidents import components
from alerts.summary import duration
from detectors.catalogue import Catalogue
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from detectors.overrides import RuleOverride
from detectors.rules import Rule
from vedette.evaluation.episodes import Episode
from vedette.evaluation.matching import Alarm, Matched, match, overlaps
from vedette.evaluation.report import report
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
        figures = _figures(log, rule.name, mine)
        if mine or figures["attacks"]:
            rows.append(_about(rule) | figures)
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

    rows = []
    for threshold in sorted(set(thresholds)):
        findings = _findings(log, _only(log, detector, threshold))
        rows.append({"threshold": threshold, **_figures(log, detector, findings)})
    return pd.DataFrame(rows)


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
    highest = _by_entity(_findings(log, _only(log, detector, lowest)))
    rows = [_row(log, finding) for finding in highest.values()]
    frame = pd.DataFrame(rows, columns=list(_ROW))
    return frame.sort_values(["peak", "entity"], ascending=[False, True], ignore_index=True)


def compare(log: LabelledLog, detector: str, now: int, proposed: int) -> "pd.DataFrame":
    """Return what a change of the limit would gain and lose: a row each entity, the first first.

    Columns: change (gained, lost) and the columns of `peaks`, of the
    limit that reports it.
    """
    import pandas as pd

    before = _by_entity(_findings(log, _only(log, detector, now)))
    after = _by_entity(_findings(log, _only(log, detector, proposed)))
    changes = [("lost", before[entity]) for entity in before.keys() - after.keys()]
    changes += [("gained", after[entity]) for entity in after.keys() - before.keys()]
    rows = [
        {"change": change, **_row(log, finding)}
        for change, finding in sorted(changes, key=lambda c: (c[1].first, c[1].entity))
    ]
    return pd.DataFrame(rows, columns=["change", *_ROW])


def limit_of(log: LabelledLog, detector: str) -> int:
    """Return the detector's limit under the log's settings. Raises KeyError as `sweep` does."""
    return _only(log, detector, None).rules[0].threshold


def limits_around(now: int, highest: "pd.DataFrame", count: int = 20) -> list[int]:
    """Return limits worth trying: from a quarter of today's to the highest peak, evenly spread.

    Even on a logarithmic scale, each once, today's among them, at most ten times today's.
    """
    top = min(max(highest["peak"].max() if len(highest) else now, 2 * now), 10 * now)
    low = max(2, now // 4)
    steps = [low * (top / low) ** (place / (count - 1)) for place in range(count)]
    return sorted({now, *(round(step) for step in steps)})


def suggest(swept: "pd.DataFrame", now: int, budget_a_day: float = 0.0) -> int | None:
    """Return a limit that keeps to a budget; None if none does.

    With labels the budget is of false alarms, and the limit has the best recall that there is
    within it. Of several it is today's, unless that lies at the edge of them: else the one in the
    middle, as far as can be from both the traffic and the attacks that were seen. Without labels
    the budget is of incidents, and the limit the lowest.
    """
    labelled = bool(swept["recall"].notna().any())
    counted = swept["false_alarms_a_day" if labelled else "incidents_a_day"]
    within = swept[counted <= budget_a_day]
    if within.empty:
        return None
    if not labelled:
        return int(within["threshold"].min())
    best = sorted(within[within["recall"] == within["recall"].max()]["threshold"].tolist())
    return now if now in best[1:-1] else int(best[len(best) // 2])


def settings_lines(detector: str, threshold: int) -> str:
    """Return the lines of a settings file that set a detector's limit."""
    return f"[detectors.{detector}]\nthreshold = {threshold}\n"


_ABOUT: Final = ("detector", "entity", "threshold", "window")


def _about(rule: Rule) -> dict[str, object]:
    values = rule.name, rule.entity_type, rule.threshold, duration(rule.window)
    return dict(zip(_ABOUT, values, strict=True))


def _catalogue(log: LabelledLog) -> Catalogue:
    return catalogue_of(log.settings)


def _only(log: LabelledLog, detector: str, threshold: int | None) -> Catalogue:
    """Return the catalogue of one rule, switched on, with another limit if one is given."""
    overrides = dict(log.settings.detectors)
    theirs = overrides.get(detector, RuleOverride())
    changes = {"enabled": True, "mode": "alert"}
    given = theirs.model_dump(exclude_unset=True) | changes
    if threshold is not None:
        given["threshold"] = threshold
    overrides[detector] = RuleOverride.model_validate(given)
    try:
        catalogue = catalogue_of(log.settings, overrides)
        return replace(catalogue, rules=(catalogue.rule(detector),))
    except (StopIteration, ValueError) as error:
        raise KeyError(f"no rule is called {detector!r} ({error})") from error


def _findings(log: LabelledLog, catalogue: Catalogue) -> list[Finding]:
    """Return the final findings; they do not depend on how the events are cut."""
    kernel = RuleKernel(catalogue, prompt=False)
    found: list[Finding] = []
    for events in log.events.iter_slices(_SLICE):
        found = merge_runs(found, kernel.process(events, None))
    return merge_runs(found, kernel.finish())


def _figures(
    log: LabelledLog, detector: str, findings: Sequence[Finding]
) -> dict[str, float | int]:
    """Return the figures of one detector's findings by themselves."""
    nothing = float("nan")
    matched = _matched(log, findings)
    figures = report(matched)
    attacks = [a for a in matched.attacks if a.expected in {detector, None}]
    found = sum(detector in attack.by for attack in attacks)
    known = log.is_labelled
    return {
        "incidents": figures.incidents,
        "incidents_a_day": nothing if figures.incidents_a_day is None else figures.incidents_a_day,
        "false_alarms": figures.false_alarms if known else nothing,
        "false_alarms_a_day": (
            figures.false_alarms_a_day
            if known and figures.false_alarms_a_day is not None
            else nothing
        ),
        "precision": figures.precision if known and figures.precision is not None else nothing,
        "attacks": len(attacks),
        "found": found,
        "recall": found / len(attacks) if attacks else nothing,
    }


def _matched(log: LabelledLog, findings: Sequence[Finding]) -> Matched:
    return match(log.episodes, _alarms(findings), findings, log.days)


def _alarms(findings: Iterable[Finding]) -> Iterator[Alarm]:
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
