"""The light half: sums over windows of panes against a rule's limit.

Sees pane aggregates only, never events, so that any engine may have summed them.
"""

from typing import Final

import polars as pl

from detectors.aggregate import KEY
from detectors.panes import Panes
from detectors.rules import Rule, SharedAddress

#: Runs of violations: entity, first and last (us), greatest value, and the limit beside it.
RUN_SCHEMA: Final = pl.Schema(
    {
        "entity": pl.String(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "value": pl.Int64(),
        "limit": pl.Int64(),
    }
)


def violations(rule: Rule, panes: pl.DataFrame, values: pl.DataFrame, since: int) -> pl.DataFrame:
    """Return the runs of violating panes among the panes that start at or after `since` (us).

    `panes` (PANE_SCHEMA) and `values` (VALUE_SCHEMA) must hold the whole window before `since`.
    A pane with matches violates if the window that ends with it reaches the limit; its span runs
    from the first match of that window to its own last match.
    """
    window = f"{rule.panes.span}i"
    summed = panes.sort(*KEY, "pane").with_columns(
        pl.col("count").rolling_sum_by("pane", window).over(*KEY).alias("events"),
        pl.col("first").rolling_min_by("pane", window).over(*KEY),
    )
    if rule.value is None and rule.shared_address is None:
        counted = summed.with_columns(value="events", limit=pl.lit(rule.threshold))
    else:
        distinct = distinct_values(values, rule.panes)
        joined = summed.join(distinct, on=[*KEY, "pane"], how="left")
        counted = joined.with_columns(
            value=pl.col("distinct") if rule.value is not None else pl.col("events"),
            limit=_limit(rule.threshold, rule.shared_address),
        )
    reached = (pl.col("pane") >= since) & (pl.col("value") >= pl.col("limit"))
    return runs(counted.filter(reached), rule.window.total_seconds())


def _limit(threshold: int, shared: SharedAddress | None) -> pl.Expr:
    """The rule's limit, grown with distinct user agents where the address is shared."""
    if shared is None:
        return pl.lit(threshold)
    agents = pl.col("distinct").clip(shared.agents, shared.agents * shared.cap)
    return (threshold * agents) // shared.agents


def distinct_values(values: pl.DataFrame, panes: Panes) -> pl.DataFrame:
    """Return entity, part, pane and `distinct`: the values in the window that ends there.

    A value counts from a pane in which it appears until it appears again or leaves the window:
    adding these steps up gives every window's count exactly, in one pass over sorted rows.
    """
    ordered = values.sort(*KEY, "value", "pane")
    again = pl.col("pane").shift(-1).over(*KEY, "value")
    leaves = pl.min_horizontal(again, pl.col("pane") + panes.span)
    steps = pl.concat(
        [
            ordered.select(*KEY, "pane", step=pl.lit(1, dtype=pl.Int64)),
            ordered.select(*KEY, leaves.alias("pane"), step=pl.lit(-1, dtype=pl.Int64)),
        ]
    )
    return (
        steps.group_by(*KEY, "pane")
        .agg(pl.col("step").sum())
        .sort(*KEY, "pane")
        .select(*KEY, "pane", pl.col("step").cum_sum().over(*KEY).alias("distinct"))
    )


def runs(violating: pl.DataFrame, window_seconds: float) -> pl.DataFrame:
    """Join violating spans of an entity whose gaps are no longer than the window: RUN_SCHEMA."""
    ordered = violating.sort("entity", "first", "last")
    reach = pl.col("last").cum_max().shift(1).over("entity") + int(window_seconds * 1_000_000)
    begins = (pl.col("first") > reach).fill_null(value=True)
    greatest = pl.col("value").max()
    return (
        ordered.with_columns(run=begins.cast(pl.Int64).cum_sum())
        .group_by("entity", "run")
        .agg(
            pl.col("first").min(),
            pl.col("last").max(),
            greatest,
            pl.col("limit").filter(pl.col("value") == greatest).min(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in RUN_SCHEMA.items())
        .sort("entity", "first")
    )
