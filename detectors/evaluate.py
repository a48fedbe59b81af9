"""The light half: what a rule measures over windows of panes, against its limit.

Sees pane aggregates only, never events, so that any engine may have summed them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

import polars as pl

from detectors.aggregate import Sums
from detectors.panes import Panes
from detectors.rules import Comparison, Rule, SharedAddress
from detectors.sequences import chains
from detectors.series import Series

#: Runs of violations: entity, first and last (us), greatest value, the limit beside it, the end
#: of the first violating pane, and whether a match calls for the raised level.
RUN_SCHEMA: Final = pl.Schema(
    {
        "entity": pl.String(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "value": pl.Int64(),
        "limit": pl.Int64(),
        "reached": pl.Int64(),
        "raised": pl.Boolean(),
    }
)

#: Violating panes: key and start of the pane, what runs are made of, and the distinct user agents
#: by which the limit of a shared address grows (0 for other rules).
VIOLATION_SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64(), "pane": pl.Int64(), **RUN_SCHEMA, "agents": pl.Int64()}
)

_NO_VIOLATIONS: Final = pl.DataFrame(schema=VIOLATION_SCHEMA)
_COMPARISONS: Final[dict[Comparison, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "gte": pl.Expr.ge,
    "gt": pl.Expr.gt,
    "lte": pl.Expr.le,
    "lt": pl.Expr.lt,
    "eq": pl.Expr.eq,
    "neq": pl.Expr.ne,
}


class Stored(Protocol):
    """Where sums are looked up."""

    def rows(self, series: Series, keys: pl.Series | None) -> Sums:
        """Return what is stored of a series: of some keys, or of all (None)."""
        ...


def violations(
    rule: Rule, suspects: pl.DataFrame, stored: Stored, since: int, until: int
) -> pl.DataFrame:
    """Return the violating panes that start from `since` up to `until` (us), of some keys.

    `suspects` has the columns of SUSPECT_SCHEMA; what is stored of them must reach back a whole
    window before `since`. A pane with matches violates if the window that ends with it is over
    the limit; its span runs from the first match of that window to its own last match. Returns
    VIOLATION_SCHEMA.
    """
    if suspects.is_empty():
        return _NO_VIOLATIONS
    own = stored.rows(rule.series, suspects["key"])
    own = Sums(
        own.panes.filter(pl.col("pane") < until),
        own.values.filter(pl.col("pane") < until),
        own.members,
        own.keys,
    )
    own = _with_enough(rule, own)
    if own.panes.is_empty():
        return _NO_VIOLATIONS
    if rule.measure == "in_order":
        measured = chains(own.values, rule.panes, rule.steps, rule.consecutive)
    else:
        measured = _measured(rule, own, stored, suspects["key"])
    measured = measured.filter(pl.col("pane") >= since)
    if measured.is_empty():
        return _NO_VIOLATIONS
    measured = measured.join(suspects.select("key", "entity", "group"), on="key", how="left")
    limited = measured.with_columns(_limits(rule, measured).alias("limit"))
    found = limited.filter(_COMPARISONS[rule.comparison](pl.col("value"), pl.col("limit")))
    if rule.share is not None and not found.is_empty():
        found = _with_share(rule, found, own, stored)
    if rule.outlier is not None and not found.is_empty():
        found = _outliers(rule, found, stored)
    raised = pl.lit(value=False)
    if rule.raised is not None and not found.is_empty():
        panes = stored.rows(rule.raised.series, found["key"]).panes
        found = _with_sums(found, panes, "key", rule.panes, "severe")
        raised = pl.col("severe") > 0
    agents = pl.lit(0) if rule.shared_address is None else pl.col("distinct")
    return found.with_columns(
        reached=pl.col("pane") + rule.panes.length, raised=raised, agents=agents.cast(pl.Int64)
    ).select(*VIOLATION_SCHEMA)


def _with_enough(rule: Rule, own: Sums) -> Sums:
    """Keep the keys that have enough distinct values in all, where these must be many."""
    by_values = rule.series.judged_by_values or rule.measure == "distinct"
    if not by_values or rule.least <= 1:
        return own
    totals = own.values.group_by("key").agg(pl.col("value").n_unique())
    enough = totals.filter(pl.col("value") >= rule.least)
    return Sums(
        own.panes.join(enough, on="key", how="semi"),
        own.values.join(enough, on="key", how="semi"),
        own.members,
        own.keys,
    )


def _measured(rule: Rule, own: Sums, stored: Stored, keys: pl.Series) -> pl.DataFrame:
    """Return key, pane, first, last, events and value of every pane with matches."""
    window = f"{rule.panes.span}i"
    summed = (
        own.panes.select("key", "pane", "count", "first", "last")
        .sort("key", "pane")
        .with_columns(
            pl.col("count").rolling_sum_by("pane", window).over("key").alias("events"),
            pl.col("first").rolling_min_by("pane", window).over("key"),
        )
    )
    if rule.measure in {"distinct", "all_of", "neighbours"}:
        distinct = (neighbours if rule.measure == "neighbours" else distinct_values)(
            own.values, rule.panes
        )
        return _at(summed, distinct, "key").with_columns(value="distinct")
    if rule.matches is not None:
        matches = stored.rows(rule.matches, keys).panes
        summed = _with_sums(summed, matches, "key", rule.panes, "matches")
        enough = summed.filter(pl.col("matches") >= rule.least_matches)
        return enough.with_columns(value=pl.col("events") // pl.col("matches"))
    if rule.shared_address is not None:
        distinct = distinct_values(own.values, rule.panes)
        summed = _at(summed, distinct, "key")
    return summed.with_columns(value="events")


def over_limit(rule: Rule, panes: pl.DataFrame) -> pl.DataFrame:
    """Return those of a rule's violating panes that violate its limit, however low theirs was.

    `panes` (VIOLATION_SCHEMA) are of the same rule with a limit that is no higher, or that any
    pane with matches violates.
    """
    if panes.is_empty():
        return panes
    limited = panes.with_columns(limit=_limits(rule, panes, "agents"))
    return limited.filter(_COMPARISONS[rule.comparison](pl.col("value"), pl.col("limit")))


def _limits(rule: Rule, measured: pl.DataFrame, agents: str = "distinct") -> pl.Expr:
    """The rule's limit, grown for shared addresses and tiers."""
    limit = pl.lit(rule.threshold)
    if rule.shared_address is not None:
        limit = _scaled(rule.threshold, rule.shared_address, agents)
    if not rule.tiers:
        return limit
    times = {entity: rule.times(entity) for entity in measured["entity"].unique()}
    return limit * pl.col("entity").replace_strict(times, return_dtype=pl.Int64)


def _scaled(threshold: int, shared: SharedAddress, column: str) -> pl.Expr:
    agents = pl.col(column).clip(shared.agents, shared.agents * shared.cap)
    return (threshold * agents) // shared.agents


def _with_share(rule: Rule, found: pl.DataFrame, own: Sums, stored: Stored) -> pl.DataFrame:
    """Keep the panes whose matches are a great enough share of what they are compared with.

    Where an entity's distinct values count, each counts once a pane on both sides, so that one
    who comes often does not weigh more than the others.
    """
    share = rule.share
    if share is None:
        return found
    if share.over_all:
        whole, by = stored.rows(share.of, None), None
    else:
        whole, by = stored.rows(share.of, found["key"]), "key"
    by_values = share.of.judged_by_values
    found = _with_sums(
        found, _appearances(own) if by_values else own.panes, "key", rule.panes, "part"
    )
    counted = _appearances(whole) if by_values else whole.panes
    compared = _with_sums(found, counted, by, rule.panes, "whole")
    part, least = pl.col("part") * 100, pl.col("whole") * share.percent
    return compared.filter(part > least if share.exceeds else part >= least)


def _appearances(sums: Sums) -> pl.DataFrame:
    """Return how many distinct values each key has in each pane: key, pane, count."""
    return sums.values.group_by("key", "pane").agg(pl.len().cast(pl.Int64).alias("count"))


def _outliers(rule: Rule, found: pl.DataFrame, stored: Stored) -> pl.DataFrame:
    """Keep the panes that are far above the average of the others in the group.

    Where there are no others, nothing says what is ordinary: such panes do not violate.
    """
    outlier = rule.outlier
    if outlier is None:
        return found
    groups = found["group"].unique()
    every = stored.rows(outlier.everything, groups)
    peers = stored.rows(outlier.peers, groups)
    if rule.measure in {"distinct", "neighbours"}:
        there = distinct_values(every.values, rule.panes)
        found = _at(found, there.rename({"key": "group", "distinct": "every"}), "group")
    else:
        found = _with_sums(found, every.panes, "group", rule.panes, "every")
    if rule.measure == "average":
        found = _with_sums(found, peers.panes, "group", rule.panes, "peers")
        others = pl.col("peers") - pl.col("matches")
        rest = pl.col("every") - pl.col("events")
    else:
        there = distinct_values(peers.values, rule.panes)
        found = _at(found, there.rename({"key": "group", "distinct": "peers"}), "group")
        others = pl.col("peers") - 1
        rest = pl.col("every") - pl.col("value")
    return found.filter(others > 0, pl.col("value") * others >= rest * outlier.factor)


def _with_sums(
    panes: pl.DataFrame, counted: pl.DataFrame, by: str | None, window: Panes, name: str
) -> pl.DataFrame:
    """Add what is counted over the window that ends with each pane, 0 where nothing is.

    `by` is the column that holds the key of what is counted; None adds up all keys.
    """
    keyed = counted if by is None else counted.with_columns(pl.col("key").alias(by))
    keys = [] if by is None else [by]
    steps = pl.concat(
        [
            keyed.select(*keys, "pane", step="count"),
            keyed.select(*keys, pl.col("pane") + window.span, step=-pl.col("count")),
        ]
    )
    return _at(panes, _levels(steps, keys, name), by)


def _levels(steps: pl.DataFrame, keys: list[str], name: str) -> pl.DataFrame:
    """Add up steps over the panes: what there is from each pane on, until the next."""
    added = steps.group_by(*keys, "pane").agg(pl.col("step").sum()).sort(*keys, "pane")
    level = pl.col("step").cum_sum()
    return added.select(*keys, "pane", (level.over(keys) if keys else level).alias(name))


def _at(panes: pl.DataFrame, levels: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """Add the level, the last column of `levels`, that holds at each pane; 0 before the first."""
    return (
        panes.sort("pane")
        .join_asof(levels.sort("pane"), on="pane", by=by, check_sortedness=False)
        .with_columns(pl.col(levels.columns[-1]).fill_null(0))
    )


def distinct_values(values: pl.DataFrame, panes: Panes) -> pl.DataFrame:
    """Return key, pane and `distinct`: how many values there are from that pane on.

    Adding up where values come and go gives every window's count exactly, in one pass over
    sorted rows.
    """
    return _present(_intervals(values, panes))


def neighbours(values: pl.DataFrame, panes: Panes) -> pl.DataFrame:
    """Return key, pane and `distinct`: how many values are there together with the one before.

    Where a value comes and goes is one step for itself and one for the value after it; both are
    there where both sums are above nothing.
    """
    there = _intervals(values, panes)
    one, none = pl.lit(1, pl.Int64), pl.lit(0, pl.Int64)

    def steps(shift: int, own: pl.Expr, before: pl.Expr) -> list[pl.DataFrame]:
        value = pl.col("value") + shift
        return [
            there.select("key", value, "pane", own=own, before=before),
            there.select("key", value, pane="leaves", own=-own, before=-before),
        ]

    both = (
        pl.concat([*steps(0, one, none), *steps(1, none, one)])
        .group_by("key", "value", "pane")
        .agg(pl.col("own", "before").sum())
        .sort("key", "value", "pane")
        .with_columns(pl.col("own", "before").cum_sum().over("key", "value"))
        .with_columns(both=((pl.col("own") > 0) & (pl.col("before") > 0)).cast(pl.Int64))
    )
    changed = pl.col("both") - pl.col("both").shift(1, fill_value=0).over("key", "value")
    return _levels(both.select("key", "pane", step=changed), ["key"], "distinct")


def _intervals(values: pl.DataFrame, panes: Panes) -> pl.DataFrame:
    """Return key, value, pane and `leaves`: from when to when a value is in the window.

    From a pane in which it appears until it appears again or leaves the window.
    """
    ordered = values.select("key", "value", "pane").sort("key", "value", "pane")
    again = pl.col("pane").shift(-1).over("key", "value")
    return ordered.with_columns(
        pl.min_horizontal(again, pl.col("pane") + panes.span).alias("leaves")
    )


def _present(intervals: pl.DataFrame) -> pl.DataFrame:
    steps = pl.concat(
        [
            intervals.select("key", "pane", step=pl.lit(1, dtype=pl.Int64)),
            intervals.select("key", pane="leaves", step=pl.lit(-1, dtype=pl.Int64)),
        ]
    )
    return _levels(steps, ["key"], "distinct")


def runs(violating: pl.DataFrame, window: timedelta) -> pl.DataFrame:
    """Join violating spans of an entity whose gaps are no longer than the window: RUN_SCHEMA.

    And lists of what each pane had: `ends` (us), `values`, `limits`.
    """
    ordered = violating.sort("entity", "first", "last")
    reach = pl.col("last").cum_max().shift(1).over("entity") + window // timedelta(microseconds=1)
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
            pl.col("reached").min(),
            pl.col("raised").any(),
            pl.col("reached").alias("ends"),
            pl.col("value").alias("values"),
            pl.col("limit").cast(pl.Int64).alias("limits"),
        )
        .select(
            *(pl.col(name).cast(dtype) for name, dtype in RUN_SCHEMA.items()),
            "ends",
            "values",
            "limits",
        )
        .sort("entity", "first")
    )
