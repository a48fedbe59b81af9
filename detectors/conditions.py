"""Sigma conditions as Polars expressions.

Every expression is Boolean without nulls: a missing field matches nothing but `null`, so that
`not` means what the author of the rule meant. Text is compared without regard to case, as Sigma
says, unless the rule says `cased`.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from typing import Final, Literal

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from detectors.addresses import in_network
from detectors.fields import KEYWORD_COLUMNS, Field, field

_Place = Literal["start", "within", "end"]

_COMPARISONS: Final = {
    SigmaCompareExpression.CompareOperators.LT: pl.Expr.lt,
    SigmaCompareExpression.CompareOperators.LTE: pl.Expr.le,
    SigmaCompareExpression.CompareOperators.GT: pl.Expr.gt,
    SigmaCompareExpression.CompareOperators.GTE: pl.Expr.ge,
}


class UnsupportedConditionError(ValueError):
    """A rule uses a form that cannot be honoured."""


def compile_condition(node: object) -> pl.Expr:
    """Return the Boolean expression of a parsed Sigma condition over BATCH_SCHEMA.

    Raises UnsupportedConditionError or UnknownFieldError, with a reason for the author of the rule.
    """
    match node:
        case ConditionAND():
            return reduce(pl.Expr.and_, (compile_condition(part) for part in node.args))
        case ConditionOR():
            return _any_of(node.args)
        case ConditionNOT():
            return compile_condition(node.args[0]).not_()
        case ConditionFieldEqualsValueExpression():
            return _equals(field(node.field), node.value)
        case ConditionValueExpression():
            return _keyword(node.value)
    raise UnsupportedConditionError(f"the condition form {type(node).__name__} is not supported")


def _any_of(parts: Sequence[object]) -> pl.Expr:
    """Compile an OR; plain texts at the same place of one field share one pass."""
    lists: dict[tuple[str, _Place], list[str]] = defaultdict(list)
    expressions: list[pl.Expr] = []
    for part in parts:
        entry = _entry(part)
        if entry is None:
            expressions.append(compile_condition(part))
        else:
            name, place, word = entry
            lists[name, place].append(word)
    for (name, place), words in lists.items():
        expressions.append(_has_any(field(name).expr, place, words))
    return reduce(pl.Expr.or_, expressions)


def _entry(part: object) -> tuple[str, _Place, str] | None:
    """Return field, place and text if the part is a plain text at some place of a text field."""
    if not isinstance(part, ConditionFieldEqualsValueExpression):
        return None
    if type(part.value) is not SigmaString or field(part.field).kind != "text":
        return None
    match [None if piece is SpecialChars.WILDCARD_MULTI else piece for piece in part.value.s]:
        case [None, str(text), None]:
            return part.field, "within", text
        case [str(text), None]:
            return part.field, "start", text
        case [None, str(text)]:
            return part.field, "end", text
    return None


def _has_any(expr: pl.Expr, place: _Place, words: Sequence[str]) -> pl.Expr:
    """Whether the text has one of the words at the place: one pass, whatever their number."""
    if place == "within":
        return _contains(expr, words)
    either = "|".join(pl.escape_regex(word) for word in words)
    pattern = f"(?i)^(?:{either})" if place == "start" else f"(?i)(?:{either})$"
    return expr.str.contains(pattern).fill_null(value=False)


def _contains(expr: pl.Expr, words: Sequence[str]) -> pl.Expr:
    if all(word.isascii() for word in words):
        found = expr.str.contains_any(list(words), ascii_case_insensitive=True)
    else:
        found = expr.str.to_lowercase().str.contains_any([word.lower() for word in words])
    return found.fill_null(value=False)


def _keyword(value: object) -> pl.Expr:
    """A keyword is looked for anywhere in the text columns of an event."""
    if isinstance(value, SigmaRegularExpression):
        return pl.any_horizontal(_regex(pl.col(name), value) for name in KEYWORD_COLUMNS)
    if isinstance(value, SigmaNumber):
        value = SigmaString(str(value))
    if not isinstance(value, SigmaString):
        raise UnsupportedConditionError(
            f"a keyword of type {type(value).__name__} is not supported"
        )
    anywhere = SigmaString("*") + value + SigmaString("*")
    return pl.any_horizontal(_text(pl.col(name), anywhere) for name in KEYWORD_COLUMNS)


def _equals(target: Field, value: object) -> pl.Expr:
    match value:
        case SigmaNull():
            return target.expr.is_null()
        case SigmaExists():
            return target.expr.is_null().eq(not value.exists)
        case SigmaCIDRExpression():
            return in_network(target.expr, value.network)
        case SigmaRegularExpression():
            return _regex(_as_text(target), value)
        case SigmaCompareExpression():
            return _compared(target, value)
        case SigmaNumber() | SigmaBool() | SigmaString():
            return _literal(target, value)
    raise UnsupportedConditionError(f"{target.name}: {type(value).__name__} is not supported")


def _compared(target: Field, value: SigmaCompareExpression) -> pl.Expr:
    compare = _COMPARISONS.get(value.op)
    if compare is None or target.kind != "number":
        raise UnsupportedConditionError(f"{target.name}: this comparison needs a number field")
    return compare(target.expr, value.number.number).fill_null(value=False)


def _literal(target: Field, value: SigmaNumber | SigmaBool | SigmaString) -> pl.Expr:
    if isinstance(value, SigmaNumber) and target.kind == "number":
        return target.expr.eq(value.number).fill_null(value=False)
    pattern = value if isinstance(value, SigmaString) else SigmaString(str(value))
    return _text(_as_text(target), pattern)


def _as_text(target: Field) -> pl.Expr:
    return target.expr if target.kind == "text" else target.expr.cast(pl.String)


def _text(expr: pl.Expr, value: SigmaString) -> pl.Expr:
    """Compile a text pattern, by the cheapest operation that says the same."""
    cased = isinstance(value, SigmaCasedString)
    fold = str if cased else str.lower
    folded = expr if cased else expr.str.to_lowercase()
    match [None if part is SpecialChars.WILDCARD_MULTI else part for part in value.s]:
        case []:
            found = expr.eq("")
        case [None]:
            found = expr.is_not_null()
        case [str(text)]:
            found = folded.eq(fold(text))
        case [str(text), None]:
            found = folded.str.starts_with(fold(text))
        case [None, str(text)]:
            found = folded.str.ends_with(fold(text))
        case [None, str(text), None]:
            found = expr.str.contains(text, literal=True) if cased else _contains(expr, [text])
        case _:
            found = expr.str.contains(_wildcards(value, cased=cased))
    return found.fill_null(value=False)


def _wildcards(value: SigmaString, *, cased: bool) -> str:
    """Return the anchored Rust regular expression of a pattern with wildcards."""
    parts: list[str] = []
    for part in value.s:
        if part is SpecialChars.WILDCARD_MULTI:
            parts.append(".*")
        elif part is SpecialChars.WILDCARD_SINGLE:
            parts.append(".")
        elif isinstance(part, str):
            parts.append(pl.escape_regex(part))
        else:
            raise UnsupportedConditionError(f"the placeholder {part} has no value")
    return f"(?s{'' if cased else 'i'})^{''.join(parts)}$"


def _regex(expr: pl.Expr, value: SigmaRegularExpression) -> pl.Expr:
    """Compile a regular expression; Rust's engine is linear in time and has no look-around."""
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = f"(?{flags}){value.regexp}" if flags else str(value.regexp)
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        raise UnsupportedConditionError(
            f"the regular expression {pattern!r} does not run in linear time or is not valid: "
            f"{str(error).splitlines()[-1]}"
        ) from error
    return expr.str.contains(pattern).fill_null(value=False)
