"""The state of one rule: its panes, as far back as its window reaches."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from detectors.aggregate import (
    KEY,
    SUM_SCHEMA,
    VALUE_SCHEMA,
    add_panes,
    add_values,
    key_sums,
)
from detectors.evaluate import RUN_SCHEMA, violations
from detectors.rules import Rule

#: Entities (with their parts) kept per rule in closed panes; the least suspect leave first.
ENTITY_CAP: Final = 1_000_000

#: Segments after which the newest are merged when they are of like size.
_SEGMENTS: Final = 8

#: Keys are looked up one by one where they are fewer than this share of all.
_FEW: Final = 4

_BEGINNING: Final = -(2**62)
_END: Final = 2**62


@dataclass(frozen=True, slots=True)
class Segment:
    """Aggregates of some batches: PANE_SCHEMA, VALUE_SCHEMA, and SUM_SCHEMA over its panes.

    `newest` is the start of the newest pane, `greatest` the most matches that one key has here.
    """

    panes: pl.DataFrame
    values: pl.DataFrame
    sums: pl.DataFrame
    newest: int
    greatest: int

    @classmethod
    def of(cls, panes: pl.DataFrame, values: pl.DataFrame | None = None) -> "Segment":
        """Return the segment of some aggregates, at least one pane; pure."""
        kept = pl.DataFrame(schema=VALUE_SCHEMA) if values is None else values
        sums = key_sums(panes)
        greatest = int(sums["count"].to_numpy().max())
        return cls(panes, kept, sums, int(panes["pane"].to_numpy().max()), greatest)

    def merged(self, other: "Segment", horizon: int) -> "Segment":
        """Return both as one, without the panes before the horizon."""
        recent = pl.col("pane") >= horizon
        return Segment.of(
            add_panes([self.panes.filter(recent), other.panes.filter(recent)]),
            add_values([self.values.filter(recent), other.values.filter(recent)]),
        )


@dataclass(slots=True)
class Table:
    """Pane aggregates of one rule in segments, and up to where its panes are closed.

    A batch adds a segment; segments of like size are merged now and then and whole ones dropped
    once no window can need them, so that a batch costs what it brings, not what is stored.
    `closed` is in microseconds: panes that start before it are closed.
    """

    rule: Rule
    entity_cap: int = ENTITY_CAP
    closed: int = _BEGINNING
    evicted: int = 0
    segments: list[Segment] = field(default_factory=list)

    def add(self, segment: Segment) -> None:
        """Take in a batch's aggregates."""
        self.segments.append(segment)
        while len(self.segments) > _SEGMENTS and self._alike():
            newer, older = self.segments.pop(), self.segments.pop()
            if older.newest < self._horizon:
                self.segments.append(newer)
            else:
                self.segments.append(older.merged(newer, self._horizon))

    def _alike(self) -> bool:
        return self.segments[-1].panes.height * 2 >= self.segments[-2].panes.height

    @property
    def _horizon(self) -> int:
        """Panes before this are in no window that can still matter."""
        return self.closed - self.rule.panes.span

    @property
    def bound(self) -> int:
        """A bound on the matches of any key, from above, at no cost."""
        return sum(segment.greatest for segment in self.segments)

    def totals(self, keys: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return SUM_SCHEMA over all that is stored, of the keys at least (None: of all).

        It bounds the sum, and the distinct values, of every window from above.
        """
        frames = [segment.sums for segment in self.segments]
        stored = pl.concat(frames) if frames else pl.DataFrame(schema=SUM_SCHEMA)
        if keys is not None and keys.height * _FEW < stored.height:
            stored = stored.join(keys, on=KEY, how="semi")
        return key_sums(stored)

    def open_runs(self, totals: pl.DataFrame) -> pl.DataFrame:
        """Return the violating runs of the keys in `totals` on panes that are not closed yet."""
        return self._runs(totals, self.closed, _END)

    def close(self, watermark: int | None) -> pl.DataFrame:
        """Close the panes that end at or before the watermark (us); None closes them all.

        Returns the runs among the panes closed now, of rules that must wait for that, and
        forgets what no later window can need.
        """
        until = _END if watermark is None else self.rule.panes.start(watermark)
        if until <= self.closed:
            return pl.DataFrame(schema=RUN_SCHEMA)
        since, self.closed = self.closed, until
        found = pl.DataFrame(schema=RUN_SCHEMA)
        if not self.rule.on_open_panes and self.bound >= self.rule.threshold:
            found = self._runs(self.totals(), since, until)
        self.segments = [s for s in self.segments if s.newest >= self._horizon]
        if sum(segment.panes.height for segment in self.segments) > self.entity_cap:
            self._evict()
        return found

    def _runs(self, totals: pl.DataFrame, since: int, until: int) -> pl.DataFrame:
        """Return the runs on the panes from `since` up to `until`, of keys that may have any."""
        suspected = totals.filter(pl.col("count") >= self.rule.threshold)
        if suspected.is_empty():
            return pl.DataFrame(schema=RUN_SCHEMA)
        panes, values = self.rows(suspected)
        if self.rule.value is not None:
            distinct = values.group_by(*KEY).agg(pl.col("value").n_unique())
            suspected = distinct.filter(pl.col("value") >= self.rule.threshold)
            if suspected.is_empty():
                return pl.DataFrame(schema=RUN_SCHEMA)
            panes = panes.join(suspected, on=KEY, how="semi")
            values = values.join(suspected, on=KEY, how="semi")
        before = pl.col("pane") < until
        return violations(self.rule, panes.filter(before), values.filter(before), since)

    def rows(self, keys: pl.DataFrame | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return panes and values of the keys (None: of all), each row once."""
        panes = [segment.panes for segment in self.segments]
        values = [segment.values for segment in self.segments]
        if keys is not None:
            panes = [frame.join(keys, on=KEY, how="semi") for frame in panes]
            values = [frame.join(keys, on=KEY, how="semi") for frame in values]
        return add_panes(panes), add_values(values)

    def replace(self, panes: pl.DataFrame, values: pl.DataFrame) -> None:
        """Hold these rows and no others."""
        self.segments = [Segment.of(panes, values)] if not panes.is_empty() else []

    def _evict(self) -> None:
        """Forget closed panes of the least suspect entities, in a total order, and count them.

        Order: fewest matches (the lowest share of the limit), then oldest, then key.
        """
        panes, values = self.rows()
        panes = panes.filter(pl.col("pane") >= self._horizon)
        values = values.filter(pl.col("pane") >= self._horizon)
        open_pane = pl.col("pane") >= self.closed
        settled = panes.filter(~open_pane)
        totals = settled.group_by(*KEY).agg(pl.col("count").sum(), pl.col("last").max())
        excess = totals.height - self.entity_cap
        if excess > 0:
            leaving = totals.sort("count", "last", *KEY).head(excess).select(*KEY)
            stay = settled.join(leaving, on=KEY, how="anti")
            panes = pl.concat([stay, panes.filter(open_pane)])
            left = values.filter(~open_pane).join(leaving, on=KEY, how="anti")
            values = pl.concat([left, values.filter(open_pane)])
            self.evicted += excess
        self.replace(panes, values)
