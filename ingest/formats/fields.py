"""From a format's text fields to events: one meaning for the names that all formats share."""

from typing import Final

import polars as pl

from ingest.formats.parsed import Reading, complete, present
from ingest.lines import Ints
from ingest.request_lines import split_requests, split_target
from ingest.times import parse_times

#: Duration field -> microseconds in one of its units.
DURATIONS: Final = {
    "duration_us": 1.0,
    "duration_ms": 1e3,
    "duration_s": 1e6,
    "duration_ns": 1e-3,
}

_TEXTS: Final = (
    "service",
    "environment",
    "user",
    "user_agent",
    "referrer",
    "request_id",
    "scheme",
    "host",
    "protocol",
    "forwarded_for",
    "forwarded",
    "connecting_ip",
    "api_key",
    "country",
)
_NUMBERS: Final = ("status", "request_bytes", "response_bytes", "asn")

#: The fields that formats may give, all text. Besides columns of events: `request` is a whole
#: request line, `uri` a path with its query
#: or an absolute address, `start` the time when the request began (its
#: duration is added), `duration_s`, `duration_ms` and `duration_ns` are durations in other units,
#: `client_ip` is the peer as written, with or without a port.
FIELDS: Final = frozenset(
    {*_TEXTS, *_NUMBERS, *DURATIONS, "timestamp", "start", "client_ip"}
    | {"method", "request", "uri", "path", "query"}
)

_ABSOLUTE: Final = r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,19})://(?P<host>[^/?#]*)(?P<rest>.*)$"


def events_of(fields: pl.DataFrame, reading: Reading, rows: Ints) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA for text columns named in FIELDS; absent ones are null.

    `rows` is the index of each row's line. "-" and "" are null; numbers and times that cannot be
    read are null.
    """
    missing = [name for name in sorted(FIELDS) if name not in fields.columns]
    full = fields.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in missing)
    return complete(_events(full, reading).with_columns(pl.Series("line", rows)))


def _events(fields: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    fields = _relative(fields)
    request = split_requests(fields["request"])
    path, query = split_target(pl.col("uri"))
    bare = pl.col("path").str.starts_with("/") | (pl.col("path") == "*")
    own_path, own_query = split_target(pl.when(bare).then("path"))
    columns = {
        "method": pl.when(pl.col("method").str.contains(r"^[A-Za-z_-]{1,20}$")).then(
            pl.col("method").str.to_uppercase()
        ),
        "path": pl.coalesce(own_path, path),
        "query": pl.coalesce(_own_query(), own_query, query),
    }
    frame = fields.select(
        *(present(name) for name in _TEXTS),
        *(_integer(name) for name in _NUMBERS),
        client=pl.col("client_ip"),
        **columns,
    ).with_columns(_times(fields, reading.timezone))
    given = [name for name in request.columns if name in frame.columns]
    merged = [pl.coalesce(frame[name], request[name]).alias(name) for name in given]
    known = frame["path"].is_not_null() | frame["method"].is_not_null()
    raw = pl.select(pl.when(~known).then(request["request_raw"])).to_series()
    return frame.with_columns(merged).with_columns(raw.alias("request_raw"))


def _own_query() -> pl.Expr:
    query = pl.col("query").str.strip_prefix("?")
    return pl.when(query != "-", query != "").then(query)


def _relative(fields: pl.DataFrame) -> pl.DataFrame:
    """Split absolute addresses in `uri` into scheme, host and the rest."""
    absolute = fields["uri"].str.contains(_ABSOLUTE).fill_null(value=False)
    if not absolute.any():
        return fields
    found = fields["uri"].str.extract_groups(_ABSOLUTE).struct.unnest()
    rest = pl.when(found["rest"].str.starts_with("/")).then(found["rest"])
    return fields.with_columns(
        uri=pl.when(absolute).then(pl.coalesce(rest, "/" + found["rest"])).otherwise("uri"),
        scheme=pl.coalesce("scheme", found["scheme"].str.to_lowercase()),
        host=pl.coalesce("host", found["host"]),
    )


def _integer(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_between(0, 2**53)).then(number).cast(pl.Int64).alias(name)


def _duration() -> pl.Expr:
    values = []
    for column, scale in DURATIONS.items():
        text = pl.col(column).str.strip_suffix("ms" if column == "duration_ms" else "s")
        number = text.cast(pl.Float64, strict=False) * scale
        values.append(pl.when(number.is_between(0, 2**53)).then(number))
    return pl.coalesce(values).round().cast(pl.Int64)


def _times(fields: pl.DataFrame, timezone: str) -> list[pl.Series]:
    """Return timestamp, the time of completion, and duration_us.

    A log of the start has the duration added; one of both has it as their difference.
    """
    duration = fields.select(_duration().alias("duration_us")).to_series()
    ended = parse_times(fields["timestamp"], timezone)
    if fields["start"].null_count() == fields.height:
        return [ended.alias("timestamp"), duration]
    started = parse_times(fields["start"], timezone)
    taken = (ended - started).dt.total_microseconds()
    finished = started + duration.fill_null(0).cast(pl.Duration("us"))
    return [
        pl.select(pl.coalesce(ended, finished)).to_series().alias("timestamp"),
        pl.select(pl.coalesce(duration, pl.when(taken >= 0).then(taken)))
        .to_series()
        .alias("duration_us"),
    ]
