"""Which rules can match which events at all, found in one pass over the text of a batch.

Most rules look for texts that hardly any event has. What a condition cannot match without is
known when it is read; an Aho-Corasick automaton per column finds the events that have it.
"""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import (
    SigmaBool,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
)

from detectors.conditions import Leaf, expanded
from detectors.fields import KEYWORD_FIELDS, Field, field
from detectors.literals import required_literals
from detectors.patterns import regex_of
from detectors.texts import COLUMNS, Texts


class Need(NamedTuple):
    """A text (ASCII, lower case) in a column, whatever the case; `whole`: all of its text."""

    column: str
    literal: str
    whole: bool


#: Every event that matches meets at least one of these.
Screen = frozenset[Need]

#: Shorter texts are in too many events to look for which rules they may match.
SHORTEST: Final = 3

#: Texts that nearly all traffic has are the last to be looked for.
_ORDINARY: Final = (
    "mozilla/5.0 (windows nt 10.0; win64; x64; compatible; linux; android; iphone; macintosh) "
    "applewebkit/537.36 (khtml, like gecko) chrome/126.0.0.0 mobile safari/537.36 firefox "
    "https://www. http:// /api/v1/ /api/v2/ .html .php .aspx .jsp /index /login get post "
    "&page= ?id= &id= "
)
_USUAL_SIGNS: Final = frozenset("/.-_=&?%:,+{}0123456789abcdefghijklmnopqrstuvwxyz")
_FEW_VALUES: Final = frozenset({"method", "scheme", "protocol", "service", "environment"})

#: Signs that count as ASCII letters where case does not matter: K, long s, and I with a dot.
_FOLDED: Final = {"\u212a": "k", "\u017f": "\u017f", "\u0130": "i\u0307"}


def needs(node: object, shortest: int = SHORTEST) -> Screen | None:
    """Return what an event must have for the condition to match; None if there is no such thing.

    The condition must be one that compile_condition takes. No text is shorter than `shortest`.
    """
    match node:
        case ConditionAND():
            known = [screen for part in node.args if (screen := needs(part, shortest))]
            return max(known, key=_weight, default=None)
        case ConditionOR():
            return either(needs(part, shortest) for part in node.args)
        case ConditionNOT():
            return None
    return either(_of_leaf(leaf, shortest) for leaf in expanded(node))


def either(screens: Iterable[Screen | None]) -> Screen | None:
    """Return what an event must have for one of several to match."""
    known = list(screens)
    united = [screen for screen in known if screen]
    return frozenset(chain.from_iterable(united)) if len(united) == len(known) and known else None


def _weight(screen: Screen) -> float:
    """Return how few events a screen lets through, by its most common text."""
    return min(map(_rarity, screen))


def _rarity(need: Need) -> float:
    if need.whole:
        return len(need.literal) + 2.5  # an ordinary word is rarely all of a text
    return 1 if need.literal in _ORDINARY else len(need.literal)


def _of_leaf(leaf: Leaf, shortest: int) -> Screen | None:
    named = (leaf.field,) if isinstance(leaf, ConditionFieldEqualsValueExpression) else ()
    names = named or KEYWORD_FIELDS
    found = (_of_value(field(name), leaf.value, anywhere=not named) for name in names)
    return either(screen if _shortest(screen) >= shortest else None for screen in found)


def _shortest(screen: Screen | None) -> int:
    """Return the length of the shortest part that is looked for, 0 for what is everywhere."""
    if any(_common(need) for need in screen or ()):
        return 0
    return min((len(need.literal) for need in screen or () if not need.whole), default=SHORTEST)


def _common(need: Need) -> bool:
    """Whether so many events have it that looking for it spares nothing."""
    return need.column in _FEW_VALUES or (need.literal in _USUAL_SIGNS and not need.whole)


def _of_value(target: Field, value: object, *, anywhere: bool) -> Screen | None:
    """Return what the text of a field must have; `anywhere`: the value need not be all of it."""
    if not target.within or target.kind != "text":
        return None
    if isinstance(value, SigmaNumber | SigmaBool):
        value = SigmaString(str(value))
    if isinstance(value, SigmaRegularExpression):
        return _within(target, required_literals(regex_of(value)))
    if not isinstance(value, SigmaString):
        return None
    texts = [part for part in value.s if isinstance(part, str)]
    if len(texts) == len(value.s) == 1 and target.whole and not anywhere and texts[0].isascii():
        nothing = texts[0] in {"", "-"}  # what is missing has no text
        needed = (Need(column, texts[0].lower(), whole=True) for column in target.within)
        return None if nothing else frozenset(needed)
    runs = [run.lower() for text in texts for run in re.findall(r"[\x00-\x7f]+", text)]
    return _within(target, [max(runs, key=len)] if runs else None)


def _within(target: Field, literals: Iterable[str] | None) -> Screen | None:
    """Return that one of the texts is in one of the columns that hold the field's text.

    A question mark may be the one between path and query, which is in no column.
    """
    if not literals:
        return None
    found = set(literals)
    if not target.whole:
        found = {max(literal.split("?"), key=len) for literal in found}
    if "" in found:
        return None
    return frozenset(Need(name, text, whole=False) for name in target.within for text in found)


class Signs:
    """Short texts of many rules, looked for together without telling which was found."""

    def __init__(self, screens: Iterable[Screen]) -> None:
        sought: dict[str, set[str]] = {}
        for column, literal, _ in chain.from_iterable(screens):
            base = column.removesuffix("_decoded")
            sought.setdefault(base, set(_FOLDED)).add(literal)
        self._columns = {name: _has_any(name, literals) for name, literals in sought.items()}

    @property
    def there(self) -> pl.Expr:
        """Whether an event has one of the texts."""
        return pl.any_horizontal(self._columns.values())

    def candidates(self, events: pl.DataFrame, texts: Texts) -> pl.Series:
        """Return the rows (UInt32, in order) that have one of the texts.

        `texts` are those of the events.
        """
        there = pl.Series([False]).new_from_index(0, events.height)
        for name, has in self._columns.items():
            told = texts.told(name, [has]) if name in COLUMNS else events.select(has)
            there |= told.to_series()
        return there.arg_true()


def _has_any(column: str, literals: Iterable[str]) -> pl.Expr:
    """Whether a column, or its decoded twin where it is there, has one of some texts."""
    found = pl.col(f"^{column}(_decoded)?$").str.contains_any(
        sorted(literals), ascii_case_insensitive=True
    )
    return pl.any_horizontal(found.fill_null(value=False)).alias(column)


class Screens:
    """The screens of many rules, looked for together."""

    def __init__(self, screens: Iterable[tuple[int, Screen]]) -> None:
        needed = [(rule, need) for rule, screen in screens for need in screen]
        self._columns = sorted({need.column for _, need in needed})
        parts = {(need.column, need.literal, rule) for rule, need in needed if not need.whole}
        folded = {(column, sign, rule) for column, _, rule in parts for sign in _FOLDED.values()}
        self._parts = _sought(parts | folded)
        self._wholes = _sought((n.column, n.literal, rule) for rule, n in needed if n.whole)
        literals = {literal for _, literal, _ in parts} | _FOLDED.keys()
        self._literals = pl.Series(sorted(literals), dtype=pl.String()).implode()

    def candidates(self, events: pl.DataFrame) -> dict[int, pl.Series]:
        """Return the rows (UInt32, in order) that each rule may match; no rule without any.

        Columns that the frame does not have are taken as empty.
        """
        columns = [name for name in self._columns if name in events.columns]
        if not columns:
            return {}
        texts = pl.concat([_distinct(events[name]) for name in columns])
        found = pl.concat([self._with_parts(texts), self._wholly(texts)])
        if found.is_empty():
            return {}
        hits = [_rows(events[name], theirs) for (name,), theirs in found.group_by("column")]
        rows = pl.concat(hits).group_by("rule").agg(pl.col("row").unique().sort())
        return dict(zip(rows["rule"], rows["row"], strict=True))

    def _with_parts(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return `column`, `text` and `rule` where a text has a part that is looked for."""
        text = pl.col("text")
        some = text.str.contains_any(self._literals, ascii_case_insensitive=True)
        which = text.str.extract_many(
            self._literals, ascii_case_insensitive=True, overlapping=True
        ).list.unique()
        listed = texts.filter(some).with_columns(which.alias("literal")).explode("literal")
        each = listed.with_columns(pl.col("literal").str.to_lowercase())
        return each.join(self._parts, on=["column", "literal"]).select("column", "text", "rule")

    def _wholly(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return `column`, `text` and `rule` where a text is one that is looked for."""
        theirs = texts.filter(pl.col("column").is_in(self._wholes["column"].unique().implode()))
        each = theirs.with_columns(pl.col("text").str.to_lowercase().alias("literal"))
        return each.join(self._wholes, on=["column", "literal"]).select("column", "text", "rule")


def _sought(needed: Iterable[tuple[str, str, int]]) -> pl.DataFrame:
    schema = {"column": pl.String(), "literal": pl.String(), "rule": pl.UInt32()}
    return pl.DataFrame(sorted(set(needed)), schema=schema, orient="row")


def _distinct(texts: pl.Series) -> pl.DataFrame:
    """Return every `text` of a `column` once."""
    distinct = texts.unique().drop_nulls()
    return distinct.to_frame("text").select(pl.lit(texts.name).alias("column"), "text")


def _rows(texts: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """Return `rule` and `row` for what was `found` in the texts of a column."""
    rows = texts.to_frame("text").with_row_index("row")
    some = rows.filter(pl.col("text").is_in(found["text"].unique().implode()))
    return some.join(found, on="text").select("rule", "row")
