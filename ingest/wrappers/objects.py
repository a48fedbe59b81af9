"""Reading JSON objects, a line each, into columns: what cannot be read spoils nothing else."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from ingest.lines import Ints


def read_objects(texts: pl.Series, schema: pl.Schema) -> tuple[pl.DataFrame, Ints]:
    """Return (the objects' values, index of each row's text).

    Values of other types than the schema's are null; in text columns they are JSON text. Texts
    that are no object of one line, or nest deeper than 1,024, have no row.
    """
    braced = texts.str.starts_with("{") & texts.str.strip_chars_end().str.ends_with("}")
    rows = np.flatnonzero(braced.to_numpy())
    if not len(rows):
        return schema.to_frame(), rows
    frame = _frame(texts if len(rows) == len(texts) else texts[rows], schema)
    if frame is not None:
        return frame, rows
    listed = texts.to_list()
    likely = [row for row in rows.tolist() if _may_be_object(listed[row])]
    found = list(_halves(listed, likely, schema))
    kept = [row for numbers, _ in found for row in numbers]
    return pl.concat([schema.to_frame(), *(part for _, part in found)]), np.array(kept, np.int64)


def value_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Return what a JSON text means; raises ValueError."""
    try:
        return _loaded(text)
    except RecursionError as error:
        raise ValueError("too deep") from error


def encodable(text: str) -> str:
    """Return a text that came out of JSON with half characters as \\uNNNN."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _halves(
    texts: Sequence[str], rows: list[int], schema: pl.Schema
) -> Iterator[tuple[list[int], pl.DataFrame]]:
    """Yield what can be read; halves again what cannot, down to single rows."""
    if not rows:
        return
    frame = _frame(pl.Series([texts[row] for row in rows], dtype=pl.String), schema)
    if frame is not None:
        yield rows, frame
    elif len(rows) > 1:
        middle = len(rows) // 2
        yield from _halves(texts, rows[:middle], schema)
        yield from _halves(texts, rows[middle:], schema)


def _frame(texts: pl.Series, schema: pl.Schema) -> pl.DataFrame | None:
    data = texts.str.join("\n")[0].encode()
    try:
        frame = pl.read_ndjson(data, schema=schema, ignore_errors=True)
    except pl.exceptions.ComputeError:
        return None
    return frame if frame.height == len(texts) else None


def _may_be_object(text: str) -> bool:
    """Whether Python reads the text or cannot say; spares Polars a call for each line of junk."""
    try:
        return isinstance(_loaded(text), dict)
    except RecursionError:
        return True
    except ValueError:
        return False


def _loaded(text: str) -> Any:  # noqa: ANN401
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=_refused)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
