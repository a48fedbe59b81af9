"""The combined log format of nginx and Apache, with or without virtual host and request time."""

from typing import Final

import numpy as np
import polars as pl

from ingest.formats.clf import parse_clf_lines
from ingest.formats.parsed import Format, Reading
from ingest.lines import Ints, Lines

_QUOTE: Final = 34
_COMBINED_QUOTES: Final = 6


def parse(lines: Lines, reading: Reading) -> pl.DataFrame:  # noqa: ARG001
    """Read combined lines; common ones among them are read too."""
    return parse_clf_lines(lines)


def quotes_of_parsed(lines: Lines, parsed: pl.DataFrame) -> Ints:
    """Count the quotes in each line that was read."""
    counts = lines.counts(np.flatnonzero(lines.codes == _QUOTE))
    found: Ints = counts[parsed["line"].to_numpy()]
    return found


def claims(lines: Lines, parsed: pl.DataFrame) -> int:
    """Count the lines with a time, a referrer and a user agent."""
    timed = parsed.filter(pl.col("timestamp").is_not_null())
    return int((quotes_of_parsed(lines, timed) >= _COMBINED_QUOTES).sum())


FORMAT: Final = Format(
    "combined", "nginx and Apache combined", parse, claims, family="clf", general=True
)
