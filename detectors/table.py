"""The state of one rule: its panes, as far back as its window reaches."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from detectors.aggregate import KEY, PANE_SCHEMA, VALUE_SCHEMA, add_panes, add_values
from detectors.evaluate import RUN_SCHEMA, suspects, violations
from detectors.rules import Rule

#: Entities (with their parts) kept per rule in closed panes; the least suspect leave first.
ENTITY_CAP: Final = 1_000_000

#: Rows that gather beside the main frame before they are folded into it.
_FOLD_ROWS: Final = 20_000

_BEGINNING: Final = -(2**62)
_END: Final = 2**62


def _no_panes() -> pl.DataFrame:
    return pl.DataFrame(schema=PANE_SCHEMA)


def _no_values() -> pl.DataFrame:
    return pl.DataFrame(schema=VALUE_SCHEMA)


@dataclass(slots=True)
class Table:
    """Pane aggregates of one rule, and up to where its panes are closed.

    New aggregates gather in small frames and are folded into the main ones now and then, so
    that a batch costs what it brings, not what is stored. `closed` is in microseconds: panes
    that start before it are closed.
    """

    rule: Rule
    panes: pl.DataFrame = field(default_factory=_no_panes)
    values: pl.DataFrame = field(default_factory=_no_values)
    closed: int = _BEGINNING
    evicted: int = 0
    entity_cap: int = ENTITY_CAP
    _new_panes: pl.DataFrame = field(default_factory=_no_panes)
    _new_values: pl.DataFrame = field(default_factory=_no_values)
    _forgotten: int = _BEGINNING

    def add(self, panes: pl.DataFrame, values: pl.DataFrame | None) -> None:
        """Take in a batch's aggregates."""
        self._new_panes = add_panes(self._new_panes, panes)
        if values is not None:
            self._new_values = add_values(self._new_values, values)
        if self._new_panes.height > max(_FOLD_ROWS, self.panes.height // 2):
            self.fold()

    def fold(self) -> None:
        """Bring everything into the main frames."""
        self.panes = add_panes(self.panes, self._new_panes)
        self.values = add_values(self.values, self._new_values)
        self._new_panes, self._new_values = _no_panes(), _no_values()

    def suspects(self, keys: pl.DataFrame, share: float) -> pl.DataFrame:
        """Return those of the keys (entity, part) whose matches reach a share of the limit."""
        return suspects(self.rule, self._of(keys, self.panes, self._new_panes), share)

    def open_runs(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the violating runs of the keys on panes that are not closed yet."""
        return self._runs(keys, self.closed, _END)

    def close(self, watermark: int | None) -> pl.DataFrame:
        """Close the panes that end at or before the watermark (us); None closes them all.

        Returns the runs among the panes closed now, of rules that must wait for that, and
        forgets what no later window can need.
        """
        until = _END if watermark is None else self.rule.panes.start(watermark)
        if until <= self.closed:
            return pl.DataFrame(schema=RUN_SCHEMA)
        since, self.closed = self.closed, until
        closing = pl.col("pane").is_between(since, until, closed="left")
        found = pl.DataFrame(schema=RUN_SCHEMA)
        if not self.rule.on_open_panes:
            ready = [frame.filter(closing).select(*KEY) for frame in (self.panes, self._new_panes)]
            found = self._runs(pl.concat(ready).unique(), since, until)
        self._forget()
        return found

    def _runs(self, keys: pl.DataFrame, since: int, until: int) -> pl.DataFrame:
        """Return the runs of the keys on the panes from `since` up to `until`."""
        panes = self._of(keys, self.panes, self._new_panes).filter(pl.col("pane") < until)
        suspected = suspects(self.rule, panes)
        if suspected.is_empty():
            return pl.DataFrame(schema=RUN_SCHEMA)
        summed = add_panes(_no_panes(), panes.join(suspected, on=KEY, how="semi"))
        values = self._of(suspected, self.values, self._new_values).filter(pl.col("pane") < until)
        return violations(self.rule, summed, values.unique(), since)

    @staticmethod
    def _of(keys: pl.DataFrame, *frames: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([frame.join(keys, on=KEY, how="semi") for frame in frames])

    def _forget(self) -> None:
        """Drop panes that no window from here on can hold, and entities over the cap."""
        horizon = self.closed - self.rule.panes.span
        if horizon - self._forgotten > self.rule.panes.span // 4:
            self.fold()
            self.panes = self.panes.filter(pl.col("pane") >= horizon)
            self.values = self.values.filter(pl.col("pane") >= horizon)
            self._forgotten = horizon
        if self.panes.height + self._new_panes.height > self.entity_cap:
            self._evict()

    def _evict(self) -> None:
        """Forget closed panes of the least suspect entities, in a total order, and count them.

        Order: fewest matches (the lowest share of the limit), then oldest, then key.
        """
        self.fold()
        settled = self.panes.filter(pl.col("pane") < self.closed)
        totals = settled.group_by(*KEY).agg(pl.col("count").sum(), pl.col("last").max())
        excess = totals.height - self.entity_cap
        if excess <= 0:
            return
        leaving = totals.sort("count", "last", *KEY).head(excess).select(*KEY)
        keep = pl.col("pane") >= self.closed
        self.panes = pl.concat([settled.join(leaving, on=KEY, how="anti"), self.panes.filter(keep)])
        settled_values = self.values.filter(~keep)
        self.values = pl.concat(
            [settled_values.join(leaving, on=KEY, how="anti"), self.values.filter(keep)]
        )
        self.evicted += leaving.height
