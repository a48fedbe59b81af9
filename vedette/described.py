"""Rules and other detectors as the API describes them."""

from collections.abc import Mapping

from api.detectors import DetectorAnswer
from detectors.catalogue import Catalogue
from detectors.detector import Detector
from detectors.overrides import RuleOverride
from detectors.registry import active_detectors
from detectors.rules import Rule


def described(
    catalogue: Catalogue, overrides: Mapping[str, RuleOverride]
) -> tuple[DetectorAnswer, ...]:
    """Return what is watched for. Raises DetectorSettingsError."""
    rules = (_answer("rule", rule) for rule in catalogue.rules)
    others = (_answer("detector", each) for each in active_detectors(overrides).values())
    return (*rules, *others)


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
