r"""Lines as one text column, for parsers that work on text."""

from typing import Final
from urllib.parse import unquote

import polars as pl

from ingest.lines import Lines

_BOM: Final = b"\xef\xbb\xbf"


def texts(lines: Lines) -> pl.Series:
    r"""Return each line as text, without byte order mark; bytes that are not UTF-8 become \xNN."""
    if not len(lines):
        return pl.Series("text", [], dtype=pl.String)
    data = lines.joined()
    if _BOM in data:
        text = _texts(data, len(lines))
        return text.str.strip_prefix("\ufeff")
    return _texts(data, len(lines))


def _texts(data: bytes, count: int) -> pl.Series:
    if not data.isascii():
        data = data.decode(errors="backslashreplace").encode()
    frame = pl.read_lines(data, name="text")
    if frame.height == count:
        return frame["text"]
    whole = pl.Series("text", [data.decode()])
    return whole.str.split("\n").explode(empty_as_null=False).head(count)


def percent_decoded(values: pl.Series) -> pl.Series:
    """Return the values without percent encoding; CloudFront once encoded blanks twice."""
    distinct = values.drop_nulls().unique()
    encoded = distinct.filter(distinct.str.contains("%", literal=True)).to_list()
    decoded = [unquote(unquote(text) if "%25" in text else text) for text in encoded]
    return values.replace(encoded, decoded) if encoded else values
