"""Which columns of events rules look at: what is counted of masked text may be wrong."""

import re
from collections.abc import Iterable
from typing import Final

import polars as pl

from detectors.fields import field
from detectors.rules import Rule
from detectors.series import Series
from ingest.events import BATCH_SCHEMA, EVENT_SCHEMA

#: What is looked at whatever is counted.
ALWAYS = frozenset({"timestamp", "effective_time", "windowed", "edge", "partition", "position"})

#: What no family of learned detectors looks at.
NEVER_LEARNED = frozenset({"query", "referrer", "request_id", "request_raw", "protocol", "city"})

#: What families of learned detectors may look at.
LEARNED = frozenset(EVENT_SCHEMA) - NEVER_LEARNED | ALWAYS

#: How polars prints columns by a pattern of their names, and selectors of all kinds.
_PATTERN: Final = re.compile(r'cs\.matches\("([^"]*)"\)')
_SELECTOR: Final = re.compile(r"\bcs\.")


def columns_of(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the columns (BATCH_SCHEMA) that some rules look at."""
    named = set(ALWAYS)
    for rule in rules:
        for series in rule.every_series():
            named |= _of_series(series)
    return frozenset(named)


def _of_series(series: Series) -> set[str]:
    named = [*series.values, *(key for source in series.sources for key in source.keys)]
    if series.weight is not None:
        named.append(series.weight)
    looked_at = [field(name).expr for name in named]
    looked_at += [source.part.expr for source in series.sources]
    looked_at += [exception.expression() for exception in series.exceptions]
    columns = {"client_ip"} if series.members else set[str]()
    return columns.union(*map(_roots, looked_at))


def _roots(expression: pl.Expr) -> set[str]:
    """Return the columns of an expression; a pattern of names stands for those that it fits.

    polars tells no patterns among the roots, only in what it prints. What is printed in another
    way than is known here may stand for any column.
    """
    text = str(expression)
    patterns = _PATTERN.findall(text)
    if _SELECTOR.search(_PATTERN.sub("", text)):
        return set(BATCH_SCHEMA)
    fitting = {name for name in BATCH_SCHEMA for each in patterns if re.search(each, name)}
    return {*expression.meta.root_names(), *fitting} & set(BATCH_SCHEMA)
