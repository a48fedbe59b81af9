"""vedette rules: list what is active, check rules of one's own, run the tests beside them."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from alerts.incidents.summary import duration
from detectors.catalogue import BUILT_IN_RULES
from detectors.documents import Document, RuleError, examine
from detectors.registry import active_detectors
from ingest.masking import printable
from vedette.failures import FAILED, reports_failures
from vedette.rule_files import Accepted, examine_files, rule_files
from vedette.rule_tests import Outcome, cases_beside, run_tests
from vedette.rules import catalogue_of
from vedette.screen import note, severity, terminal
from vedette.settings import Settings, load_settings


@reports_failures
def check(paths: Sequence[Path], config: Path | None, *, as_json: bool) -> int:
    """Print which rules are accepted, and why others are not; return the status."""
    files = rule_files(paths)
    found = examine_files(files, _placeholders(load_settings(config)))
    if as_json:
        _print_json([*map(_accepted, found.accepted), *map(_refused, found.refused)])
    else:
        if found.accepted:
            terminal().print(_rules_table(found.accepted))
        _tell_refused(found.refused)
        note(terminal(), f"{len(found.accepted)} accepted, {len(found.refused)} refused.")
    if not (found.accepted or found.refused):
        what = "the files have no rules in them" if files else "no files of rules (.yml or .yaml)"
        note(terminal(stderr=True), f"vedette: {what}: {printable(', '.join(map(str, paths)))}")
    return 0 if found.accepted and not found.refused else FAILED


@reports_failures
def test(paths: Sequence[Path], config: Path | None, *, as_json: bool) -> int:
    """Run the tests beside rules, print how they came out; return the status."""
    files = rule_files(paths)
    found = examine_files(files, _placeholders(load_settings(config)))
    problems = list(found.refused)
    outcomes: list[Outcome] = []
    for file in files:
        tests = cases_beside(file)
        own = [rule.document for rule in found.accepted if rule.document.file == file]
        if tests is not None and own:
            problems += _ran(tests, own, found.documents, outcomes)
    if as_json:
        _print_json([*map(_outcome, outcomes), *map(_refused, problems)])
    else:
        if outcomes:
            terminal().print(_outcomes_table(outcomes))
        _tell_refused(problems)
        passed = sum(outcome.passed for outcome in outcomes)
        note(terminal(), f"{passed} of {len(outcomes)} tests passed.")
    if not outcomes and not problems:
        note(terminal(stderr=True), "vedette: no tests there: NAME.tests.yml beside NAME.yml")
        return FAILED
    return FAILED if problems or not all(outcome.passed for outcome in outcomes) else 0


@reports_failures
def show(config: Path | None, *, as_json: bool) -> int:
    """Print the rules that are active, as the settings change them."""
    settings = load_settings(config)
    catalogue = catalogue_of(settings)
    active_detectors(settings.detectors)  # what else the settings say must be right, too
    files = rule_files([BUILT_IN_RULES, *settings.rules.folders])
    places = {
        document.name: document
        for file in files
        for document in examine(file, _placeholders(settings))
        if isinstance(document, Document)
    }
    if as_json:
        _print_json(
            {
                **_accepted(Accepted(places[rule.name], rule)),
                "mode": rule.mode,
                "title": rule.title,
                "tags": rule.tags,
            }
            for rule in catalogue.rules
        )
    else:
        terminal().print(_rules_table(Accepted(places[r.name], r) for r in catalogue.rules))
    return 0


def _placeholders(settings: Settings) -> Mapping[str, Sequence[str]]:
    return settings.rules.placeholders


def _ran(
    tests: Path, own: Sequence[Document], known: Sequence[Document], outcomes: list[Outcome]
) -> list[RuleError]:
    """Add how the tests of a file came out; return what kept the rest from being run."""
    try:
        outcomes.extend(run_tests(tests, own, known))
    except RuleError as error:
        return [error]
    return []


def _rules_table(rules: Iterable[Accepted]) -> Table:
    table = Table(header_style="bold")
    for column in ("rule", "type", "watches", "limit", "level", "file"):
        table.add_column(column, overflow="fold")
    for accepted in rules:
        document, rule = accepted.document, accepted.rule
        limit = f"{rule.threshold} in {duration(rule.window)}" if rule else ""
        if accepted.kind == "plain":
            limit = "each match" if rule else "only as part of others"
        if rule and rule.mode == "monitor":
            limit += " (monitor)"
        table.add_row(
            Text(printable(document.name)),
            accepted.kind,
            rule.entity_type if rule else "",
            limit,
            severity(rule.level.label) if rule else "",
            Text(printable(f"{document.file}:{document.line}")),
        )
    return table


def _outcomes_table(outcomes: Iterable[Outcome]) -> Table:
    table = Table(header_style="bold")
    for column in ("", "rule", "test", "expected", "found", "file"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        table.add_row(
            Text("passed", "green") if outcome.passed else Text("FAILED", "bold red"),
            Text(printable(outcome.rule)),
            Text(printable(outcome.case)),
            outcome.expected,
            outcome.found,
            Text(printable(f"{outcome.file}:{outcome.line}")),
        )
    return table


def _tell_refused(refused: Iterable[RuleError]) -> None:
    for error in refused:
        note(terminal(stderr=True), f"vedette: {printable(str(error))}")


def _print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def _accepted(accepted: Accepted) -> dict[str, Any]:
    document, rule = accepted.document, accepted.rule
    return {
        "file": str(document.file),
        "line": document.line,
        "rule": document.name,
        "accepted": True,
        "type": accepted.kind,
        "fires": rule is not None,
        "entity_type": rule.entity_type if rule else None,
        "limit": rule.threshold if rule else None,
        "window_seconds": rule.window.total_seconds() if rule else None,
        "level": rule.level.label if rule else None,
    }


def _refused(error: RuleError) -> dict[str, Any]:
    return {
        "file": str(error.file),
        "line": error.line,
        "accepted": False,
        "reason": error.reason,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": str(outcome.file),
        "line": outcome.line,
        "rule": outcome.rule,
        "test": outcome.case,
        "expected": outcome.expected,
        "found": outcome.found,
        "passed": outcome.passed,
    }
