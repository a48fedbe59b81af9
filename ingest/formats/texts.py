r"""Lines as one text column, for parsers that work on text."""

import polars as pl

from ingest.lines import Lines


def texts(lines: Lines) -> pl.Series:
    r"""Return each line as text; bytes that are not UTF-8 become \xNN."""
    if not len(lines):
        return pl.Series("text", [], dtype=pl.String)
    data = lines.joined()
    if not data.isascii():
        data = data.decode(errors="backslashreplace").encode()
    frame = pl.read_lines(data, name="text")
    if frame.height == len(lines):
        return frame["text"]
    whole = pl.Series("text", [data.decode()])
    return whole.str.split("\n").explode(empty_as_null=False).head(len(lines))
