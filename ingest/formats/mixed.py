"""Logs that mix formats: each line by the log's own format, the rest by the others."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.lines import Flags, Ints, Lines

_RETURN: Final = 13

#: A byte order mark may stand before any line.
_BOM_START: Final = b"\xef"


def read_mixed(
    lines: Lines, reading: Reading, first: Format | None, others: Sequence[Format]
) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line.

    Lines that `first` cannot read, or only without a time, are tried by the others in their
    order; those take only lines with a readable time. If `first` is a general format, the others
    of its family, which know more about their lines, go before it. What a line becomes depends on
    that line, `first` and the others only.
    """
    better = [entry for entry in others if first is not None and _better(entry, first)]
    frames, left = _taken(lines, reading, better, np.ones(len(lines), dtype=np.bool_))
    tried = [entry.parse for entry in better]
    own = nothing_parsed()
    if first is not None and left.any():
        own, left = _own(lines, reading, first, left)
        tried.append(first.parse)
    rest: list[Format] = []
    for entry in others:
        if entry.parse not in tried:
            tried.append(entry.parse)
            rest.append(entry)
    found, left = _taken(lines, reading, rest, left)
    frames += found
    if not frames:
        return own
    timeless = pl.Series(left[own["line"].to_numpy()], dtype=pl.Boolean)
    kept = own.filter(own["timestamp"].is_not_null() | timeless)
    return pl.concat([kept, *frames]).sort("line")


def likely(lines: Lines, entry: Format) -> Flags:
    """Mark lines that begin and end as the format's lines do: a cheap screen."""
    flags: Flags = np.ones(len(lines), dtype=np.bool_)
    if not len(lines) or not (entry.starts or entry.ends or entry.holds):
        return flags
    flags = lines.lengths > 0
    if entry.starts:
        firsts = lines.codes[np.minimum(lines.starts, len(lines.data) - 1)]
        flags = flags & _among(entry.starts + _BOM_START)[firsts]
    if entry.ends:
        lasts = lines.codes[np.maximum(lines.ends - 1, 0)]
        returned = lasts == _RETURN
        if returned.any():
            lasts = lines.codes[np.maximum(lines.ends - 1 - returned, 0)]
        flags = flags & _among(entry.ends)[lasts]
    if entry.holds and flags.any():
        flags = flags & _holding(lines, entry.holds)
    return flags


def _better(entry: Format, first: Format) -> bool:
    """Whether a format knows more about lines that `first` can read, too."""
    return first.general and entry.family == first.family and not entry.general


def _own(lines: Lines, reading: Reading, first: Format, left: Flags) -> tuple[pl.DataFrame, Flags]:
    """Return what the log's own format makes of the lines left, and which lack a time now."""
    rows = np.flatnonzero(left)
    frame = first.parse(lines if left.all() else lines.select(rows), reading)
    if len(rows) < len(lines):
        frame = frame.with_columns(pl.Series("line", rows[frame["line"].to_numpy()], pl.Int64))
    left = left.copy()
    left[frame["line"].filter(frame["timestamp"].is_not_null()).to_numpy()] = False
    return frame, left


def _taken(
    lines: Lines, reading: Reading, entries: Sequence[Format], left: Flags
) -> tuple[list[pl.DataFrame], Flags]:
    """Return what the formats make of the lines left, one after the other, and what is left."""
    frames = []
    left = left.copy()
    for entry in entries:
        if not left.any():
            break
        rows: Ints = np.flatnonzero(left & likely(lines, entry))
        if not len(rows):
            continue
        chosen = lines if len(rows) == len(lines) else lines.select(rows)
        found = entry.parse(chosen, reading)
        found = found.filter(pl.col("timestamp").is_not_null())
        if not found.height:
            continue
        taken = rows[found["line"].to_numpy()]
        frames.append(found.with_columns(pl.Series("line", taken, dtype=pl.Int64)))
        left[taken] = False
    return frames, left


def _holding(lines: Lines, texts: Sequence[bytes]) -> Flags:
    """Mark lines that hold one of the texts."""
    flags: Flags = np.zeros(len(lines), dtype=np.bool_)
    for text in texts:
        if text in lines.data:
            found = re.finditer(re.escape(text), lines.data)
            flags |= lines.containing(np.array([match.start() for match in found]))
    return flags


def _among(codes: bytes) -> Flags:
    allowed = np.zeros(256, dtype=np.bool_)
    allowed[list(codes)] = True
    return allowed
