"""Which clients took part in a distributed finding."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from detectors.panes import Panes


@dataclass(frozen=True, slots=True)
class Membership:
    """Clients that an entity counted in windows that overlap, the last of which ends at `until`."""

    entity: str
    until: int
    clients: frozenset[str]


def memberships(violating: pl.DataFrame, members: pl.DataFrame, panes: Panes) -> list[Membership]:
    """Return who was counted in violating windows: those that overlap are one.

    `violating` has key, entity, first and last (us) of each window, `members` MEMBER_SCHEMA of
    their keys. Each client is looked up once, however many windows there are.
    """
    ordered = violating.select(
        "key", "entity", pane=pl.col("first") - panes.length + 1, until="last"
    ).sort("key", "pane")
    reach = pl.col("until").cum_max().shift(1).over("key")
    begins = (pl.col("pane") > reach).fill_null(value=True)
    spans = (
        ordered.with_columns(span=begins.cast(pl.Int64).cum_sum())
        .group_by("span")
        .agg(pl.col("key", "entity").first(), pl.col("pane").min(), pl.col("until").max())
        .drop("span")
        .sort("pane")
    )
    inside = (
        members.sort("pane")
        .join_asof(spans, on="pane", by="key", check_sortedness=False)
        .filter(pl.col("pane") <= pl.col("until"))
    )
    named = inside.group_by("entity", "until").agg(pl.col("member").unique())
    return [Membership(entity, until, frozenset(all_)) for entity, until, all_ in named.iter_rows()]


def of_run(members: Iterable[Membership], entity: str, first: int, last: int) -> frozenset[str]:
    """Return the clients of an entity's windows that lie in a run from `first` to `last` (us)."""
    return frozenset().union(
        *(m.clients for m in members if m.entity == entity and first <= m.until <= last)
    )
