"""The heavy half: sizes of answers by route, large ones by client, and objects by client."""

from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh

from detectors.learned.sizes.entries import PANE
from ingest.lines import Ints

PANE_US: Final = PANE.seconds * 1_000_000
PANES_A_DAY: Final = 86_400_000_000 // PANE_US

#: Smaller answers are nobody's loot: they are not kept by client.
FLOOR: Final = 1 << 16

#: Buckets of each doubling.
PARTS: Final = 4

#: One answer in so many teaches the sizes of its route.
SAMPLE: Final = 4

#: What a row of the sums counts: answers of a size, large answers of a client, or requests of a
#: client for one object.
SIZE, LARGE, OBJECT = 0, 1, 2

SUMS_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.Int8(),
        "route": pl.String(),
        "client": pl.String(),  # null for SIZE
        "pane": pl.Int64(),  # panes since 1970
        "bucket": pl.Int16(),  # of the size; 0 for OBJECT
        "object": pl.UInt64(),  # hash of the path; 0 for others
        "count": pl.Int64(),
        "first": pl.Int64(),  # effective times, us since 1970
        "last": pl.Int64(),
    }
)
_BY: Final = ("kind", "route", "client", "pane", "bucket", "object")


def sums_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return what a batch (BATCH_SCHEMA) adds: answers 2xx, seen where clients arrive.

    Sizes are learned of every fourth answer by its position, which is as good and takes a quarter.
    """
    if events.is_empty():
        return pl.DataFrame(schema=SUMS_SCHEMA)
    column = {name: events[name] for name in ("route", "client_ip", "user", "api_key")}
    size = events["response_bytes"].fill_null(0).to_numpy()
    seen = events["edge"] & column["route"].is_not_null()
    seen &= events["status"].is_between(200, 299).fill_null(value=False)
    named = seen & column["client_ip"].is_not_null()
    known = column["user"].is_not_null() | column["api_key"].is_not_null()
    chosen = (events["position"].fill_null(0) % SAMPLE) == 0
    learned = (seen & chosen & pl.Series(size > 0)).arg_true()
    large = (named & pl.Series(size >= FLOOR)).arg_true()
    asked = (named & known).arg_true()
    asked = asked.filter(column["route"].gather(asked).str.contains("{", literal=True))
    objects = _rows(events, asked).with_columns(path=events["path"].gather(asked))
    objects = objects.with_columns(object=plh.col("path").nchash.xxh3_64())
    return pl.concat(
        [
            _grouped(_sized(events, learned), SIZE, ["route", "pane", "bucket"]),
            _grouped(_sized(events, large), LARGE, ["route", "client", "pane", "bucket"]),
            _grouped(objects, OBJECT, ["route", "client", "pane", "object"]),
        ]
    )


def _rows(events: pl.DataFrame, at: pl.Series) -> pl.DataFrame:
    time = events["effective_time"].to_physical().gather(at)
    return pl.DataFrame(
        {
            "route": events["route"].gather(at),
            "client": events["client_ip"].gather(at),
            "time": time,
            "pane": time // PANE_US,
        }
    )


def _sized(events: pl.DataFrame, at: pl.Series) -> pl.DataFrame:
    sizes = events["response_bytes"].gather(at).to_numpy()
    return _rows(events, at).with_columns(pl.Series("bucket", bucket_of(sizes), pl.Int16))


def added(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of SUMS_SCHEMA, each of its kind and place once."""
    sums = rows.group_by(_BY).agg(
        pl.col("count").sum(), pl.col("first").min(), pl.col("last").max()
    )
    return sums.sort(_BY)


def bucket_of(values: Ints) -> Ints:
    """Return the buckets of positive numbers: four of each doubling, in exact arithmetic."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    return exponent.astype(np.int64) * PARTS + ((mantissa - 0.5) * 2 * PARTS).astype(np.int64)


def most_of(bucket: int) -> int:
    """Return the largest number that may be in a bucket."""
    exponent, part = divmod(bucket, PARTS)
    return int((0.5 + (part + 1) / (2 * PARTS)) * 2.0**exponent)


def _grouped(rows: pl.DataFrame, kind: int, by: list[str]) -> pl.DataFrame:
    sums = rows.group_by(by).agg(
        count=pl.len(), first=pl.col("time").min(), last=pl.col("time").max()
    )
    nothing = {"client": pl.lit(None, pl.String), "bucket": pl.lit(0), "object": pl.lit(0)}
    missing = {name: value for name, value in nothing.items() if name not in by}
    told = sums.with_columns(kind=pl.lit(kind), **missing).select(SUMS_SCHEMA.names())
    return told.cast(SUMS_SCHEMA)
