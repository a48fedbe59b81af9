"""The Common Log Format and its combined form: nearly all lines by CSV, odd ones by regex.

Both formats share this parser, so that a log that mixes them is read whole. Polars' CSV reader
(blank-separated, quoted) takes the usual lines at several times the speed of a regex. It is
trusted only as far as can be checked: as many rows as lines, and every field of a row in the
form it must have. All other lines go through `clf_odd`.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.formats import clf_odd
from ingest.formats.parsed import complete, nothing_parsed, present
from ingest.lines import LAST_ASCII, Flags, Ints, Lines, places
from ingest.request_lines import with_requests
from ingest.times import clf_times, parse_times

_CSV_ORDER: Final = (
    "client",
    "ident",
    "user",
    "day",
    "zone",
    "request",
    "status",
    "bytes",
    "referrer",
    "user_agent",
    "extra",
)

_COLUMNS: Final = len(_CSV_ORDER) + 2
_QUOTE, _BLANK, _BACKSLASH, _NEWLINE, _RETURN = b'" \\\n\r'
_BOM: Final = b"\xef\xbb\xbf"
_ODD_STARTS: Final = np.array([9, 32, _QUOTE, _BOM[0]], dtype=np.uint8)
_SECONDS: Final = r"^[0-9]{1,9}\.[0-9]{1,9}$"
_HOP: Final = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)"
_HOPS: Final = rf"^{_HOP}(?:, ?{_HOP})*$"


def parse_clf_lines(lines: Lines) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line."""
    if not len(lines):
        return nothing_parsed()
    frames = _by_csv(lines)
    if len(frames) == 1 and frames[0].height == len(lines):
        return frames[0]
    left = np.ones(len(lines), dtype=np.bool_)
    for frame in frames:
        left[frame["line"].to_numpy()] = False
    if left.any():
        fields, found = clf_odd.read(lines.select(left))
        times = parse_times(fields["time"])
        rows = pl.Series("line", np.flatnonzero(left)[found])
        fields = fields.with_columns(rows, times.alias("timestamp"))
        frames.append(_events(fields))
    return pl.concat(frames).sort("line")


def _by_csv(lines: Lines) -> list[pl.DataFrame]:
    """Read what CSV can read, in frames of PARSED_SCHEMA."""
    candidates = np.arange(len(lines))
    table = _read_csv(lines, candidates) if _promising(lines) else None
    if table is None:
        candidates = np.flatnonzero(_regular(lines))
        table = _read_csv(lines, candidates)
    if table is None:
        return []
    table = table.with_columns(pl.Series("line", candidates))
    frames = []
    for shift in (0, 1):
        days = table.select(_day(shift)).to_series()
        fields = table.lazy().select(
            "line", _framed(shift).alias("framed"), timestamp=clf_times(days), **_fields(shift)
        )
        read = fields.with_columns(_valid().alias("valid")).collect()
        if read["valid"].all():
            return [_events(read)]
        frames.append(_events(read.filter("valid")))
        table = table.filter(~read["valid"])
    return [frame for frame in frames if frame.height]


def _promising(lines: Lines) -> bool:
    """Whether CSV may try all lines at once: the number of rows tells if it went astray.

    All quotes must take turns at opening after a blank and closing before one: in the middle of
    a field CSV would drop them without a word.
    """
    if not (lines.whole and lines.text()):
        return False
    if not lines.data.isascii() and _BOM in lines.data:
        return False
    codes = lines.codes
    quotes = places(codes, _QUOTE)
    return len(quotes) % 2 == 0 and bool(
        (codes[quotes[::2] - 1] == _BLANK).all() and _closing(codes, quotes[1::2]).all()
    )


def _closing(codes: NDArray[np.uint8], quotes: Ints) -> Flags:
    """Mark quotes that may close a field: before a blank or a line's end, not escaped."""
    following = codes[np.minimum(quotes + 1, len(codes) - 1)]
    ends = (following == _BLANK) | (following == _NEWLINE) | (following == _RETURN)
    ends |= quotes + 1 == len(codes)
    closing: Flags = ends & (codes[quotes - 1] != _BACKSLASH)
    return closing


def _regular(lines: Lines) -> Flags:
    """Mark lines whose quotes all open after a blank and close before one: safe for CSV."""
    codes = lines.codes
    quotes = np.flatnonzero(codes == _QUOTE)
    counts = lines.counts(quotes)
    regular: Flags = (counts % 2 == 0) & ~np.isin(codes[lines.starts], _ODD_STARTS)
    line = np.searchsorted(lines.starts, quotes, side="right") - 1
    inside = (line >= 0) & (quotes < lines.ends[line])
    quotes, line = quotes[inside], line[inside]
    before = np.cumsum(counts) - counts
    opening = (np.arange(len(quotes)) - before[line]) % 2 == 0
    fits = np.where(opening, codes[quotes - 1] == _BLANK, _closing(codes, quotes))
    regular[line[~fits]] = False
    if not lines.text():
        for index in np.flatnonzero(lines.containing(np.flatnonzero(codes > LAST_ASCII))):
            regular[index] &= Lines.of(lines[int(index)]).text()
    return regular


def _read_csv(lines: Lines, candidates: Ints) -> pl.DataFrame | None:
    """Return the candidates' fields, or None if the rows are not one for each line."""
    if not len(candidates):
        return None
    chosen = lines if len(candidates) == len(lines) else lines.select(candidates)
    try:
        table = pl.read_csv(
            chosen.joined(),
            separator=" ",
            quote_char='"',
            has_header=False,
            infer_schema=False,
            truncate_ragged_lines=True,
            missing_columns="insert",
            extra_columns="ignore",
            empty_string_is_null=False,  # what a line lacks is empty, too
            schema={f"c{number}": pl.String for number in range(_COLUMNS)},
        )
    except pl.exceptions.ComputeError:  # a quote in the middle of a field
        return None
    return table if table.height == len(candidates) else None


def _framed(shift: int) -> pl.Expr:
    """Mark rows whose time is where it must be; after a virtual host comes an address."""
    framed = (
        pl.col(f"c{shift + 3}").str.starts_with("[")
        & pl.col(f"c{shift + 4}").str.ends_with("]")
        & (pl.col("c0") != "")
    )
    if not shift:
        return framed
    address = pl.col("c1").str.contains(rf"^{clf_odd.ADDRESS}$")
    return framed & address & ~pl.col("c0").str.contains(",", literal=True)


def _day(shift: int) -> pl.Expr:
    return (pl.col(f"c{shift + 3}") + pl.col(f"c{shift + 4}")).alias("timestamp")


def _fields(shift: int) -> dict[str, pl.Expr]:
    """Name the CSV columns; `shift` 1 is a log whose lines begin with the virtual host."""
    column = {name: pl.col(f"c{shift + number}") for number, name in enumerate(_CSV_ORDER)}
    measured = column["referrer"].str.contains(_SECONDS)
    address = column["referrer"].str.contains("/", literal=True)
    whole = ~measured & ((column["user_agent"] != "") | address)
    return {
        "host": pl.col("c0") if shift else pl.lit(None, dtype=pl.String),
        "client": column["client"],
        "user": column["user"],
        "request": column["request"],
        "status": column["status"],
        "bytes": column["bytes"],
        "referrer": pl.when(whole).then(column["referrer"]),
        "user_agent": pl.when(whole).then(column["user_agent"]),
        "extra": pl.when(measured).then(column["referrer"]).otherwise(column["extra"]),
        "forwarded": pl.lit(None, dtype=pl.String),
    }


def _valid() -> pl.Expr:
    """Mark rows whose every field has the form that it must have."""
    return (
        pl.col("framed")
        & pl.col("status").str.contains(r"^(?:[0-9]{3}|-)$")
        & pl.col("bytes").str.contains(r"^(?:[0-9]{1,18}|-)$")
        & ~pl.col("client").str.contains(",", literal=True)
        & pl.col("timestamp").is_not_null()
    ).fill_null(value=False)


def _events(fields: pl.DataFrame) -> pl.DataFrame:
    """Turn text fields (and line, timestamp) into a frame of PARSED_SCHEMA."""
    more = (fields["extra"].str.len_bytes() > 1).any()
    columns = fields.lazy().select(
        "line",
        "timestamp",
        "request",
        present("client"),
        present("user"),
        present("referrer"),
        present("user_agent"),
        status=pl.col("status").cast(pl.Int64, strict=False),
        response_bytes=pl.col("bytes").cast(pl.Int64, strict=False),
        duration_us=_duration(),
        forwarded_for=pl.coalesce("forwarded", _forwarded() if more else pl.lit(None)),
        virtual_host=pl.col("host").str.replace(r":[0-9]{1,5}$", ""),
    )
    frame = with_requests(columns)
    return complete(frame.with_columns(host=pl.coalesce("host", "virtual_host")))


def _duration() -> pl.Expr:
    seconds = pl.when(pl.col("extra").str.contains(_SECONDS)).then(pl.col("extra"))
    return (seconds.cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64)


def _forwarded() -> pl.Expr:
    """Return what follows the user agent if it is a list of addresses.

    So it is in the format `main` that nginx is packaged with. Addresses with a port are none:
    they are likely those of upstreams.
    """
    return pl.when(pl.col("extra").str.contains(_HOPS)).then("extra")
