"""Sigma's text patterns and regular expressions as Polars expressions over one text.

Every expression is Boolean without nulls; a missing text matches nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final, Literal

import polars as pl
from sigma.types import SigmaCasedString, SigmaRegularExpression, SigmaString, SpecialChars

#: Characters of a regular expression, and of one that a message shows. What it is compiled to is
#: bounded by Rust's engine: 10 MB.
PATTERN_LIMIT: Final = 10_000
_SHOWN: Final = 120

#: Where in a text a word has to be.
Place = Literal["start", "within", "end", "whole"]


class UnsupportedConditionError(ValueError):
    """A rule uses a form that cannot be honoured."""


def has_any(expr: pl.Expr, place: Place, words: Sequence[str]) -> pl.Expr:
    """Whether the text has one of the words at the place: one pass, whatever their number.

    Raises UnsupportedConditionError for more than Rust's engine takes.
    """
    if place == "within":
        return _contains(expr, words)
    if place == "whole":
        found = expr.str.to_lowercase().is_in([word.lower() for word in words])
        return found.fill_null(value=False)
    either = "|".join(pl.escape_regex(word) for word in words)
    pattern = f"(?i)^(?:{either})" if place == "start" else f"(?i)(?:{either})$"
    _check(pattern)
    return expr.str.contains(pattern).fill_null(value=False)


def _contains(expr: pl.Expr, words: Sequence[str]) -> pl.Expr:
    if all(word.isascii() for word in words):
        found = expr.str.contains_any(list(words), ascii_case_insensitive=True)
    else:
        found = expr.str.to_lowercase().str.contains_any([word.lower() for word in words])
    return found.fill_null(value=False)


def matches_pattern(expr: pl.Expr, value: SigmaString) -> pl.Expr:
    """Compile a text pattern, by the cheapest operation that says the same.

    Raises UnsupportedConditionError for more than Rust's engine takes.
    """
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
            _check(pattern := wildcards(value))
            found = expr.str.contains(pattern)
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
        if len(pattern) > PATTERN_LIMIT:
            raise UnsupportedConditionError(
                f"the regular expression {_shown(pattern)} has {len(pattern):,} characters; the"
                f" most is {PATTERN_LIMIT:,}"
            )
        _check(pattern)
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    _check(joined)
    return expr.str.contains(joined).fill_null(value=False)


@cache
def _check(pattern: str) -> None:
    """Raise UnsupportedConditionError for what Rust's engine refuses, also for its size."""
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        raise UnsupportedConditionError(
            f"the regular expression {_shown(pattern)} does not run in linear time, is too large"
            f" or is not valid: {_said(str(error))}"
        ) from error


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}…")


def _said(text: str) -> str:
    """Return the line of Rust's message that tells the reason."""
    lines = [line.strip() for line in text.splitlines()]
    told = [line for line in lines if line.startswith("error: ") or "size limit" in line]
    return (told or lines)[0].removeprefix("error: ")[:_SHOWN]
