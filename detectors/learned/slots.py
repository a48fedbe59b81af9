"""What families that watch single requests share: rows summed by minute, with one of each shown."""

from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import polars_hash as plh

from ingest.evidence import SHOWN, SHOWN_SCHEMA

#: Slots of event time within which the order of requests does not matter (us).
SLOT_US: Final = 300_000_000
DAY_US: Final = 86_400_000_000

#: What is shown of a request. Besides, what a sighting or arrival itself is about.
_SHOWN: Final = ("timestamp", "partition", "position", "method", "path", "status", "service",
                 "country", "asn")  # fmt: skip

#: Characters of a text that evidence is made of.
_TEXT: Final = 200

#: Stands for a name that is missing.
_MISSING: Final = "\0"

#: One request of a slot: the columns of SHOWN, by other names.
EXHIBIT_SCHEMA: Final = pl.Schema(
    {f"shown_{name}": dtype for name, dtype in SHOWN_SCHEMA.items() if name in _SHOWN}
)


def summed(rows: pl.LazyFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return the distinct rows of some columns, in any order, with what they add up to.

    `rows` has `row` and `time`, too. Besides `by`: `first` and `last` time, `number` of rows, and
    the first `row`.
    """
    return (
        rows.group_by(by)
        .agg(
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.len().cast(pl.Int64).alias("number"),
            pl.col("row").min(),
        )
        .collect()
    )


def added(
    sums: pl.DataFrame, same: Sequence[str], counts: Sequence[str], order: Sequence[str]
) -> pl.DataFrame:
    """Return sums with rows that agree in `same` added up, sorted by `order` (of these columns).

    Least `first`, greatest `last`, sums of `counts`; of all else what one of the rows has.
    """
    spans = ("first", "last")
    whole = (
        sums.lazy()
        .select(*same, *spans, *counts)
        .with_row_index("at")
        .group_by(same)
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col(counts).sum(), pl.col("at").min())
        .sort(order)
        .collect()
    )
    rest = sums.select(pl.exclude(*same, *spans, *counts))[whole["at"]]
    return pl.concat([whole.drop("at"), rest], how="horizontal").select(sums.columns)


def exhibits(events: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Return some events as EXHIBIT_SCHEMA.

    Texts are cut short and copied: else a row would hold its whole batch in memory.
    """
    texts = ("partition", "method", "path", "service", "country")
    copied = [
        pl.concat_str(pl.col(name).str.head(_TEXT), pl.lit("\n")).str.strip_suffix("\n").alias(name)
        for name in texts
    ]
    shown = events.select(_SHOWN)[rows].with_columns(copied)
    return shown.rename({name: f"shown_{name}" for name in _SHOWN})


def shown_events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the events (columns of SHOWN) that rows with EXHIBIT_SCHEMA show, each once."""
    told = (
        pl.col(f"shown_{name}") if name in _SHOWN else pl.lit(None, SHOWN_SCHEMA[name])
        for name in SHOWN
    )
    shown = rows.select(each.alias(name) for each, name in zip(told, SHOWN, strict=True))
    return shown.unique(maintain_order=True)


def keys(names: pl.Series, kind: str) -> pl.Series:
    """Return fixed 64-bit hashes of entities of a type; a missing name is one like others."""
    name = pl.col("name").fill_null(_MISSING)
    whole = names.to_frame("name").select(pl.concat_str(pl.lit(f"{kind}:"), name).alias("name"))
    hashed: Any = plh.col("name")
    found: pl.DataFrame = whole.select(hashed.nchash.xxh3_64().alias("key"))
    return found.to_series()
