"""Columns of a batch as arrays, each worked out once and only if some series wants it."""

from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

from detectors.fields import DERIVED, field
from detectors.naming import WRITTEN, shown
from detectors.series import SOURCE_SHIFT, TIME_SHIFT
from ingest.distinct import Distinct

Rows = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Stands for a missing value in a hash of several columns, and for the key of all traffic.
NOTHING: Final = np.uint64(0)

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD: Final = np.uint64(0xBF58476D1CE4E5B9)


class Arrays:
    """A batch's columns as arrays over its rows."""

    def __init__(self, events: pl.DataFrame) -> None:
        self.events = events
        self.time: Ints = events["effective_time"].to_physical().to_numpy()
        self.windowed: Bools = events["windowed"].to_numpy()
        self.edge: Bools = events["edge"].to_numpy()
        self._hashes: dict[str, tuple[Hashes, Bools | None]] = {}
        self._names: dict[str, pl.Series] = {}

    def hashes(self, columns: tuple[str, ...], rows: Rows) -> Hashes:
        """Return a fixed 64-bit hash of the columns for some rows.

        xxh3, mixed where there are several: the same in every process, version and machine. A
        missing value is one value like others. No column at all gives NOTHING.
        """
        if not columns:
            return np.full(len(rows), NOTHING)
        return reduce(mixed, (self._hashed(name, rows)[0] for name in columns))

    def missing(self, columns: tuple[str, ...], rows: Rows) -> Bools | None:
        """Return in which of some rows any of the columns is missing; None if in none."""
        gaps = [gap for name in columns if (gap := self._hashed(name, rows)[1]) is not None]
        return np.logical_or.reduce(gaps) if gaps else None

    def _hashed(self, name: str, rows: Rows) -> tuple[Hashes, Bools | None]:
        """Return hashes of a column's values in some rows, and where they are missing."""
        if name in DERIVED:  # costs more than to look at the few rows that want it
            return _hashes_of(self.on(rows, field(name).expr.cast(pl.String)))
        if name not in self._hashes:
            self._hashes[name] = _hashes_of(self.events[name].cast(pl.String))
        hashed, missing = self._hashes[name]
        return hashed[rows], None if missing is None else missing[rows]

    def on(self, rows: Rows, expression: pl.Expr) -> pl.Series:
        """Return an expression's values on some rows."""
        needed = self.events.select(list(dict.fromkeys(expression.meta.root_names())))
        return needed[rows].select(expression.alias("found")).to_series()

    def moments(self, rows: Rows) -> Hashes:
        """Return the kept times of some rows (see `series.TIME_SHIFT`), without a source."""
        position = self.events["position"].gather(rows).fill_null(0).to_numpy().view(np.uint64)
        apart = (position * _GOLDEN) >> np.uint64(64 - SOURCE_SHIFT)
        found: Hashes = (self.time[rows].view(np.uint64) << np.uint64(TIME_SHIFT)) | apart
        return found

    def numbers(self, name: str, rows: Rows) -> tuple[Ints, Bools]:
        """Return a number field's values on some rows, and where they are present."""
        found = self.on(rows, field(name).expr.cast(pl.Int64))
        return found.fill_null(0).to_numpy(), found.is_not_null().to_numpy()

    def texts(self, name: str, rows: pl.Series) -> pl.Series:
        """Return a column's values on some rows as text, as findings may tell them."""
        if name not in WRITTEN:
            return self.events[name].gather(rows).cast(pl.String)
        if name not in self._names:
            distinct = Distinct.of(self.events.select(name))
            self._names[name] = distinct.spread(shown(distinct.rows[name]))
        return self._names[name].gather(rows)


def _hashes_of(texts: pl.Series) -> tuple[Hashes, Bools | None]:
    column: Any = plh.col("text")
    hashing: pl.Expr = column.nchash.xxh3_64()
    hashed = texts.to_frame("text").select(hashing).to_series()
    missing = hashed.is_null().to_numpy() if hashed.null_count() else None
    return hashed.fill_null(0).to_numpy(), missing


def mixed(one: Hashes, other: Hashes) -> Hashes:
    """Mix two hashes to one; the order matters (multiply and shift, after splitmix64)."""
    both = (one ^ (one >> np.uint64(32))) * _GOLDEN + other
    both = (both ^ (both >> np.uint64(29))) * _ODD
    result: Hashes = both ^ (both >> np.uint64(32))
    return result
