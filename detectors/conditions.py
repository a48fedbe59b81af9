"""Sigma conditions as Polars expressions.

Every expression is Boolean without nulls: a missing field matches nothing but `null`, `exists:
false`, and the signs by which a log says that there is nothing ("" and "-"), so that `not` means
what the author of the rule meant. Text is compared without regard to case, as Sigma says, unless
the rule says `cased`. Paths and queries are compared as logged and decoded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

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
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from detectors.addresses import in_network
from detectors.fields import KEYWORD_FIELDS, Field, field
from detectors.patterns import (
    Place,
    UnsupportedConditionError,
    has_any,
    matches_pattern,
    matches_regex,
    regex_of,
    wildcards,
)

__all__ = ["Leaf", "UnsupportedConditionError", "compile_condition", "expanded"]

#: What has a value to compare with, not other conditions.
Leaf = ConditionFieldEqualsValueExpression | ConditionValueExpression

#: What access logs write where there is nothing; the events have null then.
_NOTHING: Final = frozenset({"", "-"})

_COMPARISONS: Final = {
    SigmaCompareExpression.CompareOperators.LT: pl.Expr.lt,
    SigmaCompareExpression.CompareOperators.LTE: pl.Expr.le,
    SigmaCompareExpression.CompareOperators.GT: pl.Expr.gt,
    SigmaCompareExpression.CompareOperators.GTE: pl.Expr.ge,
}

_TIME_PARTS: Final[dict[TimestampPart, Callable[[pl.Expr], pl.Expr]]] = {
    TimestampPart.MINUTE: lambda time: time.dt.minute(),
    TimestampPart.HOUR: lambda time: time.dt.hour(),
    TimestampPart.DAY: lambda time: time.dt.day(),
    TimestampPart.WEEK: lambda time: time.dt.week(),
    TimestampPart.MONTH: lambda time: time.dt.month(),
    TimestampPart.YEAR: lambda time: time.dt.year(),
}


def compile_condition(node: object) -> pl.Expr:
    """Return the Boolean expression of a parsed Sigma condition.

    It is over BATCH_SCHEMA, and sees the columns of DECODED_SCHEMA where a frame has them. Raises
    UnsupportedConditionError or UnknownFieldError, with a reason for the author of the rule.
    """
    match node:
        case ConditionAND():
            return pl.all_horizontal([compile_condition(part) for part in node.args])
        case ConditionOR():
            return _any_of(node.args)
        case ConditionNOT():
            return compile_condition(node.args[0]).not_()
    alternatives = expanded(node)
    if len(alternatives) > 1:
        return _any_of(alternatives)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _equals(field(node.field), node.value)
    return _keyword(alternatives[0].value)


def expanded(node: object) -> list[Leaf]:
    """Return the values that a leaf stands for; several where a modifier made them of one.

    Raises UnsupportedConditionError for what is no leaf.
    """
    if not isinstance(node, Leaf):
        raise UnsupportedConditionError(f"the form {type(node).__name__} is not supported")
    if not isinstance(node.value, SigmaExpansion):
        return [node]
    if isinstance(node, ConditionValueExpression):
        return [ConditionValueExpression(value) for value in node.value.values]
    return [ConditionFieldEqualsValueExpression(node.field, v) for v in node.value.values]


def _any_of(parts: Sequence[object]) -> pl.Expr:
    """Compile an OR; plain texts at the same place of one field share one pass."""
    lists: dict[tuple[str | None, Place], list[str]] = defaultdict(list)
    regexes: dict[str, list[str]] = defaultdict(list)
    expressions: list[pl.Expr] = []
    for part in parts:
        entry = _entry(part)
        if entry is not None:
            name, place, word = entry
            lists[name, place].append(word)
        elif isinstance(part, ConditionFieldEqualsValueExpression) and isinstance(
            part.value, SigmaRegularExpression
        ):
            regexes[part.field].append(regex_of(part.value))
        elif (pattern := _pattern(part)) is not None:
            regexes[pattern[0]].append(pattern[1])
        else:
            expressions.append(compile_condition(part))
    for about, patterns in regexes.items():
        expressions.append(_some(matches_regex(text, patterns) for text in field(about).texts))
    for (name, place), words in lists.items():
        readings = _keyword_readings(words) if name is None else field(name).texts
        expressions.append(_some(has_any(text, place, words) for text in readings))
    return pl.any_horizontal(expressions)


def _pattern(part: object) -> tuple[str, str] | None:
    """Return field and regular expression if the part is a text pattern with inner wildcards."""
    if not isinstance(part, ConditionFieldEqualsValueExpression):
        return None
    value = part.value
    if not isinstance(value, SigmaString) or field(part.field).kind != "text":
        return None
    inner = value.s[1:-1]
    special = any(isinstance(piece, SpecialChars) for piece in inner)
    return (part.field, wildcards(value)) if special else None


def _entry(part: object) -> tuple[str | None, Place, str] | None:
    """Return field, place and text if the part is a plain text at some place of a text field.

    A keyword has no field.
    """
    if not isinstance(part, Leaf) or type(part.value) is not SigmaString:
        return None
    name = part.field if isinstance(part, ConditionFieldEqualsValueExpression) else None
    if name is not None and field(name).kind != "text":
        return None
    found: tuple[Place, str] | None = None
    match [None if piece is SpecialChars.WILDCARD_MULTI else piece for piece in part.value.s]:
        case [str(text)] if name is None:
            found = "within", text
        case [str(text)] if text not in _NOTHING:
            found = "whole", text
        case [None, str(text), None]:
            found = "within", text
        case [str(text), None] if name is not None:
            found = "start", text
        case [None, str(text)] if name is not None:
            found = "end", text
    return None if found is None else (name, *found)


def _some(matches: Iterable[pl.Expr]) -> pl.Expr:
    """Whether one reading of a text matches; each may stand for several columns."""
    return pl.any_horizontal(list(matches))


def _keyword(value: object) -> pl.Expr:
    """A keyword is looked for anywhere in the text of an event."""
    if isinstance(value, SigmaRegularExpression):
        return _some(matches_regex(text, [regex_of(value)]) for text in _keyword_readings(None))
    if isinstance(value, SigmaNumber):
        value = SigmaString(str(value))
    if not isinstance(value, SigmaString):
        raise UnsupportedConditionError(
            f"a keyword of type {type(value).__name__} is not supported; text and numbers are"
        )
    anywhere = SpecialChars.WILDCARD_MULTI + value + SpecialChars.WILDCARD_MULTI
    if isinstance(value, SigmaCasedString):
        anywhere = SigmaCasedString.from_sigma_string(anywhere)
    words = [piece for piece in value.s if isinstance(piece, str)]
    return _some(
        matches_pattern(text, anywhere)
        for text in _keyword_readings(words if len(words) == len(value.s) else None)
    )


def _keyword_readings(words: Sequence[str] | None) -> list[pl.Expr]:
    """Return the texts that keywords are looked for in; for plain words path and query apart.

    A word without a question mark cannot lie in both, and putting them together takes time.
    """
    names: list[str] = list(KEYWORD_FIELDS)
    if words is not None and not any("?" in word for word in words):
        names = ["path", "query", *names[1:]]
    return [text for name in names for text in field(name).texts]


def _equals(target: Field, value: object) -> pl.Expr:
    match value:
        case SigmaNull():
            found = target.expr.is_null()
        case SigmaExists():
            found = target.expr.is_null().eq(not value.exists)
        case SigmaCIDRExpression():
            found = in_network(target.expr.cast(pl.String()), value.network)
        case SigmaRegularExpression():
            found = _some(matches_regex(text, [regex_of(value)]) for text in target.texts)
        case SigmaFieldReference():
            found = _refers(target, value)
        case SigmaCompareExpression():
            found = _compared(target, value)
        case SigmaTimestampPart():
            found = _part_of_time(target, value).eq(value.number).fill_null(value=False)
        case SigmaNumber() | SigmaBool() | SigmaString():
            found = _literal(target, value)
        case _:
            kind = type(value).__name__
            raise UnsupportedConditionError(f"{target.name}: {kind} is not supported")
    return found


def _refers(target: Field, value: SigmaFieldReference) -> pl.Expr:
    """Compare two fields of an event, without regard to case."""
    other = field(value.field)
    whole = not (value.starts_with or value.ends_with)
    if whole and target.kind == other.kind != "text":
        return target.expr.eq(other.expr).fill_null(value=False)
    sought = other.expr.cast(pl.String()).str.to_lowercase()
    return _some(_relation(text.str.to_lowercase(), sought, value) for text in target.texts)


def _relation(text: pl.Expr, sought: pl.Expr, value: SigmaFieldReference) -> pl.Expr:
    match value.starts_with, value.ends_with:
        case True, True:
            found = text.str.contains(sought, literal=True)
        case True, False:
            found = text.str.starts_with(sought)
        case False, True:
            found = text.str.ends_with(sought)
        case _:
            found = text.eq(sought)
    return found.fill_null(value=False)


def _compared(target: Field, value: SigmaCompareExpression) -> pl.Expr:
    compare = _COMPARISONS.get(value.op)
    if compare is None:
        raise UnsupportedConditionError(f"{target.name}: {value.op.name} is not supported")
    if isinstance(value.number, SigmaTimestampPart):
        number = _part_of_time(target, value.number)
    elif target.kind == "number":
        number = target.expr
    else:
        raise UnsupportedConditionError(f"{target.name}: this comparison needs a number field")
    return compare(number, value.number.number).fill_null(value=False)


def _part_of_time(target: Field, value: SigmaTimestampPart) -> pl.Expr:
    if target.kind != "time":
        unit = value.timestamp_part.name.lower()
        raise UnsupportedConditionError(f"{target.name}: only timestamp has a {unit} (in UTC)")
    return _TIME_PARTS[value.timestamp_part](target.expr).cast(pl.Int64())


def _literal(target: Field, value: SigmaNumber | SigmaBool | SigmaString) -> pl.Expr:
    if target.kind == "time":
        raise UnsupportedConditionError(
            f"{target.name}: a time can be compared by its parts only: minute, hour, day, week..."
        )
    if isinstance(value, SigmaNumber) and target.kind == "number":
        return target.expr.eq(value.number).fill_null(value=False)
    pattern = value if isinstance(value, SigmaString) else SigmaString(str(value))
    found = _some(matches_pattern(text, pattern) for text in target.texts)
    return found | target.expr.is_null() if _says_nothing(pattern) else found


def _says_nothing(pattern: SigmaString) -> bool:
    return not pattern.s or (len(pattern.s) == 1 and pattern.s[0] in _NOTHING)
