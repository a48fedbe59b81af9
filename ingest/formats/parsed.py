"""What a format makes of lines: one row a line that it could read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from ingest.events import UTC_TIME
from ingest.lines import Lines

#: A format's columns: `line` is the index into the lines, `client` the peer's address as written,
#: `forwarded_for`, `forwarded` and `connecting_ip` are what X-Forwarded-For, Forwarded and
#: CF-Connecting-IP said, `api_key` is the key itself, which never leaves memory; the others mean
#: what they mean in EVENT_SCHEMA. A line without a row could not be read.
PARSED_SCHEMA: Final = pl.Schema(
    {
        "line": pl.Int64(),
        "timestamp": UTC_TIME,
        "service": pl.String(),
        "environment": pl.String(),
        "client": pl.String(),
        "forwarded_for": pl.String(),
        "forwarded": pl.String(),
        "connecting_ip": pl.String(),
        "user": pl.String(),
        "api_key": pl.String(),
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
        "country": pl.String(),
        "asn": pl.Int64(),
        "request_raw": pl.String(),
    }
)

_NOTHING: Final = pl.DataFrame(schema=PARSED_SCHEMA)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format has to know besides the lines.

    `mapping` gives for a column the log's own field name (formats without names ignore it),
    `timezone` the IANA zone of times without an offset, `directive` the text of the W3C
    `#Fields:` line in force before the first line.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    directive: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One log format: how to read its lines, and which of them it claims when guessing.

    `parse` returns a frame of PARSED_SCHEMA ordered by line, and never raises because of what
    the lines hold; what it makes of a line depends on that line only. `claims` counts the lines
    that speak for this format, given what `parse` made of them. `starts` are the bytes that such
    lines may begin with, `ends` those that they may end with (none: any), for telling cheaply
    which lines are not worth a try. Formats of one `family` read lines of the same shape: what a
    `general` one of them can read, the others of the family may read better, so they go first.
    """

    name: str
    title: str
    parse: Callable[[Lines, Reading], pl.DataFrame]
    claims: Callable[[Lines, pl.DataFrame], int]
    starts: bytes = b""
    ends: bytes = b""
    family: str = ""
    general: bool = False


def nothing_parsed() -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA without rows."""
    return _NOTHING.clone()


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
