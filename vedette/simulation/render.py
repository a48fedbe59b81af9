"""Events as log lines: what nginx writes, and the JSON lines of a gateway."""

from typing import Final, Literal

import polars as pl

Format = Literal["combined", "json"]

#: Fields of a JSON line, in their order.
JSON_FIELDS: Final = (
    "time",
    "service",
    "remote_addr",
    "user",
    "method",
    "path",
    "query",
    "status",
    "request_length",
    "bytes",
    "duration_ms",
    "user_agent",
    "referrer",
    "host",
    "protocol",
    "request_id",
    "request",
)

#: Fields that follow only in lines which have them: the key, and what the gateway knows of places
#: and of TLS.
OPTIONAL_FIELDS: Final = {
    "api_key": "api_key",
    "client.geo.country_iso_code": "country",
    "client.as.number": "asn",
    "scheme": "scheme",
}
_NUMBERS: Final = frozenset({"client.as.number"})
_SECOND_US: Final = 1_000_000


def render(events: pl.DataFrame, form: Format, first: int = 0) -> pl.Series:
    """Return one String a row of SIMULATED_SCHEMA, in the same order.

    "combined" is nginx's combined format followed by the request time in seconds; "json" has
    JSON_FIELDS, `request` only where the request line is unreadable, and OPTIONAL_FIELDS.
    `first` is the first row's number in the run: request ids contain it.
    """
    return _combined(events) if form == "combined" else _json(events, first)


def _combined(events: pl.DataFrame) -> pl.Series:
    query = pl.when(pl.col("query").is_null()).then(pl.lit("")).otherwise("?" + pl.col("query"))
    request = pl.concat_str(
        pl.col("method"), pl.lit(" "), pl.col("path"), query, pl.lit(" "), pl.col("protocol")
    )
    millis = pl.col("duration_us") // 1_000
    line = pl.concat_str(
        pl.col("client_ip"),
        pl.lit(" - "),
        pl.col("user").fill_null("-"),
        pl.lit(" ["),
        pl.Series("clock", _clock(events["timestamp"])),
        pl.lit('] "'),
        pl.coalesce("request_raw", request),
        pl.lit('" '),
        pl.col("status"),
        pl.lit(" "),
        pl.col("response_bytes"),
        pl.lit(' "'),
        pl.col("referrer").fill_null("-"),
        pl.lit('" "'),
        pl.col("user_agent").fill_null("-"),
        pl.lit('" '),
        millis // 1_000,
        pl.lit("."),
        (millis % 1_000).cast(pl.String).str.zfill(3),
    )
    return events.select(line.alias("line")).to_series()


def _clock(times: pl.Series) -> pl.Series:
    """Return the times as nginx writes them, each second formatted only once."""
    seconds = times.to_physical() // _SECOND_US
    if not len(seconds):
        return pl.Series([], dtype=pl.String)
    low, high = int(seconds.min()), int(seconds.max())  # type: ignore[arg-type]
    every = pl.Series(range(low, high + 1), dtype=pl.Int64) * _SECOND_US
    texts = every.cast(pl.Datetime("us", "UTC")).dt.to_string("%d/%b/%Y:%H:%M:%S +0000")
    return texts.gather(seconds - low)


def _json(events: pl.DataFrame, first: int) -> pl.Series:
    place = pl.int_range(pl.len()) + first
    serial = pl.concat_str(pl.col("timestamp").to_physical(), pl.lit("-"), place)
    fields = {
        "time": pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ"),
        "remote_addr": pl.col("client_ip"),
        "request_length": pl.col("request_bytes"),
        "bytes": pl.col("response_bytes"),
        "duration_ms": pl.col("duration_us") // 1_000,
        "request_id": serial,
        "request": pl.col("request_raw"),
    }
    columns = [fields.get(name, pl.col(name)).alias(name) for name in JSON_FIELDS]
    line = pl.struct(columns).struct.json_encode()
    told = [name for name, column in OPTIONAL_FIELDS.items() if events[column].count()]
    if told:
        line = pl.concat_str(line.str.head(-1), *(_optional(name) for name in told), pl.lit("}"))
    return events.select(line.alias("line")).to_series()


def _optional(name: str) -> pl.Expr:
    value = pl.col(OPTIONAL_FIELDS[name]).cast(pl.String)
    mark = "" if name in _NUMBERS else '"'
    told = pl.concat_str(pl.lit(f',"{name}":{mark}'), value, pl.lit(mark))
    return pl.when(value.is_null()).then(pl.lit("")).otherwise(told)
