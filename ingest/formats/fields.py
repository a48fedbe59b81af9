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

#: Units of durations that say them -> microseconds.
_UNITS: Final = {"h": 3.6e9, "m": 6e7, "s": 1e6, "ms": 1e3, "[uµμ]s": 1.0, "ns": 1e-3}
_UNIT: Final = "[a-zµμ]$"
_PART: Final = "[0-9]{1,15}(?:[.][0-9]{1,15})? ?(?:h|m|s|ms|[uµμ]s|ns)"

_TEXTS: Final = (
    "service",
    "environment",
    "user",
    "user_agent",
    "referrer",
    "request_id",
    "forwarded_for",
    "forwarded",
    "connecting_ip",
    "api_key",
    "country",
)
_OWN: Final = ("scheme", "host", "protocol")
_NUMBERS: Final = ("status", "request_bytes", "response_bytes", "asn")

#: What logs write that do not say HTTP.
_VERSIONS: Final = ["0.9", "1.0", "1.1", "2", "2.0", "3", "3.0"]

#: The fields that formats may give, all text. Besides columns of events: `request` is a whole
#: request line, `uri` a path with its query
#: or an absolute address, `start` the time when the request began (its
#: duration is added), `duration_s`, `duration_ms` and `duration_ns` are durations in other units,
#: `client_ip` is the peer as written, with or without a port.
FIELDS: Final = frozenset(
    {*_TEXTS, *_OWN, *_NUMBERS, *DURATIONS, "timestamp", "start", "date", "time", "client_ip"}
    | {"method", "request", "uri", "path", "query"}
)

#: A host, perhaps with a port, in front of a path: nginx's `$host$request_uri`.
_HOSTED: Final = r"^(?P<host>(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+|localhost)(?::[0-9]{1,5})?)/"


def events_of(
    fields: pl.DataFrame, reading: Reading, rows: Ints, *, marked: bool = True
) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA for text columns named in FIELDS; absent ones are null.

    `rows` is the index of each row's line. "-" and "" are null; numbers and times that cannot be
    read are null. `date` and `time` together are a timestamp; durations that say their unit are
    read in that. A `uri` is a path, an absolute URL or a host with a path; any other is
    unreadable, as may be a `request`: it gives request_raw if there is no path and no method.
    Columns that are not `marked` have neither "-" nor "".
    """
    given = _given(fields) if marked else fields
    if {"date", "time"} <= set(given.columns):
        both = pl.col("date") + "T" + pl.col("time")
        said = [pl.col("timestamp")] if "timestamp" in given.columns else []
        given = given.with_columns(timestamp=pl.coalesce(*said, both)).drop("date", "time")
    names = set(given.columns)
    columns = given.select(
        pl.Series("line", rows),
        *(_text(given, name) for name in _TEXTS if name in names),
        *(_integer(name) for name in _NUMBERS if name in names),
        *([pl.col("client_ip").alias("client")] if "client_ip" in names else ()),
    )
    columns = columns.with_columns(_times(given, reading.timezone))
    return complete(columns.with_columns(_requests(given)))


def _text(given: pl.DataFrame, name: str) -> pl.Expr:
    """Return a text as it is, countries as two capitals and versions ("1.1") as protocols."""
    column = pl.col(name)
    if name == "country":
        code = pl.when(column.str.contains("^[A-Za-z]{2}$")).then(column.str.to_uppercase())
        return pl.when(code != "XX").then(code).alias(name)
    if name == "protocol" and given[name].unique().is_in(_VERSIONS).any():
        versions = pl.when(column.is_in(_VERSIONS)).then("HTTP/" + column)
        return versions.otherwise(column).alias(name)
    return column


def _given(fields: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that have a value, "-" and "" as null."""
    names = [name for name in fields.columns if fields[name].null_count() < fields.height]
    if not names:
        return pl.DataFrame(height=fields.height)
    marked = fields.select(pl.col(names).is_in(["", "-"]).any()).row(0, named=True)
    return fields.select(present(name) if marked[name] else pl.col(name) for name in names)


def _requests(given: pl.DataFrame) -> list[pl.Series]:
    """Return those of REQUEST_COLUMNS that occur, the more particular field first."""
    own = given.select(_text(given, name) for name in _OWN if name in given.columns).get_columns()
    own += [*_method(given), *_path(given)]
    found: dict[str, list[pl.Series]] = {}
    for column in (*own, *_uri(given), *_request(given)):
        found.setdefault(column.name, []).append(column)
    unreadable = found.pop("request_raw", [])
    merged = {
        name: several[0] if len(several) == 1 else pl.select(pl.coalesce(several)).to_series()
        for name, several in found.items()
    }
    raw = [
        pl.select(
            pl.when(*(merged[name].is_null() for name in ("path", "method") if name in merged))
            .then(pl.coalesce(unreadable))
            .alias("request_raw")
        ).to_series()
        for _ in unreadable[:1]
    ]
    return [column.rename(name) for name, column in merged.items()] + raw


def _method(given: pl.DataFrame) -> list[pl.Series]:
    if "method" not in given.columns:
        return []
    methods = given["method"]
    if methods.unique().str.contains(r"^[A-Z_-]{1,20}$").all():
        return [methods]
    valid = pl.col("method").str.contains(r"^[A-Za-z_-]{1,20}$")
    return [given.select(pl.when(valid).then(pl.col("method").str.to_uppercase())).to_series()]


def _path(given: pl.DataFrame) -> list[pl.Series]:
    """Return path and query of the fields of these names; a path may hold its query, too."""
    found = []
    if "query" in given.columns:
        found.append(given["query"].str.strip_prefix("?"))
    if "path" in given.columns:
        paths = given["path"]
        bare = paths.str.starts_with("/") | (paths == "*")
        if not bare.all():
            paths = given.select(pl.when(bare).then("path")).to_series()
        found += _target(paths)
    return found


def _target(targets: pl.Series) -> list[pl.Series]:
    if not targets.str.contains("?", literal=True).any():
        return [targets.rename("path")]
    path, query = split_target(pl.col(targets.name))
    return targets.to_frame().select(path.alias("path"), query.alias("query")).get_columns()


def _uri(given: pl.DataFrame) -> list[pl.Series]:
    """Return what request targets give: a path with its query, or an absolute URL."""
    if "uri" not in given.columns:
        return []
    uris = given["uri"]
    bare = uris.str.starts_with("/") | (uris == "*")
    if bare.all():
        return _target(uris)
    frame = pl.DataFrame({"uri": uris, "bare": bare, "hosted": uris.str.contains(_HOSTED)})
    before = pl.when("hosted").then(pl.lit("GET any://")).otherwise(pl.lit("GET "))
    absolute = frame.select(pl.when(~pl.col("bare")).then(before + pl.col("uri"))).to_series()
    parts = _sparse(absolute)
    parts = parts.with_columns(scheme=pl.when(pl.col("scheme") != "any").then("scheme"))
    raw = pl.when(parts["request_raw"].is_not_null()).then(uris).alias("request_raw")
    return [
        *_target(frame.select(pl.when("bare").then("uri")).to_series()),
        *(parts[name] for name in ("scheme", "host", "path", "query")),
        pl.select(raw).to_series(),
    ]


def _request(given: pl.DataFrame) -> list[pl.Series]:
    if "request" not in given.columns:
        return []
    requests = given["request"]
    return (_sparse if requests.null_count() else split_requests)(requests).get_columns()


def _sparse(requests: pl.Series) -> pl.DataFrame:
    """Split a column of requests that are mostly null."""
    parts = split_requests(requests.drop_nulls())
    there = requests.is_not_null()
    if not parts.height:
        return parts.clear(len(requests))
    places = pl.DataFrame({"there": there}).select(
        pl.when("there").then(pl.col("there").cum_sum() - 1)
    )
    return parts.select(pl.all().gather(places.to_series()))


def _integer(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_between(0, 2**53)).then(number).cast(pl.Int64).alias(name)


def _duration(fields: pl.DataFrame) -> pl.Series | None:
    values: list[pl.Expr] = []
    for column, scale in DURATIONS.items():
        if column not in fields.columns:
            continue
        read = fields[column].cast(pl.Float64, strict=False)
        number = pl.lit(read) * scale
        values.append(pl.when(number.is_between(0, 2**53)).then(number))
        odd = read.null_count() > fields[column].null_count()
        if odd and fields[column].str.contains(_UNIT).any():
            values.append(_with_units(pl.col(column)))
    if not values:
        return None
    return fields.select(
        pl.coalesce(values).round().cast(pl.Int64).alias("duration_us")
    ).to_series()


def _with_units(text: pl.Expr) -> pl.Expr:
    """Return microseconds of durations that say their units, as "1m2.5s", "929.6µs" or "0.01 s"."""
    told = pl.when(text.str.contains(rf"^(?:{_PART})+$")).then(text)
    parts = []
    for unit, scale in _UNITS.items():
        part = told.str.extract(rf"([0-9.]+) ?{unit}(?:[^a-zµμ]|$)")
        parts.append((part.cast(pl.Float64, strict=False) * scale).fill_null(0.0))
    return pl.when(told.is_not_null()).then(pl.sum_horizontal(*parts))


def _times(fields: pl.DataFrame, timezone: str) -> list[pl.Series]:
    """Return timestamp, the time of completion, and duration_us, as far as they are known.

    A log of the start has the duration added; one of both has it as their difference.
    """
    duration = _duration(fields)
    durations = [] if duration is None else [duration]
    ended = [
        parse_times(fields["timestamp"], timezone) for name in fields.columns if name == "timestamp"
    ]
    if "start" not in fields.columns:
        return [*ended, *durations]
    started = parse_times(fields["start"], timezone)
    if duration is not None:
        lasted = duration.fill_null(0).cast(pl.Duration("us"))
    finished = started if duration is None else started + lasted
    if not ended:
        return [finished.alias("timestamp"), *durations]
    taken = (ended[0] - started).dt.total_microseconds()
    difference = pl.when(taken >= 0).then(taken)
    return [
        pl.select(pl.coalesce(*ended, finished)).to_series().alias("timestamp"),
        pl.select(pl.coalesce(*durations, difference)).to_series().alias("duration_us"),
    ]
