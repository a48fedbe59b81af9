"""Rules of one's own in a notebook: written, checked, tested, and held against a log.

pandas is imported when it is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from detectors.documents import RuleError
from detectors.single import Single
from ingest.evidence import evidence_columns
from vedette.rule_files import examine_files, rule_files
from vedette.rule_tests import cases_beside, run_tests
from vedette.rules import catalogue_of
from vedette.tuning.labelled import LabelledLog

if TYPE_CHECKING:
    import pandas as pd


def write_rule(folder: str | Path, name: str, rule: str, tests: str = "") -> Path:
    """Write a file of Sigma rules, and the tests beside it; return the folder, made if need be."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.yml").write_text(rule, encoding="utf-8")
    if tests:
        (place / f"{name}.tests.yml").write_text(tests, encoding="utf-8")
    return place


def checked(folder: Path) -> "pd.DataFrame":
    """Return what `vedette rules check` says: columns rule, line, accepted, reason."""
    import pandas as pd

    found = examine_files(rule_files([folder]))
    rows: list[dict[str, Any]] = [
        {"rule": each.document.name, "line": each.document.line, "accepted": True, "reason": ""}
        for each in found.accepted
    ]
    rows += [
        {"rule": "", "line": error.line, "accepted": False, "reason": error.reason}
        for error in found.refused
    ]
    return pd.DataFrame(rows)


def tested(folder: Path) -> "pd.DataFrame":
    """Return how the tests beside the rules come out: columns test, expected, found, passed.

    A test that cannot be run is a row, too, with the reason as what was found.
    """
    import pandas as pd

    files = rule_files([folder])
    found = examine_files(files)
    rows: list[dict[str, Any]] = []
    for file in files:
        tests = cases_beside(file)
        own = [each.document for each in found.accepted if each.document.file == file]
        if tests is None:
            continue
        try:
            rows += [
                {"test": o.case, "expected": o.expected, "found": o.found, "passed": o.passed}
                for o in run_tests(tests, own, found.documents)
            ]
        except RuleError as error:
            rows.append({"test": "", "expected": "", "found": error.reason, "passed": False})
    return pd.DataFrame(rows)


def with_rules(
    log: LabelledLog, folder: Path, finds: Mapping[str, Sequence[str]] | None = None
) -> LabelledLog:
    """Return the log with the rules of a folder beside the built-in ones.

    `finds` says which attacks of a simulated log, by their scenarios, a rule must find.
    """
    wanted = dict(finds or {})
    rules = log.settings.rules
    settings = log.settings.model_copy(
        update={"rules": rules.model_copy(update={"folders": (*rules.folders, folder)})}
    )
    episodes = tuple(
        replace(each, detectors=(*(r for r, names in wanted.items() if each.name in names),
                                 *each.detectors))
        for each in log.episodes
    )  # fmt: skip
    return replace(log, settings=settings, episodes=episodes)


def why_not(log: LabelledLog, rule: str, sample: int = 2_000) -> "pd.DataFrame":
    """Return why events of the log are not counted by a rule, the most frequent reason first.

    Columns: events (of a sample, evenly taken), why, such_as (one of them, masked). Those that are
    counted are the row "counts". Raises KeyError for a rule that is not there.
    """
    import pandas as pd

    single = Single([catalogue_of(log.settings).rule(rule)])
    step = max(1, log.events.height // sample)
    some = log.events.gather_every(step)
    alike = some.unique(["method", "path", "status"], keep="first", maintain_order=True)
    counts = some.group_by("method", "path", "status").len("events")
    alike = alike.join(counts, on=["method", "path", "status"], nulls_equal=True, how="left")
    told: dict[str, list[int]] = {}
    for number in range(alike.height):
        (judged,) = single.judge(alike[number : number + 1].drop("events"))
        why = "counts" if judged.verdict == "counts" else judged.why
        told.setdefault(why, []).append(number)
    texts = evidence_columns(alike)["text"]
    rows = [
        {
            "events": int(alike["events"].gather(pl.Series(numbers)).sum()),
            "why": why,
            "such_as": texts[numbers[0]],
        }
        for why, numbers in told.items()
    ]
    return pd.DataFrame(rows).sort_values("events", ascending=False, ignore_index=True)
