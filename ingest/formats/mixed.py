"""Logs that mix formats: each line by the log's own format, the rest by the others."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.lines import Flags, Ints, Lines


def read_mixed(
    lines: Lines, reading: Reading, first: Format | None, others: Sequence[Format]
) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line.

    Lines that `first` cannot read, or only without a time, are tried by the others in their
    order; those take only lines with a readable time. What a line becomes depends on that line,
    `first` and the others only.
    """
    frame = first.parse(lines, reading) if first is not None else nothing_parsed()
    left = np.ones(len(lines), dtype=np.bool_)
    left[frame["line"].filter(frame["timestamp"].is_not_null()).to_numpy()] = False
    tried = [first.parse] if first is not None else []
    frames = []
    for entry in others:
        if not left.any():
            break
        rows: Ints = np.flatnonzero(left)
        rows = rows[likely(lines.select(rows), entry)]
        if entry.parse in tried or not len(rows):
            continue
        tried.append(entry.parse)
        found = entry.parse(lines.select(rows), reading)
        found = found.filter(pl.col("timestamp").is_not_null())
        taken = rows[found["line"].to_numpy()]
        frames.append(found.with_columns(pl.Series("line", taken, dtype=pl.Int64)))
        left[taken] = False
    if not frames:
        return frame
    others_found = pl.concat(frames)
    kept = frame.filter(pl.col("timestamp").is_not_null() | left[frame["line"].to_numpy()])
    return pl.concat([kept, others_found]).sort("line")


def likely(lines: Lines, entry: Format) -> Flags:
    """Mark lines that begin as the format's lines do: a cheap screen."""
    if not entry.starts or not len(lines):
        return np.ones(len(lines), dtype=np.bool_)
    allowed = np.zeros(256, dtype=np.bool_)
    allowed[list(entry.starts)] = True
    firsts = lines.codes[np.minimum(lines.starts, len(lines.data) - 1)]
    flags: Flags = allowed[firsts] & (lines.lengths > 0)
    return flags
