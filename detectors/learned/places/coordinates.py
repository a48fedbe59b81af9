"""How far apart addresses are whose coordinates are known, and what of that is one place.

A location is the text that `ingest.location` writes: latitude, longitude, radius.
"""

from typing import Final

import polars as pl

from detectors.learned.places.outlines import EARTH_KM

#: Degrees that are one place, where it is learned which are usual: some 200 km from south to north.
PLACE_DEGREES: Final = 2


def kilometres(one: str, other: str) -> pl.Expr:
    """Return how far apart two columns of locations are at least (km), 0 if that may be nothing.

    The great circle between the two points (haversine), less both radii. Null where one of them is
    no location.
    """
    lat, lat2 = _number(one, 0).radians(), _number(other, 0).radians()
    half = ((lat2 - lat) / 2).sin() ** 2 + lat.cos() * lat2.cos() * (
        (_number(other, 1) - _number(one, 1)).radians() / 2
    ).sin() ** 2
    between = 2 * EARTH_KM * half.clip(0.0, 1.0).sqrt().arcsin()
    left = between - _number(one, 2) - _number(other, 2)
    return left.clip(0.0).floor().cast(pl.Int64)


def place(column: str) -> pl.Expr:
    """Return the coarse place of a column of locations, for example "20,6"."""
    cells = [
        (_number(column, part) / PLACE_DEGREES).floor().cast(pl.Int64).cast(pl.String)
        for part in (0, 1)
    ]
    return pl.concat_str(cells, separator=",")


def _number(column: str, part: int) -> pl.Expr:
    parts = pl.col(column).str.split(",").list
    number = parts.get(part, null_on_oob=True).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)
