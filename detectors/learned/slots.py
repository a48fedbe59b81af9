"""What families that watch single requests share: rows summed by minute, with one of each shown."""

from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import polars_hash as plh

from ingest.distinct import Distinct
from ingest.evidence import SHOWN, SHOWN_SCHEMA

#: Slots of event time within which the order of requests does not matter (us).
SLOT_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000

#: Characters of a text that evidence is made of.
_TEXT: Final = 300

#: Stands for a name that is missing.
_MISSING: Final = "\0"

#: One request of a slot: the columns of SHOWN, by other names.
EXHIBIT_SCHEMA: Final = pl.Schema({f"shown_{name}": dtype for name, dtype in SHOWN_SCHEMA.items()})


def summed(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return the distinct rows of some columns, with what they add up to.

    `rows` has `row` and `time`, too. Besides `by`: `first` and `last` time, `number` of rows, and
    the first `row`.
    """
    distinct = Distinct.of(rows.select(by))
    code = distinct.spread(pl.int_range(distinct.rows.height, eager=True, dtype=pl.UInt32()))
    sums = (
        rows.select("row", "time", code=code)
        .group_by("code")
        .agg(
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.len().cast(pl.Int64).alias("number"),
            pl.col("row").first(),
        )
    )
    return distinct.rows[sums["code"]].with_columns(sums.drop("code"))


def exhibits(events: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Return some events as EXHIBIT_SCHEMA.

    Texts are cut short and copied: else a row would hold its whole batch in memory.
    """
    texts = [name for name, dtype in SHOWN_SCHEMA.items() if dtype == pl.String()]
    copied = [
        pl.concat_str(pl.col(name).str.head(_TEXT), pl.lit("\n")).str.strip_suffix("\n").alias(name)
        for name in texts
    ]
    shown = events.select(SHOWN)[rows].with_columns(copied)
    return shown.rename({name: f"shown_{name}" for name in SHOWN})


def shown_events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the events (columns of SHOWN) that rows with EXHIBIT_SCHEMA show, each once."""
    shown = rows.select(pl.col(f"shown_{name}").alias(name) for name in SHOWN)
    return shown.unique(maintain_order=True)


def keys(names: pl.Series, kind: str) -> pl.Series:
    """Return fixed 64-bit hashes of entities of a type; a missing name is one like others."""
    name = pl.col("name").fill_null(_MISSING)
    whole = names.to_frame("name").select(pl.concat_str(pl.lit(f"{kind}:"), name).alias("name"))
    hashed: Any = plh.col("name")
    found: pl.DataFrame = whole.select(hashed.nchash.xxh3_64().alias("key"))
    return found.to_series()
