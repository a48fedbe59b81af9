"""The texts of a batch, each once: most come again and again.

What is asked of the text of one column alone is worked out for its distinct texts, and then told
for the events.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import SigmaFieldReference

from detectors.conditions import compile_condition, expanded
from detectors.decoded import decoded
from detectors.fields import field
from ingest.distinct import Distinct

#: Columns of which the distinct texts are looked at.
COLUMNS: Final = ("path", "query", "method", "user_agent", "referrer", "host")

#: Of these, the ones with a decoded twin, and whether + is a blank in it.
_DECODED: Final = {"path": False, "query": True}


class Texts:
    """The distinct texts of a batch's columns, found when they are asked for."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events
        self._distinct: dict[str, Distinct] = {}
        self._twins: dict[str, pl.Series] = {}

    def told(self, name: str, asked: Sequence[pl.Expr]) -> pl.DataFrame:
        """Return for every event what expressions say of its text in one of COLUMNS.

        They may read that column and, where it is there, its decoded twin.
        """
        texts = self._known(name).rows
        told = texts.lazy().select(asked).collect()
        if name in _DECODED:
            twin = self._twin(name)
            few = twin.is_not_null().arg_true()
            if len(few):
                both = texts.with_columns(twin)[few]
                place = np.arange(texts.height)
                place[few.to_numpy()] = texts.height + np.arange(len(few))
                told = pl.concat([told, both.lazy().select(asked).collect()])[place]
        return self._known(name).spread_all(told)

    def decoded(self) -> list[pl.Series]:
        """Return the columns of DECODED_SCHEMA for every event."""
        return [self._known(name).spread(self._twin(name)) for name in _DECODED]

    def _known(self, name: str) -> Distinct:
        if name not in self._distinct:
            self._distinct[name] = Distinct.of(self._events.select(name))
        return self._distinct[name]

    def _twin(self, name: str) -> pl.Series:
        if name not in self._twins:
            twin = decoded(self._known(name).rows[name], blanks=_DECODED[name])
            self._twins[name] = twin.alias(f"{name}_decoded")
        return self._twins[name]


class Facts:
    """What the conditions of many parts ask of the text of one column alone."""

    def __init__(self) -> None:
        self._asked: dict[str, list[pl.Expr]] = {}

    def compiled(self, node: object) -> pl.Expr:
        """Return what `compile_condition` returns, over events that have the columns of `of`."""
        column = _column(node)
        if column is not None:
            return self._fact(column, node)
        match node:
            case ConditionAND():
                return pl.all_horizontal(self._apart(node, ConditionAND))
            case ConditionOR():
                return pl.any_horizontal(self._apart(node, ConditionOR))
            case ConditionNOT():
                return self.compiled(node.args[0]).not_()
        return compile_condition(node)

    def _apart(
        self, node: ConditionAND | ConditionOR, joined: type[ConditionAND | ConditionOR]
    ) -> list[pl.Expr]:
        """Compile the parts of a condition, those about one column together."""
        about: dict[str | None, list[Any]] = {}
        for part in node.args:
            about.setdefault(_column(part), []).append(part)
        others = [self.compiled(part) for part in about.pop(None, [])]
        return [self._fact(str(column), joined(parts)) for column, parts in about.items()] + others

    def _fact(self, column: str, node: object) -> pl.Expr:
        asked = self._asked.setdefault(column, [])
        asked.append(compile_condition(node).alias(f"{column} {len(asked)}"))
        return pl.col(f"{column} {len(asked) - 1}")

    def of(self, texts: Texts) -> list[pl.Series]:
        """Return the columns (Boolean) that what was compiled needs, for every event."""
        told = (texts.told(column, asked) for column, asked in self._asked.items())
        return [fact for facts in told for fact in facts]


def _column(node: object) -> str | None:
    """Return the one of COLUMNS that is all a condition reads; None if there is none."""
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        columns = {_column(part) for part in node.args}
        return columns.pop() if len(columns) == 1 else None
    (leaf, *_) = expanded(node)
    if not isinstance(leaf, ConditionFieldEqualsValueExpression):
        return None
    columns = {name.removesuffix("_decoded") for name in field(leaf.field).within}
    alone = len(columns) == 1 and not isinstance(leaf.value, SigmaFieldReference)
    return columns.pop() if alone and columns <= set(COLUMNS) else None
