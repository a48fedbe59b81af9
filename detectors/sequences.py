"""Sequences: rules that match one after the other, within a window.

Works on kept times (`Series.kept == "time"`): a value is the time of a match and, in its lowest
bits, which rule of the sequence it was. Equal times satisfy an order.
"""

import polars as pl

from detectors.panes import Panes
from detectors.series import SOURCE_SHIFT, SOURCES, TIME_SHIFT


def chains(values: pl.DataFrame, panes: Panes, steps: int, consecutive: int | None) -> pl.DataFrame:
    """Return the panes in which a sequence is complete: key, pane, first, last, value, events.

    A sequence ends with a match of its last rule; its beginning lies in the window that ends
    with that pane. `value` is the number of steps or, with `consecutive`, how often the first
    rule matched before.
    """
    matched = (
        values.select("key", "pane", "value")
        .sort("key", "value")
        .select(
            "key",
            "pane",
            time=(pl.col("value") // 2**TIME_SHIFT).cast(pl.Int64),
            step=(pl.col("value") // 2**SOURCE_SHIFT % SOURCES).cast(pl.Int64),
        )
    )
    if consecutive is None:
        complete = _in_order(matched, steps)
    else:
        complete = _after_repeats(matched, panes, consecutive)
    window_start = pl.col("pane") - panes.span + panes.length
    found = (
        complete.filter(pl.col("first") >= window_start)
        .group_by("key", "pane")
        .agg(pl.col("first").min(), pl.col("time").max().alias("last"), pl.col("value").max())
        .with_columns(events="value")
    )
    return found if consecutive is not None else _from_the_earliest(found, matched, panes)


def _from_the_earliest(found: pl.DataFrame, matched: pl.DataFrame, panes: Panes) -> pl.DataFrame:
    """Let sequences begin with the first match of their first rule in the window.

    If one reaches its end from the latest beginning, it does from every one before.
    """
    begins = (
        matched.filter(pl.col("step") == 0)
        .group_by("key", began="pane")
        .agg(pl.col("time").min().alias("first"))
    )
    since = found.drop("first").with_columns(began=pl.col("pane") - panes.span + 1)
    return since.sort("began").join_asof(
        begins.sort("began"), on="began", by="key", strategy="forward", check_sortedness=False
    )


def _in_order(matched: pl.DataFrame, steps: int) -> pl.DataFrame:
    """Return where the last step ends a sequence, and its latest beginning (`first`).

    The latest beginning of the sequences that reach a step is the greatest beginning of the step
    before, up to there: a running maximum, once a step.
    """
    frame = matched.with_columns(first=pl.when(pl.col("step") == 0).then(pl.col("time")))
    for step in range(1, steps):
        before = pl.when(pl.col("step") == step - 1).then(pl.col("first"))
        latest = before.cum_max().forward_fill().over("key")
        frame = frame.with_columns(
            first=pl.when(pl.col("step") == step).then(latest).otherwise(pl.col("first"))
        )
    last = frame.filter(pl.col("step") == steps - 1).drop_nulls("first")
    return last.with_columns(value=pl.lit(steps, pl.Int64))


def _after_repeats(matched: pl.DataFrame, panes: Panes, consecutive: int) -> pl.DataFrame:
    """Return the matches of the second rule before which the first matched often enough.

    Only an unbroken row counts, and of it what lies in the window that ends with the match.
    """
    second = pl.col("step") == 1
    row = second.cast(pl.Int64).cum_sum().shift(1, fill_value=0).over("key")
    numbered = matched.with_columns(row=row)
    ends = numbered.filter(second).select("key", "row", "pane", "time")
    begins = numbered.filter(~second).select("key", "row", began="time")
    joined = begins.join(ends, on=["key", "row"])
    window_start = pl.col("pane") - panes.span + panes.length
    return (
        joined.filter(pl.col("began") >= window_start)
        .group_by("key", "row", "pane", "time")
        .agg(pl.col("began").min().alias("first"), pl.len().cast(pl.Int64).alias("value"))
        .filter(pl.col("value") >= consecutive)
    )
