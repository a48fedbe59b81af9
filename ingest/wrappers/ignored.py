"""Lines that a source is told to ignore: an application's own output among its access lines."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Lines

#: A pattern's compiled size is bounded, so its length is, too.
PATTERN_LIMIT: Final = 1000


def checked_pattern(pattern: str) -> str:
    """Return a pattern of the `regex` dialect of Polars (Rust's); raises ValueError with why."""
    if not pattern:
        raise ValueError("an empty pattern would ignore every line")
    if len(pattern) > PATTERN_LIMIT:
        raise ValueError(f"the pattern is longer than {PATTERN_LIMIT} characters")
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        told = str(error).partition("This error occurred")[0]
        reason = re.sub(r"\s+", " ", told).removeprefix("regex error: ").strip()
        raise ValueError(f"the pattern {pattern!r} cannot be read: {reason}") from None
    return pattern


def ignored(lines: Lines, patterns: Sequence[str]) -> Flags:
    """Mark the lines that one of the patterns finds a match in; `^` is a line's beginning.

    Patterns have passed `checked_pattern`. Bytes that are not UTF-8 are compared as \\xNN.
    """
    if not patterns or not len(lines):
        return np.zeros(len(lines), dtype=np.bool_)
    texts = pl.Series("text", list(lines.decoded()), dtype=pl.String)
    flags: Flags = np.zeros(len(lines), dtype=np.bool_)
    for pattern in patterns:
        flags |= texts.str.contains(pattern).to_numpy()
    return flags
