"""Each distinct value of a column once: what is worked out per value, not per row."""

from dataclasses import dataclass
from typing import Self

import polars as pl


@dataclass(frozen=True, slots=True)
class Distinct:
    """The distinct rows of a frame, in order of their first row, and where each row's stand."""

    rows: pl.DataFrame
    _at: pl.Series

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """Find the distinct rows of `frame`, null being a value like any other.

        Rows are told apart by a 64-bit hash, which is then verified; whoever sends values of the
        same hash gains nothing but the slower way.
        """
        hashes = frame.hash_rows().alias("hash")
        first = hashes.arg_unique()
        rows = frame[first]
        at = _places(hashes.to_frame(), hashes.gather(first).to_frame())
        for column in frame:
            if not rows[column.name].gather(at).eq_missing(column).all():
                rows = frame.unique(maintain_order=True)
                return cls(rows, _places(frame, rows))
        return cls(rows, at)

    def spread(self, values: pl.Series) -> pl.Series:
        """Return for each row of the frame the value that stands beside its distinct row."""
        return values.gather(self._at)

    def spread_all(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return for each row of the frame the row that stands beside its distinct row."""
        return rows[self._at]


def _places(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    keys = frame.columns
    numbered = rows.with_row_index("_at")
    joined = frame.join(numbered, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return joined["_at"]
