"""The state of the series of one window: their panes, as far back as the window reaches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
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
from detectors.arrays import Bools, Hashes, Ints
from detectors.panes import Panes

#: Keys kept per table in closed panes; the least suspect leave first.
KEY_CAP: Final = 2_000_000

#: A key that may violate: who it is, the key of its group, and `bound`, which limits from above
#: what any window of it holds.
SUSPECT_SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64(), "entity": pl.String(), "group": pl.UInt64(), "bound": pl.Int64()}
)

#: Segments after which the newest are merged when they are of like size.
_SEGMENTS: Final = 8

_BEGINNING: Final = -(2**61)
END: Final = 2**61


@dataclass(frozen=True, slots=True)
class Segment:
    """Aggregates of some batches, the rows of each series together, its keys in order.

    `starts` says for each frame of `sums` where the rows of each series begin. `newest` is the
    start of the newest pane. `key` are the keys of `sums.keys`, `bound` what each of them has of
    what is judged: matches or, where the series keeps them, distinct values; `greatest` the
    greatest of each series.
    """

    sums: Sums
    starts: tuple[Ints, ...]
    newest: int
    key: Hashes
    bound: Ints
    greatest: Ints

    @classmethod
    def of(cls, sums: Sums, distinct: Bools) -> "Segment":
        """Return the segment of some sums; `distinct` says which series are judged by values."""
        keyed = sums.keys[np.argsort(sums.keys["key"].to_numpy())]
        every = (*sums.frames()[:-1], keyed)
        frames, starts = zip(*(_by_series(each, len(distinct)) for each in every), strict=True)
        ordered = Sums(*frames)
        series = ordered.keys["series"].to_numpy()
        count, values = ordered.keys["count"].to_numpy(), ordered.keys["distinct"].to_numpy()
        bound = np.where(distinct[series], values, count)
        greatest = np.zeros(len(distinct), np.int64)
        np.maximum.at(greatest, series, bound)
        newest = int(ordered.panes["pane"].to_numpy().max(initial=_BEGINNING))
        return cls(ordered, starts, newest, ordered.keys["key"].to_numpy(), bound, greatest)

    def of_series(self, number: int) -> Sums:
        """Return the rows of one series."""
        return Sums(
            *(
                frame.slice(int(starts[number]), int(starts[number + 1] - starts[number]))
                for frame, starts in zip(self.sums.frames(), self.starts, strict=True)
            )
        )

    def keys_of(self, number: int) -> slice:
        """Return where the keys of a series are, in order."""
        begin, end = self.starts[-1][number : number + 2]
        return slice(int(begin), int(end))

    def places_of(self, number: int, keys: Hashes) -> Ints:
        """Return in which rows of `sums.keys` some keys of a series are, -1 for those not here."""
        there = self.keys_of(number)
        mine = self.key[there]
        if not len(mine):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(mine, keys), len(mine) - 1)
        return np.where(mine[places] == keys, places + there.start, -1)

    def bounds_of(self, number: int, keys: Hashes) -> Ints:
        """Return what some keys have in a series, 0 for those that are not here."""
        if not len(self.bound):
            return np.zeros(len(keys), np.int64)
        places = self.places_of(number, keys)
        return np.where(places >= 0, self.bound[places], 0)

    def merged(self, other: "Segment", horizon: int, distinct: Bools) -> "Segment":
        """Return both as one, without the panes before the horizon."""
        return Segment.of(_since([self.sums, other.sums], horizon), distinct)


def _by_series(frame: pl.DataFrame, count: int) -> tuple[pl.DataFrame, Ints]:
    """Return the rows in order of their series, and where each series begins and the last ends."""
    series = frame["series"].to_numpy()
    order = np.argsort(series, kind="stable")
    starts: Ints = np.searchsorted(series[order], np.arange(count + 1))
    return frame[order], starts


@dataclass(slots=True)
class Table:
    """Pane aggregates in segments, and up to where panes are closed.

    `fresh` are the segments as they came, of which some pane is open.

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
    fresh: list[Segment] = field(default_factory=list)

    def add(self, sums: Sums) -> None:
        """Take in a batch's aggregates."""
        if sums.panes.is_empty():
            return
        self.segments.append(Segment.of(sums, self.distinct))
        self.fresh.append(self.segments[-1])
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

    def suspects(self, number: int, least: int, *, newest: bool) -> pl.DataFrame:
        """Return the keys of a series that may have at least so much: SUSPECT_SCHEMA.

        Looked at are the keys of what was added last (`newest`), or all that have had matches in
        open panes.
        """
        nobody = pl.DataFrame(schema=SUSPECT_SCHEMA)
        keys = self._touched(number, self.fresh[-1:] if newest else self.fresh)
        if not len(keys):
            return nobody
        bound = np.zeros(len(keys), np.int64)
        rest = int(self.bounds()[number])
        for segment in sorted(self.segments, key=lambda each: -each.greatest[number]):
            rest -= int(segment.greatest[number])
            bound += segment.bounds_of(number, keys)
            enough = bound + rest >= least
            keys, bound = keys[enough], bound[enough]
            if not len(keys):
                return nobody
        return self._named(number, keys).with_columns(pl.Series("bound", bound))

    def _named(self, number: int, keys: Hashes) -> pl.DataFrame:
        """Return `key` (in order), `entity` and `group` of some keys of a series."""
        found: list[pl.DataFrame] = []
        left = keys
        for segment in self.segments:
            places = segment.places_of(number, left)
            there = places >= 0
            if there.any():
                found.append(segment.sums.keys.select("key", "entity", "group")[places[there]])
                left = left[~there]
        return pl.concat(found).sort("key")

    def _touched(self, number: int, segments: Sequence[Segment]) -> Hashes:
        some = [segment.key[segment.keys_of(number)] for segment in segments]
        if len(some) == 1:
            return some[0]
        return np.unique(np.concatenate(some)) if some else np.zeros(0, np.uint64)

    def rows(self, number: int, keys: pl.Series | None) -> Sums:
        """Return what is stored of a series, of some keys (None: of all), each row once."""
        every = [segment.of_series(number) for segment in self.segments]
        wanted = pl.lit(value=True) if keys is None else pl.col("key").is_in(keys.implode())
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
        self.fresh = [segment for segment in self.fresh if segment.newest >= self.closed]
        self.segments = [s for s in self.segments if s.newest >= self.horizon]

    def take_up(self, every: Sequence[Sums]) -> None:
        """Go on with segments of before; `closed` says which of their panes are open."""
        self.segments = [Segment.of(sums, self.distinct) for sums in every if sums.panes.height]
        self.fresh = [segment for segment in self.segments if segment.newest >= self.closed]

    def replace(self, sums: Sums) -> None:
        """Hold these rows and no others."""
        self.segments = [] if sums.panes.is_empty() else [Segment.of(sums, self.distinct)]
        self.fresh = list(self.segments)

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
