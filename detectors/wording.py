"""Why a condition does not hold for an event, in words.

Whether a part of a condition holds is asked of the very expressions that rules are compiled to, so
that what is said here and what is found cannot part.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import (
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from detectors.conditions import Leaf, compile_condition, expanded
from detectors.fields import SIGMA_FIELDS
from detectors.series import Part

#: Values of a list that are told; of more only how many there are.
SHOWN: Final = 5

#: Characters of a value that are told.
_LENGTH: Final = 60

#: Columns whose values are told where they are not what is asked for: they hold no secret.
_TOLD: Final = frozenset({"method", "status", "protocol", "scheme"})

_COMPARED: Final = {
    SigmaCompareExpression.CompareOperators.LT: ("is below", "is not below"),
    SigmaCompareExpression.CompareOperators.LTE: ("is at most", "is above"),
    SigmaCompareExpression.CompareOperators.GT: ("is above", "is at most"),
    SigmaCompareExpression.CompareOperators.GTE: ("is at least", "is below"),
}


_MISSING: Final = ("is missing", "is there", "")
_THERE: Final = ("is there", "is missing", "")


class _Said(NamedTuple):
    """A leaf in words: its field, the verb where it holds and where it does not, and the value."""

    name: str
    holds: str
    fails: str
    value: str


def why_not(part: Part, event: pl.DataFrame) -> str | None:
    """Return the first part of a rule's condition that an event does not meet; None if it matches.

    `event` is one row of BATCH_SCHEMA with the columns of DECODED_SCHEMA. "path does not end with
    /login"; texts of the event are not told, but for methods, protocols and numbers.
    """
    if part.both is not None:
        return next((why for each in part.both if (why := why_not(each, event))), None)
    if _holds(part.expr, event):
        return None
    reasons = [why for each in part.conditions if (why := _unmet(each, event))]
    if len(reasons) < len(part.conditions):
        return f"{part.name.rpartition(' and ')[2]} does not hold"
    return "; nor: ".join(reasons) if reasons else "the condition does not hold"


def _holds(expression: pl.Expr, event: pl.DataFrame) -> bool:
    return bool(event.select(expression.alias("holds")).item())


def _unmet(node: object, event: pl.DataFrame) -> str | None:
    """Return why a condition does not hold for an event, None if it does."""
    if _holds(compile_condition(node), event):
        return None
    match node:
        case ConditionAND():
            return next(why for part in node.args if (why := _unmet(part, event)))
        case ConditionOR():
            return _none_of(node.args, event)
        case ConditionNOT():
            return f"{_met(node.args[0], event)}, which the rule leaves out"
    return _none_of([node], event)


def _met(node: object, event: pl.DataFrame) -> str:
    """Return why a condition holds for an event."""
    match node:
        case ConditionAND():
            return " and ".join(_met(part, event) for part in node.args)
        case ConditionOR():
            first = next(p for p in node.args if _holds(compile_condition(p), event))
            return _met(first, event)
        case ConditionNOT():
            return _unmet(node.args[0], event) or ""
    leaf = next(e for e in expanded(node) if _holds(compile_condition(e), event))
    said = _said(leaf)
    return f"{said.name} {said.holds} {said.value}".rstrip()


def _none_of(nodes: Iterable[object], event: pl.DataFrame) -> str:
    """Return why none of several conditions holds; values of one field as a list."""
    leaves: list[_Said] = []
    others: list[str] = []
    for node in nodes:
        if isinstance(node, ConditionOR):
            leaves += [
                _said(leaf)
                for each in node.args
                if isinstance(each, Leaf)
                for leaf in expanded(each)
            ]
            others += [_unmet(e, event) or "" for e in node.args if not isinstance(e, Leaf)]
        elif isinstance(node, Leaf):
            leaves += [_said(leaf) for leaf in expanded(node)]
        else:
            others.append(_unmet(node, event) or "")
    alike = groupby(sorted(leaves, key=_alike), key=_alike)
    told = [_failing(list(theirs), event) for _, theirs in alike]
    return ", and ".join(dict.fromkeys([*told, *others]))


def _alike(said: _Said) -> tuple[str, str]:
    return said.name, said.fails


def _failing(leaves: Sequence[_Said], event: pl.DataFrame) -> str:
    """Return what one field is not; of a field that is missing, that."""
    said = leaves[0]
    present = (
        said.name == "text" or said.name not in event.columns or event[said.name][0] is not None
    )
    if not present and said.holds != "is missing":
        return f"there is no {said.name}"
    values = list(dict.fromkeys(leaf.value for leaf in leaves))
    seen = f" (it is {event[said.name][0]})" if said.name in _TOLD and present else ""
    if len(values) == 1:
        return f"{said.name} {said.fails} {values[0]}".rstrip() + seen
    rest = f", ... ({len(values)} in all)" if len(values) > SHOWN else ""
    return f"{said.name} {said.fails} any of {', '.join(values[:SHOWN])}{rest}{seen}"


def _said(leaf: Leaf) -> _Said:
    name, named = "text", False
    if isinstance(leaf, ConditionFieldEqualsValueExpression):
        name, named = SIGMA_FIELDS.get(leaf.field, leaf.field), True
    holds, fails, value = _verbs(leaf.value, named=named)
    return _Said(name, holds, fails, _short(value))


def _verbs(value: object, *, named: bool) -> tuple[str, str, str]:
    """Return how a value is compared, in words: where it holds, where not, and the value."""
    told = ("is", "is not", str(value)) if named else ("contains", "does not contain", str(value))
    match value:
        case SigmaNull():
            told = _MISSING
        case SigmaExists():
            told = _THERE if value.exists else _MISSING
        case SigmaCIDRExpression():
            told = "is in", "is not in", str(value.cidr)
        case SigmaRegularExpression():
            told = "matches", "does not match", f"/{value.regexp}/"
        case SigmaFieldReference():
            told = "is like", "is not like", SIGMA_FIELDS.get(value.field, value.field)
        case SigmaCompareExpression():
            told = (*_COMPARED[value.op], _number(value.number))
        case SigmaTimestampPart():
            told = "is in", "is not in", _number(value)
        case SigmaString():
            told = _of_text(value, named=named)
    return told


def _number(value: SigmaTimestampPart | SigmaNumber) -> str:
    if isinstance(value, SigmaTimestampPart):
        return f"{value.timestamp_part.name.lower()} {value.number}"
    return str(value.number)


def _of_text(value: SigmaString, *, named: bool) -> tuple[str, str, str]:
    told = "looks like", "does not look like", str(value)
    match [None if piece is SpecialChars.WILDCARD_MULTI else piece for piece in value.s]:
        case [] | ["-"]:
            told = _MISSING
        case [None]:
            told = _THERE
        case [str(text)] if named:
            told = "is", "is not", _quoted(text)
        case [str(text)] | [None, str(text), None]:
            told = "contains", "does not contain", _quoted(text)
        case [str(text), None] if named:
            told = "starts with", "does not start with", _quoted(text)
        case [None, str(text)] if named:
            told = "ends with", "does not end with", _quoted(text)
    return told


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text or "," in text else text


def _short(value: str) -> str:
    return value if len(value) <= _LENGTH else f"{value[:_LENGTH]}..."
