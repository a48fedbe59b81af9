"""What of an event each rule needs: worked out from its conditions and from what it counts.

A column that no event has is null everywhere. A rule is blind if it can count nothing then: if
its conditions cannot hold, if there is nobody to count for, or nothing to count.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Final

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import SigmaFieldReference

from detectors.conditions import compile_condition, expanded
from detectors.fields import DERIVED, KEYWORD_FIELDS, column, field
from detectors.learned.needs import AT_THE_EDGE, NEEDS
from detectors.rules import Rule
from detectors.series import Part, Series, Source
from ingest.events import EVENT_SCHEMA

#: Stands for events that are seen where clients arrive, as if it were a column.
EDGE: Final = "edge"

#: A value of each kind that every field can be worked out from.
_SOME: Final = {pl.String(): "/a/1.b", pl.Int64(): 1}

_Missing = frozenset[str]


def is_blind(rule: Rule, missing: Collection[str]) -> bool:
    """Whether a rule can find nothing where some columns (or EDGE) are null in every event."""
    gone = frozenset(missing)
    if not _counts(rule, gone):
        return True
    needed = [] if rule.matches is None else [rule.matches]
    if rule.outlier is not None:  # who cannot be compared with anybody is never odd
        needed += [rule.outlier.everything, rule.outlier.peers]
    return not all(_any_source(series, gone) for series in needed)


def is_blind_learned(detector: str, missing: Collection[str]) -> bool:
    """Whether a detector that is no rule can find nothing where some columns are null."""
    if detector in AT_THE_EDGE and EDGE in missing:
        return True
    return any(all(name in missing for name in group) for group in NEEDS.get(detector, ()))


def narrowed_by(rule: Rule, missing: Collection[str]) -> list[str]:
    """Return those of some columns that hold part of what a rule looks for.

    It sees the rest of it without them: an attack that stands in the query, but not in the path.
    """
    parts = [source.part for source in rule.series.sources]
    return [
        name
        for name in sorted(missing)
        if any(_narrows(each, name) for part in parts for each in _conditions(part))
    ]


def columns_of(rule: Rule) -> frozenset[str]:
    """Return every column (and EDGE) that a rule looks at, for whatever."""
    found: set[str] = set()
    for series in rule.every_series():
        found |= _columns(series)
    return frozenset(found)


def columns_of_learned(detector: str) -> frozenset[str]:
    """Return the columns (and EDGE) that a detector that is no rule cannot do without."""
    own = {EDGE} if detector in AT_THE_EDGE else set()
    return frozenset(own.union(*NEEDS.get(detector, ())))


def lessened(rule: Rule, missing: Collection[str]) -> list[str]:
    """Say what a rule that is not blind does worse where some columns are null."""
    gone = frozenset(missing)
    told = []
    if rule.shared_address is not None and "user_agent" in gone:
        told.append("people behind one address are not told apart: limits do not grow for them")
    if rule.raised is not None and not _any_source(rule.raised.series, gone):
        told.append(f"its level is never raised to {rule.raised.level.label}")
    if rule.share is not None and not _any_source(rule.share.of, gone):
        told.append("the share that it must be is not checked")
    groups = sorted({name for source in rule.series.sources for name in source.keys[1:]} & gone)
    if groups:
        told.append(f"all are counted together, not by {' and '.join(groups)}")
    silent = [s.part.name for s in rule.series.sources if not _source(rule.series, s, gone)]
    if silent and len(rule.series.sources) > len(silent):
        told.append(f"{', '.join(dict.fromkeys(silent))} cannot match")
    return told


def _counts(rule: Rule, missing: _Missing) -> bool:
    """Whether a rule's own series can reach its limit."""
    sources = rule.series.sources
    able = sum(_source(rule.series, source, missing) for source in sources)
    if rule.measure == "in_order":
        return able == len(sources)
    if rule.measure == "all_of":
        return able >= rule.threshold
    return able > 0


def _any_source(series: Series, missing: _Missing) -> bool:
    return any(_source(series, source, missing) for source in series.sources)


def _source(series: Series, source: Source, missing: _Missing) -> bool:
    """Whether a source of a series can have a match that counts."""
    if series.edge and EDGE in missing:
        return False
    wanted = [] if series.watches_all else list(source.keys[:1])
    if not series.values_optional:
        wanted += series.values
    if series.weight is not None:
        wanted.append(series.weight)
    return not any(_is_null(name, missing) for name in wanted) and can_match(source.part, missing)


def can_match(part: Part, missing: Collection[str]) -> bool:
    """Whether a part can accept an event in which some columns are null.

    What a condition says of other columns is taken as possible, each by itself.
    """
    gone = frozenset(missing)
    if part.both is not None:
        return all(can_match(each, gone) for each in part.both)
    also = part.also
    if also is not None and gone & set(also.meta.root_names()) and not _true(also, gone):
        return False
    if not part.conditions:
        return not gone & set(part.expr.meta.root_names()) or _true(part.expr, gone)
    return any(_possible(each, gone)[0] for each in part.conditions)


def _possible(node: object, missing: _Missing) -> tuple[bool, bool]:
    """Return whether a condition can hold, and whether it can fail."""
    match node:
        case ConditionAND():
            both = [_possible(part, missing) for part in node.args]
            return all(can for can, _ in both), any(fail for _, fail in both)
        case ConditionOR():
            both = [_possible(part, missing) for part in node.args]
            return any(can for can, _ in both), all(fail for _, fail in both)
        case ConditionNOT():
            can, fail = _possible(node.args[0], missing)
            return fail, can
    if not _decided(node, missing):
        return True, True
    holds = _true(compile_condition(node), missing)
    return holds, not holds


def _conditions(part: Part) -> Iterable[object]:
    for each in part.both or ():
        yield from _conditions(each)
    if part.both is None:
        yield from part.conditions


def _narrows(node: object, name: str) -> bool:
    """Whether one of several ways in which a condition can hold is gone without a column."""
    match node:
        case ConditionAND():
            return any(_narrows(part, name) for part in node.args)
        case ConditionOR():
            gone = frozenset({name})
            return any(not _possible(part, gone)[0] or _narrows(part, name) for part in node.args)
        case ConditionNOT():  # what a rule leaves out is left out no more: it sees more, not less
            return False
    gone = frozenset({name})
    return name in set(_of_condition(node)) and not _decided(node, gone) and _several(node)


def _several(node: object) -> bool:
    """Whether a leaf looks at several columns."""
    return len(set(_of_condition(node))) > 1


def _decided(node: object, missing: _Missing) -> bool:
    """Whether all that a leaf compares is missing, so that it always says the same."""
    leaves = expanded(node)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        names = [node.field]
        others = [leaf.value for leaf in leaves]
        refers = [each.field for each in others if isinstance(each, SigmaFieldReference)]
        return any(_is_null(name, missing) for name in (*names, *refers))
    return all(_is_null(name, missing) for name in KEYWORD_FIELDS)


@cache
def _is_null(name: str, missing: _Missing) -> bool:
    """Whether a field has no value in any event, if these columns have none."""
    found = field(name).expr
    if not missing & set(found.meta.root_names()):
        return False
    return bool(_event(missing).select(found.is_null().alias("null")).item())


def _true(expression: pl.Expr, missing: _Missing) -> bool:
    return bool(_event(missing).select(expression.fill_null(value=False).alias("true")).item())


@cache
def _event(missing: _Missing) -> pl.DataFrame:
    """Return one event that has everything but these columns."""
    time = datetime(2026, 1, 1, tzinfo=UTC)
    some = {
        name: None if name in missing else _SOME.get(t, time) for name, t in EVENT_SCHEMA.items()
    }
    return pl.DataFrame([some], schema=EVENT_SCHEMA)


def _columns(series: Series) -> set[str]:
    found = {EDGE} if series.edge else set()
    for source in series.sources:
        found |= set(
            _roots([*source.keys, *series.values, *([series.weight] if series.weight else [])])
        )
        found |= set(_of_part(source.part))
    return found & {*EVENT_SCHEMA, EDGE}


def _roots(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if name in DERIVED or name not in EVENT_SCHEMA:
            yield from field(name).expr.meta.root_names()
        else:
            yield column(name)


def _of_part(part: Part) -> Iterable[str]:
    """Yield the columns that a part looks at."""
    for each in part.both or ():
        yield from _of_part(each)
    if part.also is not None:
        yield from part.also.meta.root_names()
    if not part.conditions and part.both is None:
        yield from part.expr.meta.root_names()
    for condition in part.conditions:
        yield from _of_condition(condition)


def _of_condition(node: object) -> Iterable[str]:
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        for part in node.args:
            yield from _of_condition(part)
        return
    names: tuple[str, ...] = KEYWORD_FIELDS
    if isinstance(node, ConditionFieldEqualsValueExpression):
        refers = [leaf.value for leaf in expanded(node)]
        names = (node.field, *(v.field for v in refers if isinstance(v, SigmaFieldReference)))
    for name in names:
        yield from field(name).expr.meta.root_names()
