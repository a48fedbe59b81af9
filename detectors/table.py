"""The state of the series of one window: their panes, as far back as the window reaches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.aggregate import (
    KEY,
    KEY_SCHEMA,
    Sums,
    add_keys,
    add_members,
    add_panes,
    add_values,
)
from detectors.arrays import Bools, Ints
from detectors.panes import Panes

#: Keys kept per table in closed panes; the least suspect leave first.
KEY_CAP: Final = 2_000_000

#: Segments after which the newest are merged when they are of like size.
_SEGMENTS: Final = 8

_KEYED: Final = {name: KEY_SCHEMA[name] for name in KEY}
_BEGINNING: Final = -(2**61)
END: Final = 2**61


@dataclass(frozen=True, slots=True)
class Segment:
    """Aggregates of some batches.

    `newest` is the start of the newest pane. For each row of `sums.keys`, `series` is its series
    and `bound` what it has, of what is judged: matches or, where the series keeps them, distinct
    values. `greatest` is the greatest bound of each series.
    """

    sums: Sums
    newest: int
    series: npt.NDArray[np.uint16]
    bound: Ints
    greatest: Ints

    @classmethod
    def of(cls, sums: Sums, distinct: Bools) -> "Segment":
        """Return the segment of some sums; `distinct` says which series are judged by values."""
        series = sums.keys["series"].to_numpy()
        count, values = sums.keys["count"].to_numpy(), sums.keys["distinct"].to_numpy()
        bound = np.where(distinct[series], values, count)
        greatest = np.zeros(len(distinct), np.int64)
        np.maximum.at(greatest, series, bound)
        newest = int(sums.panes["pane"].to_numpy().max(initial=_BEGINNING))
        return cls(sums, newest, series, bound, greatest)

    def reaching(self, limits: Ints, parts: int) -> pl.DataFrame:
        """Return the keys that have half of their series' limit, divided into so many parts."""
        there = np.flatnonzero(self.bound * (2 * parts) >= limits[self.series])
        return self.sums.keys.select(KEY)[there]

    def merged(self, other: "Segment", horizon: int, distinct: Bools) -> "Segment":
        """Return both as one, without the panes before the horizon."""
        return Segment.of(_since([self.sums, other.sums], horizon), distinct)


@dataclass(slots=True)
class Table:
    """Pane aggregates in segments, and up to where panes are closed.

    A batch adds a segment; segments of like size are merged now and then and whole ones dropped
    once no window can need them, so that a batch costs what it brings, not what is stored.
    `thresholds` and `distinct` say for each series at what limit and by what it is suspect.
    `closed` is in microseconds: panes that start before it are closed. Those up to `unsettled`
    were not judged while they were open.
    """

    panes: Panes
    thresholds: Ints
    distinct: Bools
    key_cap: int = KEY_CAP
    closed: int = _BEGINNING
    unsettled: int = _BEGINNING - 1
    evicted: dict[int, int] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)

    def add(self, sums: Sums) -> None:
        """Take in a batch's aggregates."""
        if sums.panes.is_empty():
            return
        self.segments.append(Segment.of(sums, self.distinct))
        while len(self.segments) > _SEGMENTS and self._alike():
            newer, older = self.segments.pop(), self.segments.pop()
            if older.newest < self.horizon:
                self.segments.append(newer)
            else:
                self.segments.append(older.merged(newer, self.horizon, self.distinct))

    def _alike(self) -> bool:
        newer, older = self.segments[-1], self.segments[-2]
        return newer.sums.panes.height * 2 >= older.sums.panes.height

    @property
    def horizon(self) -> int:
        """Panes before this are in no window that can still matter."""
        return self.closed - self.panes.span

    def bounds(self) -> Ints:
        """Return a bound for each series on what any of its keys has, from above."""
        none = np.zeros(len(self.distinct), np.int64)
        return sum((segment.greatest for segment in self.segments), none)

    def suspects(self, numbers: Sequence[int], keys: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return KEY_SCHEMA of the keys of some series that may reach half a limit, and `bound`.

        `bound` (Int64) limits what any window of the key holds from above. With `keys` (rows of
        KEY), only those among them.
        """
        limits = np.full(len(self.distinct), END // _SEGMENTS, np.int64)
        limits[list(numbers)] = self.thresholds[list(numbers)]
        # who reaches half a limit in all has its share of it in some segment
        some = [segment.reaching(limits, len(self.segments)) for segment in self.segments]
        wanted = pl.concat(some).unique() if some else pl.DataFrame(schema=_KEYED)
        if keys is not None and not wanted.is_empty():
            wanted = wanted.join(keys, on=KEY, how="semi")
        if wanted.is_empty():
            return pl.DataFrame(schema={**KEY_SCHEMA, "bound": pl.Int64()})
        frames = (segment.sums.keys for segment in self.segments)
        found = add_keys([frame.join(wanted, on=KEY, how="semi") for frame in frames])
        by_values = pl.Series(self.distinct).gather(found["series"])
        limit = pl.Series("limit", limits).gather(found["series"])
        bound = pl.when(by_values).then(pl.col("distinct")).otherwise(pl.col("count"))
        return found.with_columns(bound.alias("bound")).filter(pl.col("bound") * 2 >= limit)

    def rows(self, number: int, keys: pl.Series | None) -> Sums:
        """Return what is stored of a series, of some keys (None: of all), each row once."""
        mine = pl.col("series") == number
        wanted = mine if keys is None else mine & pl.col("key").is_in(keys.implode())
        every = [segment.sums for segment in self.segments]
        return Sums(
            add_panes([sums.panes.filter(wanted) for sums in every]),
            add_values([sums.values.filter(wanted) for sums in every]),
            add_members([sums.members.filter(wanted) for sums in every]),
            pl.DataFrame(schema=KEY_SCHEMA),
        )

    def everything(self) -> Sums:
        """Return all that is stored, each row once."""
        return _since([segment.sums for segment in self.segments], _BEGINNING)

    def forget(self) -> None:
        """Drop what no window can need any more."""
        self.segments = [s for s in self.segments if s.newest >= self.horizon]

    def replace(self, sums: Sums) -> None:
        """Hold these rows and no others."""
        self.segments = [] if sums.panes.is_empty() else [Segment.of(sums, self.distinct)]

    def starts(self, until: int) -> list[int]:
        """Return the starts of the panes that hold anything, are open, and start before `until`."""
        open_panes = pl.col("pane").is_between(self.closed, until, closed="left")
        frames = [s.sums.panes.filter(open_panes).select("pane").unique() for s in self.segments]
        return pl.concat(frames).unique().to_series().sort().to_list() if frames else []

    @property
    def newest(self) -> int:
        """The start of the newest pane that holds anything."""
        return max((segment.newest for segment in self.segments), default=_BEGINNING)

    @property
    def crowded(self) -> bool:
        """Whether there may be more keys than the cap allows."""
        return sum(segment.sums.keys.height for segment in self.segments) > self.key_cap

    def evict(self) -> None:
        """Forget closed panes of the least suspect keys, in a total order, and count them.

        Order: lowest share of the limit, then oldest, then key. Only the panes that are in the
        window that ends with the pane closed last count.
        """
        sums = self.everything()
        settled = sums.panes.filter(pl.col("pane") < self.closed, pl.col("pane") >= self.horizon)
        totals = settled.group_by(KEY).agg(pl.col("count").sum(), pl.col("last").max())
        excess = totals.height - self.key_cap
        if excess <= 0:
            return
        limits = pl.Series("limit", self.thresholds).gather(totals["series"])
        share = (pl.col("count").cast(pl.Float64) / limits.cast(pl.Float64)).alias("share")
        leaving = totals.with_columns(share).sort("share", "last", *KEY).head(excess).select(KEY)
        for series, count in leaving.group_by("series").len().iter_rows():
            self.evicted[series] = self.evicted.get(series, 0) + count
        panes = _without(sums.panes, leaving, self.closed)
        values = _without(sums.values, leaving, self.closed)
        members = _without(sums.members, leaving, self.closed)
        self.replace(Sums(panes, values, members, _keys_of(panes, values, sums.keys)))


def _since(every: Sequence[Sums], horizon: int) -> Sums:
    """Return sums as one, without the panes before the horizon."""
    recent = pl.col("pane") >= horizon
    panes = add_panes([sums.panes.filter(recent) for sums in every])
    values = add_values([sums.values.filter(recent) for sums in every])
    return Sums(
        panes,
        values,
        add_members([sums.members.filter(recent) for sums in every]),
        _keys_of(panes, values, add_keys([sums.keys for sums in every])),
    )


def _keys_of(panes: pl.DataFrame, values: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return KEY_SCHEMA of these panes and values, with entity and group by `names`."""
    counted = panes.group_by(KEY).agg(pl.col("count").sum())
    distinct = values.select(*KEY, "value").unique().group_by(KEY).agg(distinct=pl.len())
    return (
        counted.join(distinct, on=KEY, how="left")
        .join(names.select(*KEY, "entity", "group"), on=KEY, how="left")
        .with_columns(pl.col("distinct").fill_null(0).cast(pl.Int64))
        .select(*KEY_SCHEMA)
    )


def _without(rows: pl.DataFrame, leaving: pl.DataFrame, closed: int) -> pl.DataFrame:
    """Return rows without the closed panes of the keys that leave."""
    settled = pl.col("pane") < closed
    stay = rows.filter(settled).join(leaving, on=KEY, how="anti")
    return pl.concat([stay, rows.filter(~settled)])
