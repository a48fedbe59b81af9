"""What a format makes of lines: one row a line that it could read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from ingest.events import UTC_TIME
from ingest.lines import Lines

#: A format's columns: `line` is the index into the lines, `client` the address as written; the
#: others mean what they mean in EVENT_SCHEMA. A line without a row could not be read.
PARSED_SCHEMA: Final = pl.Schema(
    {
        "line": pl.Int64(),
        "timestamp": UTC_TIME,
        "service": pl.String(),
        "environment": pl.String(),
        "client": pl.String(),
        "user": pl.String(),
        "method": pl.String(),
        "scheme": pl.String(),
        "host": pl.String(),
        "path": pl.String(),
        "query": pl.String(),
        "status": pl.Int64(),
        "request_bytes": pl.Int64(),
        "response_bytes": pl.Int64(),
        "duration_us": pl.Int64(),
        "user_agent": pl.String(),
        "referrer": pl.String(),
        "protocol": pl.String(),
        "request_id": pl.String(),
        "request_raw": pl.String(),
    }
)

#: Event column -> the log's own name for it; formats without names ignore it.
Mapped = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Format:
    """One log format: how to read its lines, and which of them it claims when guessing.

    `parse` returns a frame of PARSED_SCHEMA ordered by line, and never raises because of what
    the lines hold; what it makes of a line depends on that line only. `claims` counts the lines
    that speak for this format, given what `parse` made of them.
    """

    name: str
    title: str
    parse: Callable[[Lines, Mapped], pl.DataFrame]
    claims: Callable[[Lines, pl.DataFrame], int]


def nothing_parsed() -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA without rows."""
    return pl.DataFrame(schema=PARSED_SCHEMA)


def complete(frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` with every column of PARSED_SCHEMA, missing ones null, in its order."""
    have = set(frame.columns)
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in PARSED_SCHEMA.items()
    )


def present(name: str) -> pl.Expr:
    """Return the text column `name` with "-" and "" as null."""
    return pl.when(pl.col(name) != "-", pl.col(name) != "").then(pl.col(name)).alias(name)
