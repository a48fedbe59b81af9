"""The heavy half: matches summed per entity and pane.

Everything here is a commutative sum over integers and sets: the same matches in another order,
or cut into other batches, give the same frames. An existing engine could do this half over many
machines and hand the frames on (PANE_SCHEMA and VALUE_SCHEMA are the interface).
"""

from collections.abc import Sequence
from typing import Final

import polars as pl
import polars_hash as plh

from detectors.rules import Rule
from ingest.events import EVENT_SCHEMA

#: One row per entity, part and pane: how many matches, and their first and last time.
PANE_SCHEMA: Final = pl.Schema(
    {
        "entity": pl.String(),
        "part": pl.UInt64(),  # hash of the rule's further group-by columns, 0 without
        "pane": pl.Int64(),  # start, us since 1970
        "count": pl.Int64(),
        "first": pl.Int64(),  # effective time, us since 1970
        "last": pl.Int64(),
    }
)

#: One row per distinct value (xxh3 hash) that an entity and part showed in a pane.
VALUE_SCHEMA: Final = pl.Schema(
    {
        "entity": pl.String(),
        "part": pl.UInt64(),
        "pane": pl.Int64(),
        "value": pl.UInt64(),
    }
)

#: One row per entity and part: all matches together.
SUM_SCHEMA: Final = pl.Schema(
    {"entity": pl.String(), "part": pl.UInt64(), "count": pl.Int64()},
)

#: What every frame is keyed by.
KEY: Final = ("entity", "part")

#: Distinct values kept per entity, part and pane: the smallest hashes, whatever came first.
VALUES_PER_PANE: Final = 10_000


def matches(rule: Rule, events: pl.DataFrame, accepted: pl.Series) -> pl.DataFrame:
    """Return the matches of a rule: entity, part, pane, time (us), row and, where needed, value.

    `events` has the columns of BATCH_SCHEMA, `accepted` (Boolean) says which of them the rule
    counts, and `row` (UInt32) is the match's place among them. Events without the entity or the
    value are no matches: missing is not a value.
    """
    columns = events.select("effective_time", *_columns(rule)).with_row_index("row")
    chosen = columns if accepted.all() else columns.filter(accepted)
    time = pl.col("effective_time").to_physical()
    shown = [
        (pl.lit("all") if rule.entity is None else pl.col(rule.entity)).alias("entity"),
        (_hash(*rule.group).fill_null(0) if rule.group else pl.lit(0, pl.UInt64)).alias("part"),
        (time // rule.panes.length * rule.panes.length).alias("pane"),
        time.alias("time"),
        pl.col("row"),
    ]
    if rule.value is not None:
        shown.append(_hash(rule.value).alias("value"))
    elif rule.shared_address is not None:
        shown.append(_hash("user_agent").fill_null(0).alias("value"))
    found = chosen.select(shown)
    missing = any(found[name].null_count() for name in ("entity", *found.columns[5:]))
    return found.drop_nulls() if missing else found


def _columns(rule: Rule) -> list[pl.Expr]:
    """The event columns that a rule's matches are made of, all as text."""
    wanted = [rule.entity, *rule.group, rule.value]
    if rule.shared_address is not None:
        wanted.append("user_agent")
    names = dict.fromkeys(name for name in wanted if name is not None)
    return [_text(name) for name in names]


def _text(name: str) -> pl.Expr:
    column = pl.col(name)
    return column if EVENT_SCHEMA[name] == pl.String else column.cast(pl.String)


def _hash(*columns: str) -> pl.Expr:
    """A fixed 64-bit hash (xxh3): the same in every process, version and machine.

    Of one column, a null stays null; of several, a null is a value of its own.
    """
    if len(columns) == 1:
        text = plh.col(columns[0])
    else:
        parts = [pl.col(name).cast(pl.String).fill_null("\x00") for name in columns]
        text = plh.concat_str(parts, separator="\x1f")
    hashed: pl.Expr = text.nchash.xxh3_64()
    return hashed


def panes(found: pl.DataFrame) -> pl.DataFrame:
    """Sum matches into PANE_SCHEMA."""
    return found.group_by(*KEY, "pane").agg(
        pl.len().cast(pl.Int64).alias("count"),
        pl.col("time").min().alias("first"),
        pl.col("time").max().alias("last"),
    )


def values(found: pl.DataFrame, most: int) -> pl.DataFrame:
    """Reduce matches, at most `most` of them in a pane, to distinct values, VALUE_SCHEMA."""
    distinct = found.select(*VALUE_SCHEMA).unique()
    return distinct if most <= VALUES_PER_PANE else _capped(distinct)


def key_sums(counted: pl.DataFrame) -> pl.DataFrame:
    """Sum `count` per entity and part: SUM_SCHEMA."""
    return counted.group_by(*KEY).agg(pl.col("count").sum())


def add_panes(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of PANE_SCHEMA as one, each entity, part and pane once."""
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
    return _capped(pl.concat(frames).unique())


def _capped(distinct: pl.DataFrame) -> pl.DataFrame:
    """Keep the smallest hashes where a pane has more than VALUES_PER_PANE distinct values."""
    if distinct.height <= VALUES_PER_PANE:
        return distinct
    sizes = distinct.group_by(*KEY, "pane").len()
    if sizes.filter(pl.col("len") > VALUES_PER_PANE).is_empty():
        return distinct
    rank = pl.col("value").rank("ordinal").over(*KEY, "pane")
    return distinct.filter(rank <= VALUES_PER_PANE)
