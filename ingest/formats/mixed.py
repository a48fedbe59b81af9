"""Logs that mix formats: each line by the log's own format, the rest by the others."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.lines import Flags, Ints, Lines

_RETURN: Final = 13

#: What a combined line shows of its fields, and the length of all around them: quotes, blanks,
#: the time, the status, missing fields that were counted as one character.
_SHOWN: Final = (
    "client",
    "user",
    "method",
    "path",
    "query",
    "protocol",
    "request_raw",
    "referrer",
    "user_agent",
    "host",
    "forwarded_for",
)
_FRAME: Final = len(' - [02/Nov/2026:08:00:00 +0000] "  " 200  "" ""')
_TIME_TAKEN: Final = 9

#: A byte order mark may stand before any line.
_BOM_START: Final = b"\xef"


def read_mixed(
    lines: Lines, reading: Reading, first: Format | None, others: Sequence[Format]
) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line.

    Lines that `first` cannot read, or only without a time, are tried by the others in their
    order; those take only lines with a readable time. If `first` is a general format, the others
    of its family, which know more about their lines, go before it where a line holds more than it
    reads. What a line becomes depends on that line, `first` and the others only.
    """
    own = nothing_parsed() if first is None else first.parse(lines, reading)
    timed = own["timestamp"].is_not_null()
    left = np.ones(len(lines), dtype=np.bool_)
    left[own["line"].filter(timed).to_numpy()] = False
    better = [entry for entry in others if first is not None and _better(entry, first)]
    richer = left.copy()
    if better:
        more = _holds_more(lines, own) if first is not None and first.family == "clf" else timed
        richer[own["line"].filter(timed & more).to_numpy()] = True
    frames, still = _taken(lines, reading, better, richer)
    taken = richer & ~still
    tried = [entry.parse for entry in (first, *better) if entry is not None]
    rest: list[Format] = []
    for entry in others:
        if entry.parse not in tried:
            tried.append(entry.parse)
            rest.append(entry)
    found, still = _taken(lines, reading, rest, left & ~taken)
    taken |= left & ~taken & ~still
    frames += found
    if not frames:
        return own
    kept = own.filter(pl.Series(~taken[own["line"].to_numpy()], dtype=pl.Boolean))
    return pl.concat([kept, *frames]).sort("line")


def likely(lines: Lines, entry: Format) -> Flags:
    """Mark lines that begin and end as the format's lines do: a cheap screen."""
    flags: Flags = np.ones(len(lines), dtype=np.bool_)
    if not len(lines) or not (entry.starts or entry.ends):
        return flags
    flags = lines.lengths > 0
    if entry.starts:
        flags = flags & _among(entry.starts + _BOM_START)[lines.firsts]
    if entry.ends:
        lasts = lines.codes[np.maximum(lines.ends - 1, 0)]
        returned = lasts == _RETURN
        if returned.any():
            lasts = lines.codes[np.maximum(lines.ends - 1 - returned, 0)]
        flags = flags & _among(entry.ends)[lasts]
    return flags


def _better(entry: Format, first: Format) -> bool:
    """Whether a format knows more about lines that `first` can read, too."""
    return first.general and entry.family == first.family and not entry.general


def _holds_more(lines: Lines, own: pl.DataFrame) -> pl.Series:
    """Mark rows of the CLF family whose lines are longer than what was read of them.

    A request time behind the fields that all have is not enough; a user agent with quotes in it
    may be a user agent and more.
    """
    texts = (pl.col(name).str.len_bytes().fill_null(1) for name in _SHOWN)
    size = pl.col("response_bytes").cast(pl.String).str.len_bytes().fill_null(1)
    read = own.select(pl.sum_horizontal(*texts, size).cast(pl.Int64)).to_series()
    longer = pl.Series(lines.lengths[own["line"].to_numpy()]) - read > _FRAME + _TIME_TAKEN
    return longer | own["user_agent"].str.contains('"', literal=True).fill_null(value=False)


def _taken(
    lines: Lines, reading: Reading, entries: Sequence[Format], left: Flags
) -> tuple[list[pl.DataFrame], Flags]:
    """Return what the formats make of the lines left, one after the other, and what is left."""
    frames = []
    left = left.copy()
    alike: dict[tuple[bytes, bytes], Flags] = {}  # formats of a family begin and end alike
    for entry in entries:
        if not left.any():
            break
        shape = (entry.starts, entry.ends)
        if shape not in alike:
            alike[shape] = likely(lines, entry)
        rows: Ints = np.flatnonzero(left & alike[shape])
        if not len(rows):
            continue
        chosen = lines if len(rows) == len(lines) else lines.select(rows)
        found = entry.parse(chosen, reading)
        if found["timestamp"].null_count():
            found = found.filter(pl.col("timestamp").is_not_null())
        if not found.height:
            continue
        taken = rows[found["line"].to_numpy()]
        frames.append(found.with_columns(pl.Series("line", taken, dtype=pl.Int64)))
        left[taken] = False
    return frames, left


def _among(codes: bytes) -> Flags:
    allowed = np.zeros(256, dtype=np.bool_)
    allowed[list(codes)] = True
    return allowed
