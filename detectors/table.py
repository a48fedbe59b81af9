"""The state of the series of one window: their panes, as far back as the window reaches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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
from detectors.arrays import Bools, Hashes, Ints
from detectors.panes import Panes

#: Keys kept per table in closed panes; the least suspect leave first.
KEY_CAP: Final = 2_000_000

#: A key that may violate: who it is, the key of its group, and `bound`, which limits from above
#: what any window of it holds.
SUSPECT_SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64(), "entity": pl.String(), "group": pl.UInt64(), "bound": pl.Int64()}
)
_NOBODY: Final = pl.DataFrame(schema=SUSPECT_SCHEMA)
_NO_TOTALS: Final = pl.DataFrame(
    schema={"key": pl.UInt64(), "count": pl.Int64(), "last": pl.Int64()}
)

#: Segments after which the newest are merged when they are of like size.
_SEGMENTS: Final = 8

#: Rows of a segment that is merged no further: to merge takes several times its memory.
_ROWS: Final = 500_000

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
        return cls._ordered([_copied(_by_series(frame)) for frame in every], distinct)

    @classmethod
    def _ordered(cls, frames: Sequence[pl.DataFrame], distinct: Bools) -> "Segment":
        """Return the segment of frames whose rows are in the order that it keeps them in."""
        sums = Sums(*frames)
        edges = np.arange(len(distinct) + 1)
        starts = tuple(np.searchsorted(frame["series"].to_numpy(), edges) for frame in frames)
        series = sums.keys["series"].to_numpy()
        count, values = sums.keys["count"].to_numpy(), sums.keys["distinct"].to_numpy()
        bound = np.where(distinct[series], values, count)
        greatest = np.zeros(len(distinct), np.int64)
        np.maximum.at(greatest, series, bound)
        newest = int(sums.panes["pane"].to_numpy().max(initial=_BEGINNING))
        return cls(sums, starts, newest, sums.keys["key"].to_numpy(), bound, greatest)

    @property
    def rows(self) -> int:
        """How many counts, values and members there are."""
        return sum(frame.height for frame in self.sums.frames()[:-1])

    def of_series(self, number: int) -> Sums:
        """Return the rows of one series."""
        return Sums(
            *(
                frame.slice(int(starts[number]), int(starts[number + 1] - starts[number]))
                for frame, starts in zip(self.sums.frames(), self.starts, strict=True)
            )
        )

    def panes_of(self, number: int) -> pl.DataFrame:
        """Return the counts of one series."""
        begin, end = self.starts[0][number : number + 2]
        return self.sums.panes.slice(int(begin), int(end - begin))

    def keys_of(self, number: int) -> slice:
        """Return where the keys of a series are, in order."""
        begin, end = self.starts[-1][number : number + 2]
        return slice(int(begin), int(end))

    def above(self, number: int, least: int) -> Hashes:
        """Return the keys of a series, in order, that have so much or more."""
        there = self.keys_of(number)
        return self.key[there][self.bound[there] >= least]

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

    def without(
        self, gone: Sequence[Hashes], horizon: int, closed: int, distinct: Bools
    ) -> "Segment":
        """Return it without panes before the horizon, and closed ones of keys, in order by series.

        What a key that stays has in all is left as it is: it bounds what it has from above.
        """
        frames = [
            frame.filter(pl.Series(self._stay(frame, starts, gone, horizon, closed)))
            for frame, starts in zip(self.sums.frames()[:-1], self.starts[:-1], strict=True)
        ]
        panes = frames[0]
        counted = np.zeros(len(self.key), np.bool_)
        for number, keys in enumerate(gone):
            there = self.keys_of(number)
            counted[there] = ~_among(self.key[there], keys)
            if len(keys) and self.newest >= closed:
                again = (panes["series"] == number) & (panes["pane"] >= closed)
                counted[self.places_of(number, panes["key"].filter(again).to_numpy())] = True
        return Segment._ordered([*frames, self.sums.keys.filter(pl.Series(counted))], distinct)

    @staticmethod
    def _stay(
        frame: pl.DataFrame, starts: Ints, gone: Sequence[Hashes], horizon: int, closed: int
    ) -> Bools:
        pane, key = frame["pane"].to_numpy(), frame["key"].to_numpy()
        stay: Bools = pane >= horizon
        for number, keys in enumerate(gone):
            mine = slice(int(starts[number]), int(starts[number + 1]))
            stay[mine] &= ~_among(key[mine], keys) | (pane[mine] >= closed)
        return stay

    def merged(self, other: "Segment", horizon: int, distinct: Bools) -> "Segment":
        """Return both as one, without the panes before the horizon."""
        return Segment.of(_since([self.sums, other.sums], horizon), distinct)


def _by_series(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of their series."""
    return frame[np.argsort(frame["series"].to_numpy(), kind="stable")]


def _copied(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with texts of their own: else a row holds its whole batch in memory."""
    end = pl.lit("\n")
    return frame.with_columns(
        pl.concat_str(name, end).str.strip_suffix("\n").alias(name)
        for name in ("entity", "member")
        if name in frame.columns
    )


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
    _keys: int = 0  # as many there are at most, in all panes
    _settled: int = 0  # as many there are at most, in closed panes
    _counted: bool = False  # whether they were counted since some were forgotten

    def add(self, sums: Sums) -> None:
        """Take in a batch's aggregates."""
        if sums.panes.is_empty():
            return
        self.segments.append(Segment.of(sums, self.distinct))
        self.fresh.append(self.segments[-1])
        self._keys += sums.keys.height
        while len(self.segments) > _SEGMENTS and self._alike():
            newer, older = self.segments.pop(), self.segments.pop()
            if older.newest < self.horizon:
                self.segments.append(newer)
            else:
                self.segments.append(older.merged(newer, self.horizon, self.distinct))
        self._count()

    def _alike(self) -> bool:
        newer, older = self.segments[-1].rows, self.segments[-2].rows
        return newer * 2 >= older and newer + older <= _ROWS

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
        keys = self._able(number, least, self.fresh[-1:] if newest else self.fresh)
        if not len(keys):
            return _NOBODY
        bound = np.zeros(len(keys), np.int64)
        rest = int(self.bounds()[number])
        for segment in sorted(self.segments, key=lambda each: -each.greatest[number]):
            rest -= int(segment.greatest[number])
            bound += segment.bounds_of(number, keys)
            enough = bound + rest >= least
            keys, bound = keys[enough], bound[enough]
            if not len(keys):
                return _NOBODY
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

    def _holding(self, number: int) -> list[Segment]:
        """Return the segments that have matches of a series: most have only of a few."""
        return [s for s in self.segments if s.starts[0][number] < s.starts[0][number + 1]]

    def _touched(self, number: int, segments: Sequence[Segment]) -> Hashes:
        return _union([segment.key[segment.keys_of(number)] for segment in segments])

    def _able(self, number: int, least: int, segments: Sequence[Segment]) -> Hashes:
        """Return the keys of some segments, without most of those that have less than so much.

        Who has so much in all has its share of it, or more, in one of the segments at least.
        """
        holding = [segment for segment in self.segments if segment.greatest[number]]
        share = -(-least // max(len(holding), 1))
        if share <= 1:
            return self._touched(number, segments)
        keys = _union([segment.above(number, share) for segment in holding])
        touched = np.zeros(len(keys), np.bool_)
        for segment in segments:
            touched |= segment.places_of(number, keys) >= 0
        return keys[touched]

    def rows(self, number: int, keys: pl.Series | None) -> Sums:
        """Return what is stored of a series, of some keys (None: of all), each row once."""
        every = [segment.of_series(number) for segment in self._holding(number)]
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
        kept = [segment for segment in self.segments if segment.newest >= self.horizon]
        if len(kept) < len(self.segments):
            self.segments, self._counted = kept, False

    def take_up(self, every: Sequence[Sums]) -> None:
        """Go on with segments of before; `closed` says which of their panes are open."""
        self.segments = [Segment.of(sums, self.distinct) for sums in every if sums.panes.height]
        self.fresh = [segment for segment in self.segments if segment.newest >= self.closed]
        self._keys = self._settled = self._key_rows()
        self._counted = False

    @property
    def newest(self) -> int:
        """The start of the newest pane that holds anything."""
        return max((segment.newest for segment in self.segments), default=_BEGINNING)

    @property
    def crowded(self) -> bool:
        """Whether there may be more keys than the cap allows."""
        return min(self._keys, self._key_rows()) > self.key_cap

    def _key_rows(self) -> int:
        return sum(segment.sums.keys.height for segment in self.segments)

    def _count(self) -> None:
        """Count the keys if there may be too many, and not again before some are forgotten."""
        if self.crowded and not self._counted:
            every = range(len(self.distinct))
            self._keys = sum(len(self._touched(number, self.segments)) for number in every)
            self._counted = True

    def overflow(self, until: int) -> int | None:
        """Return the end of the first pane to close that leaves too many keys in closed panes.

        Of the panes that start before `until`; None if there is no such pane. Counted are keys
        in the window that ends with the pane, which is the same however the stream was cut.
        """
        if not self.crowded:
            self._settled = min(self._keys, self._key_rows())
            return None
        for pane, cells in self._closing(until):
            self._settled += cells
            if self._settled > self.key_cap:
                end = pane + self.panes.length
                self._settled = self._keys_between(end - self.panes.span, end)
                if self._settled > self.key_cap:
                    return end
        return None

    def _closing(self, until: int) -> Iterator[tuple[int, int]]:
        """Yield the open panes that start before a time, and how many counts they hold at most."""
        closing = pl.col("pane").is_between(self.closed, until, closed="left")
        held = [s.sums.panes.select("pane").filter(closing) for s in self.fresh]
        yield from pl.concat(held).group_by("pane").len().sort("pane").iter_rows() if held else ()

    def _keys_between(self, since: int, until: int) -> int:
        totals = (self._totals(number, since, until) for number in range(len(self.distinct)))
        return sum(total["key"].n_unique() for total in totals)

    def _totals(self, number: int, since: int, until: int) -> pl.DataFrame:
        """Return `key`, `count` and `last` of a series, by the segments, of panes in a stretch."""
        inside = pl.col("pane").is_between(since, until, closed="left")
        holding = [segment.panes_of(number) for segment in self._holding(number)]
        every = [panes.select("pane", "key", "count", "last") for panes in holding]
        return pl.concat(every).filter(inside).drop("pane") if every else _NO_TOTALS

    def evict(self) -> None:
        """Forget closed panes of the least suspect keys, in a total order, and count them.

        Order: lowest share of the limit, then oldest, then key. Only the panes that are in the
        window that ends with the pane closed last count. So many leave that it takes a while
        until there are too many again: to find out who has the least costs as much for one.
        """
        found = [
            self._totals(number, self.horizon, self.closed)
            .group_by("key")
            .agg(pl.col("count").sum(), pl.col("last").max())
            for number in range(len(self.distinct))
        ]
        series = np.repeat(np.arange(len(found)), [totals.height for totals in found])
        key = np.concatenate([totals["key"].to_numpy() for totals in found])
        count = np.concatenate([totals["count"].to_numpy() for totals in found])
        last = np.concatenate([totals["last"].to_numpy() for totals in found])
        del found
        share = count.astype(np.float64) / self.thresholds[series].astype(np.float64)
        leaving = _least((share, last, series, key), len(key) - _kept(self.key_cap))
        gone = [np.sort(key[leaving & (series == n)]) for n in range(len(self.distinct))]
        for number, keys in enumerate(gone):
            if len(keys):
                self.evicted[number] = self.evicted.get(number, 0) + len(keys)
        self._settled = len(key) - int(leaving.sum())
        self._leave(gone)

    def _leave(self, gone: Sequence[Hashes]) -> None:
        """Drop the closed panes of some keys, in order, of each series."""
        before, self.segments, self.fresh = self.segments, [], []
        while before:  # one by one, so that not all of it is in memory twice
            left = before.pop(0).without(gone, self.horizon, self.closed, self.distinct)
            if left.sums.panes.height:
                self.segments.append(left)
        self.fresh = [segment for segment in self.segments if segment.newest >= self.closed]
        self._counted = False


def _kept(cap: int) -> int:
    """Return how many keys stay where there were more than the cap."""
    return cap - cap // 2


def _union(every: Sequence[Hashes]) -> Hashes:
    """Return keys of several arrays, each of which has them in order, in order and once."""
    if len(every) == 1:
        return every[0]
    both = np.sort(np.concatenate(every)) if every else np.zeros(0, np.uint64)
    return both[np.insert(both[1:] != both[:-1], 0, values=True)] if len(both) else both


def _among(keys: Hashes, some: Hashes) -> Bools:
    """Return which keys are among some, which are in order."""
    if not len(some):
        return np.zeros(len(keys), np.bool_)
    found: Bools = some[np.minimum(np.searchsorted(some, keys), len(some) - 1)] == keys
    return found


def _least(columns: Sequence[npt.NDArray[Any]], count: int) -> Bools:
    """Return which rows are the first so many in the order of columns, without sorting them."""
    leaving = np.zeros(len(columns[0]), np.bool_)
    left = np.arange(len(leaving))
    for column in columns:
        if count <= 0:
            break
        values = column[left]
        cut = np.partition(values, count - 1)[count - 1]
        first = left[values < cut]
        leaving[first] = True
        count -= len(first)
        left = left[values == cut]
    leaving[left[: max(count, 0)]] = True
    return leaving


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
