"""Every detector: rules, and those that are no rules, as they are without settings of anybody."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from alerts.incidents.summary import duration
from detectors.catalogue import BUILT_IN_RULES, load_catalogue
from detectors.detector import Detector
from detectors.findings import Level
from detectors.registry import DETECTORS
from detectors.rules import Rule
from docs.website.reference.tables import code, plain, table

_TOP: Final = """# Every detector

{count} detectors, as they are until [settings](../settings.md#detectors) change them; the most
severe first. What they watch in words, group by group, is in the
[catalogue](../detectors.md#catalogue).
"""


@cache
def detectors() -> tuple[Rule | Detector, ...]:
    """Return all of them, by level and name."""
    found: list[Rule | Detector] = [*load_catalogue().rules, *DETECTORS]
    return tuple(sorted(found, key=lambda each: (-Level(each.level).value, each.name)))


@cache
def rule_files() -> dict[str, str]:
    """Return the text of each rule's file by the name of the rule."""
    return {file.stem: file.read_text(encoding="utf-8") for file in BUILT_IN_RULES.rglob("*.yml")}


def detectors_page() -> str:
    """Return the page."""
    heads = ("detector", "finds", "level", "entity", "limit", "in", "tags")
    return _TOP.format(count=len(detectors())) + "\n" + table(heads, map(_row, detectors()))


def limit(detector: Rule | Detector) -> str:
    """Return what it counts, and the limit."""
    return f"{detector.threshold:,} {detector.unit}"


def tags(detector: Rule | Detector) -> str:
    """Return its tags as code."""
    return " ".join(map(code, detector.tags))


def window(detector: Rule | Detector) -> str:
    """Return the time that it counts over; nothing where it counts over none."""
    return duration(detector.window) if detector.window else ""


def _row(detector: Rule | Detector) -> Sequence[str]:
    return (
        f"[{code(detector.name)}](../runbooks/{detector.name}.md)",
        plain(detector.title),
        detector.level.label,
        detector.entity_type,
        plain(limit(detector)),
        window(detector),
        tags(detector),
    )
