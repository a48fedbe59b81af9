"""Sigma's text patterns and regular expressions as Polars expressions over one text.

Every expression is Boolean without nulls; a missing text matches nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import Literal

import polars as pl
from sigma.types import SigmaCasedString, SigmaRegularExpression, SigmaString, SpecialChars

#: Where in a text a word has to be.
Place = Literal["start", "within", "end", "whole"]


class UnsupportedConditionError(ValueError):
    """A rule uses a form that cannot be honoured."""


def has_any(expr: pl.Expr, place: Place, words: Sequence[str]) -> pl.Expr:
    """Whether the text has one of the words at the place: one pass, whatever their number."""
    if place == "within":
        return _contains(expr, words)
    if place == "whole":
        found = expr.str.to_lowercase().is_in([word.lower() for word in words])
        return found.fill_null(value=False)
    either = "|".join(pl.escape_regex(word) for word in words)
    pattern = f"(?i)^(?:{either})" if place == "start" else f"(?i)(?:{either})$"
    return expr.str.contains(pattern).fill_null(value=False)


def _contains(expr: pl.Expr, words: Sequence[str]) -> pl.Expr:
    if all(word.isascii() for word in words):
        found = expr.str.contains_any(list(words), ascii_case_insensitive=True)
    else:
        found = expr.str.to_lowercase().str.contains_any([word.lower() for word in words])
    return found.fill_null(value=False)


def matches_pattern(expr: pl.Expr, value: SigmaString) -> pl.Expr:
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
            found = expr.str.contains(wildcards(value))
    return found.fill_null(value=False)


def wildcards(value: SigmaString) -> str:
    """Return the Rust regular expression of a pattern with wildcards, to be searched for."""
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
    parts = parts[1:] if parts[0] == ".*" else ["^", *parts]
    parts = parts[:-1] if parts[-1] == ".*" else [*parts, "$"]
    case = "" if isinstance(value, SigmaCasedString) else "i"
    return f"(?s{case}){''.join(parts)}"


def regex_of(value: SigmaRegularExpression) -> str:
    """Return a regular expression with its flags, as Rust's engine takes it."""
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return f"(?{flags}){value.regexp}" if flags else str(value.regexp)


def matches_regex(expr: pl.Expr, patterns: Sequence[str]) -> pl.Expr:
    """Compile regular expressions of which one must match, as one: a single pass over the text.

    Rust's engine is linear in time and has no look-around. Raises UnsupportedConditionError.
    """
    for pattern in patterns:
        _check(pattern)
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return expr.str.contains(joined).fill_null(value=False)


@cache
def _check(pattern: str) -> None:
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        raise UnsupportedConditionError(
            f"the regular expression {pattern!r} does not run in linear time or is not valid: "
            f"{str(error).splitlines()[-1]}"
        ) from error
