"""What families that watch single requests share: rows summed by minute, with one of each shown."""

from collections.abc import Callable, Sequence
from secrets import randbits
from typing import Any, Final

import polars as pl
import polars_hash as plh

from ingest.evidence import SHOWN, SHOWN_SCHEMA

#: Slots of event time within which the order of requests does not matter (us).
SLOT_US: Final = 300_000_000
DAY_US: Final = 86_400_000_000

#: Different sums of one slot that are kept at most, those that refused requests make apart.
SLOT_CAP: Final = 100_000

#: What is shown of a request. Besides, what a sighting or arrival itself is about.
_SHOWN: Final = ("timestamp", "partition", "position", "method", "path", "status", "service",
                 "country", "asn")  # fmt: skip

#: Characters of a text that evidence is made of.
_TEXT: Final = 200

#: Stands for a name that is missing.
_MISSING: Final = "\0"

_SEED: Final = randbits(64)

#: One request of a slot: the columns of SHOWN, by other names.
EXHIBIT_SCHEMA: Final = pl.Schema(
    {f"shown_{name}": dtype for name, dtype in SHOWN_SCHEMA.items() if name in _SHOWN}
)


def summed(rows: pl.LazyFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return the distinct rows of some columns, in any order, with what they add up to.

    `rows` has `row` and `time`, too. Besides `by`: `first` and `last` time, `number` of rows, and
    the first `row`.
    """
    found = rows.select("row", "time", *by).collect()
    sums = (
        found.lazy()
        .select("row", "time", hash=told_apart(found.select(by)))
        .with_row_index("at")
        .group_by("hash")
        .agg(
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.len().cast(pl.Int64).alias("number"),
            pl.col("row").min(),
            pl.col("at").min(),
        )
        .collect()
    )
    return pl.concat([found.select(by)[sums["at"]], sums.drop("hash", "at")], how="horizontal")


def added(
    sums: pl.DataFrame, same: Sequence[str], counts: Sequence[str], order: Sequence[str]
) -> pl.DataFrame:
    """Return sums with rows that agree in `same` added up, sorted by `order` (of these columns).

    Least `first`, greatest `last`, sums of `counts`; of all else what one of the rows has.
    """
    spans = ("first", "last")
    hashes = told_apart(sums.select(same))
    several = hashes.is_duplicated()
    if several.any():
        twice = sums.filter(several)
        whole = (
            twice.lazy()
            .select(*spans, *counts, hash=hashes.filter(several))
            .with_row_index("at")
            .group_by("hash")
            .agg(
                pl.col("first").min(),
                pl.col("last").max(),
                pl.col(counts).sum(),
                pl.col("at").min(),
            )
            .collect()
        )
        rest = twice.select(pl.exclude(*spans, *counts))[whole["at"]]
        once = pl.concat([whole.drop("at", "hash"), rest], how="horizontal")
        sums = pl.concat([sums.filter(~several), once.select(sums.columns)])
    return sums.sort(order)


class Waiting:
    """Sums of slots that are still open, of each slot no more than a cap.

    `added` adds sums up. The cap holds for the rows of a slot that agree in `apart`: beyond it, the
    first of each entity (in order of `kinds`) stay before the second, and of these those of the
    greatest key. That does not depend on how the stream was cut. `dropped` counts the others.
    """

    def __init__(
        self,
        added: Callable[[pl.DataFrame], pl.DataFrame],
        nothing: pl.DataFrame,
        apart: pl.Expr,
        kinds: Sequence[str],
        cap: int,
    ) -> None:
        self._added = added
        self._nothing = nothing
        self._apart = apart
        self._kinds = tuple(kinds)
        self._cap = cap
        self._open: list[pl.DataFrame] = []
        self._room = 2 * cap
        self.dropped = 0

    def add(self, sums: pl.DataFrame) -> None:
        """Take in the sums of a batch."""
        if sums.is_empty():
            return
        self._open.append(sums)
        if sum(each.height for each in self._open) > self._room:
            self._open = [self._bounded(pl.concat(self._open))]
            self._room = 2 * max(self._open[0].height, self._cap)

    def due(self, until: int) -> pl.DataFrame:
        """Take out the slots that begin before a time (us), added up and in order."""
        if not self._open:
            return self._nothing
        waiting = pl.concat(self._open)
        past = waiting.filter(pl.col("pane") < until)
        self._open = [waiting if past.is_empty() else waiting.filter(pl.col("pane") >= until)]
        return self._bounded(past) if past.height else past

    def frame(self) -> pl.DataFrame:
        """Return what waits; what has not changed is the same object as before."""
        if len(self._open) != 1:
            self._open = [pl.concat([self._nothing, *self._open])]
        return self._open[0]

    def restore(self, sums: pl.DataFrame) -> None:
        """Take over what `frame` returned."""
        self._open = [sums]

    def _bounded(self, sums: pl.DataFrame) -> pl.DataFrame:
        whole = self._added(sums)
        if whole.height <= self._cap:
            return whole
        slot = ("pane", "apart")
        ranks = (
            whole.select("pane", "key", *self._kinds, apart=self._apart)
            .with_row_index("at")
            .sort("key", *self._kinds)
            .select("at", *slot, "key", rank=pl.int_range(pl.len()).over(*slot, "key"))
            .sort("rank", "key", descending=[False, True])
            .filter(pl.int_range(pl.len()).over(*slot) < self._cap)
        )
        self.dropped += whole.height - ranks.height
        return whole[ranks["at"].sort()]


def told_apart(rows: pl.DataFrame) -> pl.Series:
    """Return hashes (UInt64) that tell rows apart, others in every process: never to be kept.

    As nobody knows the seed, nobody can write a log in which different rows have the same.
    """
    filled = [each for each in rows if each.null_count() < len(each)]
    return rows.select(filled or rows.columns[:1]).hash_rows(_SEED)


def exhibits(events: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Return some events as EXHIBIT_SCHEMA.

    Texts are cut short and copied: else a row would hold its whole batch in memory.
    """
    texts = ("partition", "method", "path", "service", "country")
    copied = [pl.concat_str(pl.col(name).str.head(_TEXT), pl.lit("")).alias(name) for name in texts]
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
