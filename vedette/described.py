"""Rules and other detectors as the API describes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from api.detectors import DetectorAnswer
from api.rules import CompiledRule, RuleAnswer
from detectors.catalogue import BUILT_IN_RULES, Catalogue
from detectors.detector import Detector
from detectors.documents import Document
from detectors.overrides import RuleOverride
from detectors.panes import SECOND_US
from detectors.registry import active_detectors
from detectors.rules import Rule
from ingest.masking import printable
from vedette.rule_files import Accepted


def described(
    catalogue: Catalogue, overrides: Mapping[str, RuleOverride]
) -> tuple[DetectorAnswer, ...]:
    """Return what is watched for. Raises DetectorSettingsError."""
    rules = (_answer("rule", rule) for rule in catalogue.rules)
    others = (_answer("detector", each) for each in active_detectors(overrides).values())
    return (*rules, *others)


def described_rules(
    catalogue: Catalogue, overrides: Mapping[str, RuleOverride], folders: Sequence[Path] = ()
) -> tuple[RuleAnswer, ...]:
    """Return every rule as it is written, and how it is compiled if it fires by itself.

    `folders` are those of the user's own rules; files are named below them.
    """
    firing = {rule.name: rule for rule in catalogue.rules}
    answers = []
    for document in catalogue.documents:
        rule = firing.get(document.name)
        override = overrides.get(document.name, RuleOverride())
        answers.append(_rule(document, rule, override, folders))
    return tuple(answers)


def _rule(
    document: Document, rule: Rule | None, override: RuleOverride, folders: Sequence[Path]
) -> RuleAnswer:
    origin, file = _place(document.file, folders)
    parsed = document.parsed
    return RuleAnswer(
        name=document.name,
        id=None if parsed.id is None else str(parsed.id),
        title=printable(str(parsed.title)),
        type=Accepted(document, rule).kind,
        origin=origin,
        file=printable(file),
        line=document.line,
        enabled=override.enabled,
        fires=rule is not None,
        written=document.text,
        placeholders=dict(document.placeholders),
        compiled=None if rule is None else _compiled(rule, override),
    )


def _place(file: Path, folders: Sequence[Path]) -> tuple[Literal["built-in", "own"], str]:
    """Return where a file of rules is, without where that is on this machine."""
    if file.is_relative_to(BUILT_IN_RULES):
        return "built-in", file.relative_to(BUILT_IN_RULES).as_posix()
    below = (file.relative_to(each) for each in folders if file.is_relative_to(each))
    return "own", next(below, Path(file.name)).as_posix()


def _compiled(rule: Rule, override: RuleOverride) -> CompiledRule:
    return CompiledRule(
        measure=rule.measure,
        comparison=rule.comparison,
        threshold=rule.threshold,
        unit=rule.unit,
        entity_type=rule.entity_type,
        window_seconds=rule.window.total_seconds(),
        pane_seconds=rule.panes.length / SECOND_US,
        at_once=rule.on_open_panes,
        level=rule.level.label,
        mode=rule.mode,
        exceptions=len(override.exceptions),
        tiers=tuple(tier.name for tier in rule.tiers),
    )


def _answer(kind: str, entry: Rule | Detector) -> DetectorAnswer:
    return DetectorAnswer(
        name=entry.name,
        kind=kind,
        id=entry.id,
        title=entry.title,
        description=entry.description,
        level=entry.level.label,
        mode=entry.mode,
        entity_type=entry.entity_type,
        threshold=entry.threshold,
        unit=entry.unit,
        window_seconds=entry.window.total_seconds(),
        tags=entry.tags,
        falsepositives=entry.falsepositives,
        runbook=entry.runbook,
    )
