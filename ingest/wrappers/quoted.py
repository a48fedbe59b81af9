"""A whole line as JSON text, `"the \\"line\\""`: the `raw` encoding of OpenTelemetry's exporter."""

from typing import Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Lines
from ingest.wrappers.objects import read_objects
from ingest.wrappers.peeling import NOTHING, Peeled, Wrapper, byte_at, decoded, split_payloads

_QUOTE: Final = ord('"')
_ONE_TEXT: Final = r'^"(?:[^"\\]|\\.)*"\s*$'
_SCHEMA: Final = pl.Schema({"line": pl.String()})


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that begin with a quote."""
    flags: Flags = byte_at(lines, 0) == _QUOTE
    return flags


def peel(lines: Lines) -> Peeled:
    """Take the line out of each JSON text; a line in quotes that is no JSON stays as it is."""
    texts = decoded(lines)
    where = np.flatnonzero(texts.str.contains(_ONE_TEXT).to_numpy())
    objects = pl.select('{"line":' + pl.lit(texts[where]) + "}").to_series()
    table, rows = read_objects(objects, _SCHEMA)
    if not table.height:
        return NOTHING
    pieces, payloads = split_payloads(table["line"])
    return Peeled(where[rows][pieces], payloads)


WRAPPER: Final = Wrapper("quoted", "a line as JSON text", may_wrap, peel)
