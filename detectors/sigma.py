"""Sigma rules compiled for the kernel: selections become expressions, correlations counts."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import reduce
from typing import Any, Final

import polars as pl
from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)
from sigma.correlations import SigmaCorrelationConditionOperator as Operator
from sigma.rule import SigmaRule

from detectors.conditions import UnsupportedConditionError, compile_condition
from detectors.documents import Document
from detectors.fields import ENTITY_TYPES, UnknownFieldError, column
from detectors.findings import EntityType, Level
from detectors.overrides import RuleOverride
from detectors.panes import Panes
from detectors.rules import Rule, SharedAddress

#: A plain rule that fires by itself makes one finding of matches no further apart than this.
SINGLE_EVENT_WINDOW: Final = timedelta(minutes=1)
WEB_CATEGORIES: Final = frozenset({"webserver", "proxy"})


def compile_rules(
    documents: Iterable[Document], overrides: Mapping[str, RuleOverride]
) -> list[Rule]:
    """Return the detectors that the documents describe, changed by the overrides, by name.

    A plain rule that a correlation refers to does not fire by itself unless the correlation says
    `generate: true`. Raises RuleError for a rule that cannot be honoured.
    """
    written = list(documents)
    _refuse_twins(written)
    plain = {name: d for d in written if isinstance(d.parsed, SigmaRule) for name in d.names}
    silent: set[int] = set()
    rules: list[Rule] = []
    for document in written:
        if isinstance(document.parsed, SigmaCorrelationRule):
            parts = _referred(document, document.parsed, plain)
            if not document.parsed.generate:
                silent.update(id(part) for part in parts)
            rules.append(_correlation(document, document.parsed, parts, overrides))
    rules += [
        _single(document, overrides)
        for document in written
        if isinstance(document.parsed, SigmaRule) and id(document) not in silent
    ]
    return sorted(rules, key=lambda rule: rule.name)


def _refuse_twins(documents: Iterable[Document]) -> None:
    """Refuse two rules of one name: settings and findings could not tell them apart."""
    seen: dict[str, Document] = {}
    for document in documents:
        twin = seen.setdefault(document.name, document)
        if twin is not document:
            raise document.refuse(f"the name {document.name!r} is taken by {twin.file}:{twin.line}")


def _referred(
    document: Document, rule: SigmaCorrelationRule, plain: Mapping[str, Document]
) -> list[Document]:
    references = [str(reference.reference) for reference in rule.rules or ()]
    missing = [name for name in references if name not in plain]
    if missing or not references:
        raise document.refuse(f"refers to {', '.join(missing) or 'no rule'}: not among the rules")
    return [plain[name] for name in references]


def _selection(document: Document) -> pl.Expr:
    rule = document.parsed
    if not isinstance(rule, SigmaRule):
        raise document.refuse("a correlation of correlations is not supported")
    if rule.logsource.category not in WEB_CATEGORIES:
        raise document.refuse("logsource category must be webserver or proxy")
    try:
        parts = [compile_condition(c.parsed) for c in rule.detection.parsed_condition]
    except (UnsupportedConditionError, UnknownFieldError) as error:
        raise document.refuse(str(error)) from error
    return reduce(pl.Expr.or_, parts)


def _correlation(
    document: Document,
    rule: SigmaCorrelationRule,
    parts: list[Document],
    overrides: Mapping[str, RuleOverride],
) -> Rule:
    if rule.type not in {SigmaCorrelationType.EVENT_COUNT, SigmaCorrelationType.VALUE_COUNT}:
        raise document.refuse(f"correlation type {rule.type.name.lower()} is not supported yet")
    if rule.aliases.aliases:
        raise document.refuse("correlation aliases are not supported yet")
    return _rule(
        document,
        overrides,
        selection=reduce(pl.Expr.or_, (_selection(part) for part in parts)),
        written=[part.data for part in parts],
        group_by=tuple(rule.group_by or ()),
        value=_counted_field(document, rule),
        threshold=_threshold(document, rule.condition),
        window=timedelta(seconds=rule.timespan.seconds),
        windowless=False,
    )


def _counted_field(document: Document, rule: SigmaCorrelationRule) -> str | None:
    """Return the field whose distinct values are counted; None where events are."""
    if rule.type is SigmaCorrelationType.EVENT_COUNT:
        return None
    name = getattr(rule.condition, "fieldref", None)
    if not isinstance(name, str):
        raise document.refuse("value_count takes one field to count")
    return name


def _threshold(document: Document, condition: object) -> int:
    """Return the least count that violates; only >= and > cannot be undone by more events."""
    if isinstance(condition, SigmaCorrelationCondition) and condition.op is Operator.GTE:
        return int(condition.count)
    if isinstance(condition, SigmaCorrelationCondition) and condition.op is Operator.GT:
        return int(condition.count) + 1
    raise document.refuse("a count is compared with gte or gt; other comparisons are not supported")


def _single(document: Document, overrides: Mapping[str, RuleOverride]) -> Rule:
    return _rule(
        document,
        overrides,
        selection=_selection(document),
        written=[],
        group_by=("c-ip",),
        value=None,
        threshold=1,
        window=SINGLE_EVENT_WINDOW,
        windowless=True,
    )


def _rule(
    document: Document,
    overrides: Mapping[str, RuleOverride],
    *,
    selection: pl.Expr,
    written: list[Mapping[str, Any]],
    group_by: tuple[str, ...],
    value: str | None,
    threshold: int,
    window: timedelta,
    windowless: bool,
) -> Rule:
    parsed = document.parsed
    keys = document.keys()
    name = document.name
    if keys.shared_address is not None and value is not None:
        raise document.refuse("vedette.shared_address: only counts of events can scale")
    override = overrides.get(name, RuleOverride())
    try:
        Panes.of(window)
        entity_type, entity, group = _entity(group_by)
        counted = None if value is None else column(value)
    except ValueError as error:
        raise document.refuse(str(error)) from error
    for exception in override.exceptions:
        selection = selection & ~exception.expression()
    level = override.level or (parsed.level.name.lower() if parsed.level else "medium")
    return Rule(
        name=name,
        id=str(parsed.id or ""),
        title=str(parsed.title),
        description=str(parsed.description or "").strip(),
        level=Level[level.upper()],
        tags=tuple(sorted(str(tag) for tag in parsed.tags)),
        falsepositives=tuple(str(text) for text in parsed.falsepositives or ()),
        unit=keys.unit or ("distinct values" if value else "matching requests"),
        selection=selection,
        entity_type=entity_type,
        entity=entity,
        group=group,
        value=counted,
        threshold=override.threshold or threshold,
        window=window,
        windowless=windowless,
        shared_address=None
        if keys.shared_address is None
        else SharedAddress(keys.shared_address.agents, keys.shared_address.cap),
        mode=override.mode,
        runbook=keys.runbook,
        signature=_signature(document.data, written, override),
    )


def _entity(group_by: tuple[str, ...]) -> tuple[EntityType, str | None, tuple[str, ...]]:
    """Return the entity that a rule watches, and what else keeps its counts apart."""
    columns = [column(name) for name in group_by]
    watched = next((name for name in columns if name in ENTITY_TYPES), None)
    if watched is None:
        return "all", None, tuple(columns)
    return ENTITY_TYPES[watched], watched, tuple(c for c in columns if c != watched)


def _signature(
    data: Mapping[str, Any], written: list[Mapping[str, Any]], override: RuleOverride
) -> str:
    """Return a hash of all that decides what this rule finds."""
    text = json.dumps([dict(data), [dict(part) for part in written]], sort_keys=True, default=str)
    return hashlib.sha256((text + override.model_dump_json()).encode()).hexdigest()[:16]
