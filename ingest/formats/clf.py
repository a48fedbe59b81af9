"""The Common Log Format and its combined form: nearly all lines by CSV, odd ones by regex.

Both formats share this parser, so that a log that mixes them is read whole. Polars' CSV reader
(blank-separated, quoted) takes the usual lines at several times the speed of a regex. It is
trusted only as far as can be checked: as many rows as lines, and every field of a row in the
form it must have. All other lines go through `clf_odd`.
"""

from typing import Final

import numpy as np
import polars as pl

from ingest.formats import clf_odd
from ingest.formats.parsed import complete, nothing_parsed, present
from ingest.lines import Flags, Ints, Lines
from ingest.request_lines import split_requests
from ingest.times import parse_clf, parse_times

#: Text fields that both ways of reading a line produce.
FIELDS: Final = (
    "host",
    "client",
    "user",
    "time",
    "request",
    "status",
    "bytes",
    "referrer",
    "user_agent",
    "extra",
)

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
_MAY_BE_QUOTED: Final = ("user", "request", "referrer", "user_agent")
_COLUMNS: Final = len(_CSV_ORDER) + 2
_QUOTE, _BLANK, _BACKSLASH, _RETURN, _LAST_ASCII = b'" \\\r\x7f'
_ODD_STARTS: Final = np.array([9, 32, _QUOTE], dtype=np.uint8)
_SECONDS: Final = r"^[0-9]{1,9}\.[0-9]{1,9}$"


def parse_clf_lines(lines: Lines) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line."""
    if not len(lines):
        return nothing_parsed()
    usual, rows = _by_csv(lines)
    left = np.ones(len(lines), dtype=np.bool_)
    left[rows] = False
    events = _events(usual, rows, parse_clf(usual["time"])) if len(rows) else nothing_parsed()
    if not left.any():
        return events
    odd, found = clf_odd.read(lines.select(left))
    if not len(found):
        return events
    more = _events(odd, np.flatnonzero(left)[found], parse_times(odd["time"]))
    return pl.concat([events, more]).sort("line")


def _by_csv(lines: Lines) -> tuple[pl.DataFrame, Ints]:
    """Read what CSV can read: (FIELDS as text, index of each row's line)."""
    candidates = np.arange(len(lines))
    table = _read_csv(lines, candidates) if _promising(lines) else None
    if table is None:
        candidates = np.flatnonzero(_regular(lines))
        table = _read_csv(lines, candidates)
    if table is None:
        return pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String)), candidates[:0]
    frames, rows = [], []
    for shift in (0, 1):
        fields = table.select(**_fields(shift))
        good = _valid(fields, table, shift)
        if good.all():
            return fields, candidates
        frames.append(fields.filter(good))
        rows.append(candidates[good.to_numpy()])
    order = np.argsort(np.concatenate(rows), kind="stable")
    return pl.concat(frames)[order], np.concatenate(rows)[order]


def _promising(lines: Lines) -> bool:
    """Whether CSV may try all lines at once: the number of rows tells if it went astray."""
    return (
        lines.whole and b'\\"' not in lines.data and lines[-1].count(b'"') % 2 == 0 and lines.text()
    )


def _regular(lines: Lines) -> Flags:
    """Mark lines whose quotes all open after a blank and close before one: safe for CSV."""
    codes = lines.codes
    quotes = np.flatnonzero(codes == _QUOTE)
    counts = lines.counts(quotes)
    regular = (counts % 2 == 0) & ~np.isin(codes[lines.starts], _ODD_STARTS)
    line = np.searchsorted(lines.starts, quotes, side="right") - 1
    inside = (line >= 0) & (quotes < lines.ends[line])
    quotes, line = quotes[inside], line[inside]
    before = np.cumsum(counts) - counts
    opening = (np.arange(len(quotes)) - before[line]) % 2 == 0
    following = codes[np.minimum(quotes + 1, len(codes) - 1)]
    at_end = (quotes + 1 >= lines.ends[line]) | (following == _RETURN)
    fits = np.where(opening, codes[quotes - 1] == _BLANK, (following == _BLANK) | at_end)
    fits &= opening | (codes[quotes - 1] != _BACKSLASH)
    regular[line[~fits]] = False
    if not lines.text():
        for index in np.flatnonzero(lines.containing(np.flatnonzero(codes > _LAST_ASCII))):
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
        "time": column["day"].str.slice(1) + column["zone"].str.head(-1),
        "request": column["request"],
        "status": column["status"],
        "bytes": column["bytes"],
        "referrer": pl.when(whole).then(column["referrer"]),
        "user_agent": pl.when(whole).then(column["user_agent"]),
        "extra": pl.when(measured).then(column["referrer"]).otherwise(column["extra"]),
    }


def _valid(fields: pl.DataFrame, table: pl.DataFrame, shift: int) -> pl.Series:
    """Mark rows whose every field has the form that it must have."""
    quoted = [pl.col(name).str.contains('"', literal=True) for name in _MAY_BE_QUOTED]
    checks = (
        table[f"c{shift + 3}"].str.starts_with("[")
        & table[f"c{shift + 4}"].str.ends_with("]")
        & (table["c0"] != "")
    ).alias("time")
    return (
        fields.with_columns(checks.alias("framed"))
        .select(
            pl.col("framed")
            & pl.col("status").str.contains(r"^(?:[0-9]{3}|-)$")
            & pl.col("bytes").str.contains(r"^(?:[0-9]{1,18}|-)$")
            & ~pl.col("client").str.contains(r'[",]')
            & ~pl.any_horizontal(pl.coalesce(check, pl.lit(value=False)) for check in quoted)
        )
        .to_series()
        .fill_null(value=False)
    )


def _events(fields: pl.DataFrame, rows: Ints, times: pl.Series) -> pl.DataFrame:
    request = split_requests(fields["request"])
    frame = fields.select(
        present("client"),
        present("user"),
        present("referrer"),
        present("user_agent"),
        status=pl.col("status").cast(pl.Int64, strict=False),
        response_bytes=pl.col("bytes").cast(pl.Int64, strict=False),
        duration_us=_duration(),
        virtual_host=pl.col("host").str.replace(r":[0-9]{1,5}$", ""),
    )
    frame = pl.concat([frame, request], how="horizontal").with_columns(
        pl.Series("line", rows),
        times.alias("timestamp"),
        host=pl.coalesce("host", "virtual_host"),
    )
    return complete(frame)


def _duration() -> pl.Expr:
    seconds = pl.when(pl.col("extra").str.contains(_SECONDS)).then(pl.col("extra"))
    return (seconds.cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64)
