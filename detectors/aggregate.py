"""The heavy half: matches summed per series, key and pane.

Everything here is a commutative sum over integers and sets: the same matches in another order,
or cut into other batches, give the same frames. An existing engine could do this half over many
machines and hand the frames on (PANE_SCHEMA, VALUE_SCHEMA, MEMBER_SCHEMA and KEY_SCHEMA are the
interface).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.arrays import Arrays, Bools, Hashes, Ints, Rows, mixed
from detectors.panes import Panes
from detectors.series import SOURCE_SHIFT, Part, Series, Source

#: What every frame is keyed by: the number of the series, and the hash of its key columns.
KEY: Final = ("series", "key")

_KEYED: Final = {"series": pl.UInt16(), "key": pl.UInt64()}

#: One row per key and pane: how much was counted, and the first and last time.
PANE_SCHEMA: Final = pl.Schema(
    {
        **_KEYED,
        "pane": pl.Int64(),  # start, us since 1970
        "count": pl.Int64(),
        "first": pl.Int64(),  # effective time, us since 1970
        "last": pl.Int64(),
    }
)

#: One row per distinct value that a key showed in a pane.
VALUE_SCHEMA: Final = pl.Schema({**_KEYED, "pane": pl.Int64(), "value": pl.UInt64()})

#: One row per client that a key counted in a pane.
MEMBER_SCHEMA: Final = pl.Schema({**_KEYED, "pane": pl.Int64(), "member": pl.String()})

#: One row per key: all that was counted, the most distinct values it can have, its entity, and
#: the key of its group.
KEY_SCHEMA: Final = pl.Schema(
    {
        **_KEYED,
        "count": pl.Int64(),
        "distinct": pl.Int64(),
        "entity": pl.String(),
        "group": pl.UInt64(),
    }
)

#: Distinct values kept per key and pane: the smallest hashes, whatever came first.
VALUES_PER_PANE: Final = 10_000

_SLOT_BITS: Final = 18


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches of one series in a batch, as arrays of one length.

    `row` is the place among the batch's events, `value` empty where the series keeps none.
    `source` is which of the sources matched.
    """

    row: Rows
    key: Hashes
    source: npt.NDArray[np.uint8]
    weight: Ints | None
    value: Hashes | None

    def only(self, kept: Bools) -> "Matches":
        """Return some of them."""
        return Matches(
            self.row[kept],
            self.key[kept],
            self.source[kept],
            None if self.weight is None else self.weight[kept],
            None if self.value is None else self.value[kept],
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """What a batch adds to the series of one window: frames of the four schemas."""

    panes: pl.DataFrame
    values: pl.DataFrame
    members: pl.DataFrame
    keys: pl.DataFrame

    def frames(self) -> tuple[pl.DataFrame, ...]:
        """Return all four, in the order of SCHEMAS."""
        return self.panes, self.values, self.members, self.keys

    @classmethod
    def nothing(cls) -> "Sums":
        """Return sums without rows."""
        return cls(*(pl.DataFrame(schema=schema) for schema in SCHEMAS))


SCHEMAS: Final = (PANE_SCHEMA, VALUE_SCHEMA, MEMBER_SCHEMA, KEY_SCHEMA)


def matches(series: Series, arrays: Arrays, accepted: Mapping[Part, Rows]) -> Matches | None:
    """Return the matches of a series, None if there are none.

    Events without the entity or the value are no matches: missing is not a value.
    """
    found = [m for m in _by_source(series, arrays, accepted) if len(m.row)]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    weights = [m.weight for m in found if m.weight is not None]
    values = [m.value for m in found if m.value is not None]
    return Matches(
        np.concatenate([m.row for m in found]),
        np.concatenate([m.key for m in found]),
        np.concatenate([m.source for m in found]),
        np.concatenate(weights) if weights else None,
        np.concatenate(values) if values else None,
    )


def _by_source(series: Series, arrays: Arrays, accepted: Mapping[Part, Rows]) -> Iterator[Matches]:
    ordered = series.kept in {"rule", "time"}
    alike: dict[tuple[str, ...], list[tuple[int, Source]]] = {}
    for place, source in enumerate(series.sources):
        alike.setdefault((*source.keys, str(place)) if ordered else source.keys, []).append(
            (place, source)
        )
    for sources in alike.values():
        place, first = sources[0]
        rows = _union([accepted[source.part] for _, source in sources])
        rows = _counted(series, first, arrays, rows)
        if len(rows):
            yield _with_values(series, place, first, arrays, rows)


def _union(rows: Sequence[Rows]) -> Rows:
    return rows[0] if len(rows) == 1 else np.unique(np.concatenate(rows))


def _counted(series: Series, source: Source, arrays: Arrays, rows: Rows) -> Rows:
    """Return which of the rows count: within what time, role and exceptions allow."""
    if not len(rows):
        return rows
    if not series.windowless and not arrays.windowed.all():
        rows = rows[arrays.windowed[rows]]
    if series.edge and not arrays.edge.all():
        rows = rows[arrays.edge[rows]]
    if not series.watches_all:
        missing = arrays.missing(source.keys[:1], rows)
        if missing is not None:
            rows = rows[~missing]
    if series.exceptions and len(rows):
        kept = ~pl.any_horizontal(each.expression() for each in series.exceptions)
        rows = rows[arrays.on(rows, kept).to_numpy()]
    return rows


def _with_values(series: Series, place: int, source: Source, arrays: Arrays, rows: Rows) -> Matches:
    key = arrays.hashes(source.keys, rows)
    weight = value = None
    present: Bools | None = None
    if series.weight is not None:
        weight, present = arrays.numbers(series.weight, rows)
    if series.kept == "hash":
        value = arrays.hashes(series.values, rows)
        missing = None if series.values_optional else arrays.missing(series.values, rows)
        present = None if missing is None else ~missing
    elif series.kept == "number":
        number, present = arrays.numbers(series.values[0], rows)
        value = number.view(np.uint64)
    elif series.kept == "rule":
        value = np.full(len(rows), place, np.uint64)
    elif series.kept == "time":
        value = arrays.moments(rows) | np.uint64(place << SOURCE_SHIFT)
    found = Matches(rows, key, np.full(len(rows), place, np.uint8), weight, value)
    return found if present is None or present.all() else found.only(present)


@dataclass(frozen=True, slots=True)
class Complete:
    """A stretch of event time (us) of which all events are at hand, and none else are."""

    since: int
    until: int

    def inside(self, window: timedelta) -> "Complete":
        """Return the part of it of which every window that reaches there is complete too."""
        panes = Panes.of(window)
        reach = panes.span + panes.length
        return Complete(self.since + reach, self.until - reach)


def spared(found: Matches, least: int, inside: Complete, arrays: Arrays) -> Matches | None:
    """Return the matches without those that can be part of no violation.

    Those inside whose key has fewer than `least` matches in all the batch: all windows that hold
    them do. Keys are counted by some of their bits, which can only keep too many.
    """
    slots = (found.key >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)
    many = np.bincount(slots, minlength=2**_SLOT_BITS) >= least
    time = arrays.time[found.row]
    kept = many[slots] | (time <= inside.since) | (time >= inside.until)
    if kept.all():
        return found
    return found.only(kept) if kept.any() else None


def summed(panes: Panes, arrays: Arrays, found: Mapping[int, tuple[Series, Matches]]) -> Sums:
    """Sum the matches of the series of one window, by the numbers of the series."""
    if not found:
        return Sums.nothing()
    start = arrays.time // panes.length * panes.length
    every = _Long.of(found, start)
    cells = (
        pl.DataFrame({"cell": every.cell, "time": arrays.time[every.row], "weight": every.weight})
        .with_row_index("place")
        .group_by("cell")
        .agg(
            pl.col("weight").sum().alias("count"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("place").first(),
            pl.len().alias("matches"),
        )
    )
    place = cells["place"].to_numpy()
    summed_panes = cells.select(
        pl.Series("series", every.series[place]),
        pl.Series("key", every.key[place]),
        pl.Series("pane", start[every.row[place]]),
        "count",
        "first",
        "last",
    )
    values = _values(found, start, int(cells["matches"].to_numpy().max()))
    rows = (pl.Series("row", every.row[place]), pl.Series("source", every.source[place]))
    series = {number: series for number, (series, _) in found.items()}
    return Sums(
        summed_panes,
        values,
        _members(found, arrays, start),
        _keys(summed_panes.with_columns(*rows), values, arrays, series),
    )


@dataclass(frozen=True, slots=True)
class _Long:
    """Matches of several series as arrays of one length; `cell` tells series, key and pane."""

    series: npt.NDArray[np.uint16]
    key: Hashes
    source: npt.NDArray[np.uint8]
    row: Rows
    weight: Ints
    cell: Hashes

    @classmethod
    def of(cls, found: Mapping[int, tuple[Series, Matches]], start: Ints) -> "_Long":
        lengths = [len(m.row) for _, m in found.values()]
        series = np.repeat(np.array(list(found), np.uint16), lengths)
        key = np.concatenate([m.key for _, m in found.values()])
        source = np.concatenate([m.source for _, m in found.values()])
        row = np.concatenate([m.row for _, m in found.values()])
        weight = np.concatenate([_weights(m) for _, m in found.values()])
        cell = mixed(mixed(key, series.astype(np.uint64)), start[row].view(np.uint64))
        return cls(series, key, source, row, weight, cell)


def _weights(found: Matches) -> Ints:
    return np.ones(len(found.row), np.int64) if found.weight is None else found.weight


def _values(found: Mapping[int, tuple[Series, Matches]], start: Ints, most: int) -> pl.DataFrame:
    """Return the distinct values of the matches, of which a pane has at most `most`."""
    kept = [(number, m, m.value) for number, (_, m) in found.items() if m.value is not None]
    if not kept:
        return pl.DataFrame(schema=VALUE_SCHEMA)
    lengths = [len(value) for _, _, value in kept]
    series = np.repeat(np.array([number for number, _, _ in kept], np.uint16), lengths)
    key = np.concatenate([m.key for _, m, _ in kept])
    pane = start[np.concatenate([m.row for _, m, _ in kept])]
    value = np.concatenate([value for _, _, value in kept])
    told = mixed(mixed(mixed(key, series.astype(np.uint64)), pane.view(np.uint64)), value)
    place = pl.Series(told).arg_unique().to_numpy()
    distinct = pl.DataFrame(
        {"series": series[place], "key": key[place], "pane": pane[place], "value": value[place]}
    )
    return distinct if most <= VALUES_PER_PANE else capped(distinct, "value")


def _members(
    found: Mapping[int, tuple[Series, Matches]], arrays: Arrays, start: Ints
) -> pl.DataFrame:
    kept = [(number, m) for number, (series, m) in found.items() if series.members]
    if not kept:
        return pl.DataFrame(schema=MEMBER_SCHEMA)
    rows = np.concatenate([m.row for _, m in kept])
    frame = pl.DataFrame(
        {
            "series": np.repeat(
                np.array([number for number, _ in kept], np.uint16), [len(m.row) for _, m in kept]
            ),
            "key": np.concatenate([m.key for _, m in kept]),
            "pane": start[rows],
            "member": arrays.texts("client_ip", pl.Series(rows)),
        }
    )
    return capped(frame.drop_nulls("member").unique(), "member")


def _keys(
    cells: pl.DataFrame, values: pl.DataFrame, arrays: Arrays, series: Mapping[int, Series]
) -> pl.DataFrame:
    """Return KEY_SCHEMA of a batch: what each key has, who it is, and in which group."""
    keys = cells.group_by(*KEY).agg(
        pl.col("count").sum(), pl.col("row").first(), pl.col("source").first()
    )
    if values.is_empty():
        keys = keys.with_columns(distinct=pl.lit(0, pl.Int64))
    else:
        distinct = values.group_by(*KEY).agg(pl.len().cast(pl.Int64).alias("distinct"))
        keys = keys.join(distinct, on=KEY, how="left").with_columns(pl.col("distinct").fill_null(0))
    named: list[pl.DataFrame] = []
    for (entity, group), theirs in _kinds(series).items():
        part = keys.join(theirs, on=("series", "source"), how="semi")
        if part.is_empty():
            continue
        names = pl.lit("all") if entity is None else arrays.texts(entity, part["row"])
        groups = pl.Series("group", arrays.hashes(group, part["row"].to_numpy()))
        named.append(part.with_columns(names.alias("entity"), groups))
    return pl.concat(named).select(*KEY_SCHEMA)


def _kinds(
    series: Mapping[int, Series],
) -> dict[tuple[str | None, tuple[str, ...]], pl.DataFrame]:
    """Return by the columns of entity and group which series and sources have them."""
    found: dict[tuple[str | None, tuple[str, ...]], list[tuple[int, int]]] = {}
    for number, each in series.items():
        for place, source in enumerate(each.sources):
            kind = (None, source.keys) if each.watches_all else (source.keys[0], source.keys[1:])
            found.setdefault(kind, []).append((number, place))
    schema = {"series": pl.UInt16(), "source": pl.UInt8()}
    return {kind: pl.DataFrame(rows, schema, orient="row") for kind, rows in found.items()}


def add_panes(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of PANE_SCHEMA as one, each key and pane once."""
    if len(frames) == 1:
        return frames[0]
    if not frames:
        return pl.DataFrame(schema=PANE_SCHEMA)
    return (
        pl.concat(frames)
        .group_by(*KEY, "pane")
        .agg(pl.col("count").sum(), pl.col("first").min(), pl.col("last").max())
    )


def add_values(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of VALUE_SCHEMA as one, each value once, at most VALUES_PER_PANE a pane."""
    if not frames:
        return pl.DataFrame(schema=VALUE_SCHEMA)
    return frames[0] if len(frames) == 1 else capped(pl.concat(frames).unique(), "value")


def add_members(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of MEMBER_SCHEMA as one, each member once, at most VALUES_PER_PANE a pane."""
    if not frames:
        return pl.DataFrame(schema=MEMBER_SCHEMA)
    return frames[0] if len(frames) == 1 else capped(pl.concat(frames).unique(), "member")


def add_keys(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of KEY_SCHEMA as one, each key once."""
    if not frames:
        return pl.DataFrame(schema=KEY_SCHEMA)
    if len(frames) == 1:
        return frames[0]
    return (
        pl.concat(frames)
        .group_by(*KEY)
        .agg(
            pl.col("count").sum(),
            pl.col("distinct").sum(),
            pl.col("entity").first(),
            pl.col("group").first(),
        )
    )


def capped(distinct: pl.DataFrame, name: str) -> pl.DataFrame:
    """Keep the smallest where a key has more than VALUES_PER_PANE of a column in a pane."""
    if distinct.height <= VALUES_PER_PANE:
        return distinct
    sizes = distinct.group_by(*KEY, "pane").len()
    if int(sizes["len"].to_numpy().max()) <= VALUES_PER_PANE:
        return distinct
    rank = pl.col(name).rank("ordinal").over(*KEY, "pane")
    return distinct.filter(rank <= VALUES_PER_PANE)
