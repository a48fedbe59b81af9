"""JSON lines: one object a line, with any field names.

Without a mapping the names of ECS and those common with nginx, Traefik and Caddy are tried. A
name with dots means a field of that very name, else a field inside objects; a last component 0
means the first item of a list.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from ingest.formats.fields import events_of
from ingest.formats.json_names import DEFAULT_NAMES
from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.lines import Ints, Lines

#: Deeper objects are not read: parsers of JSON recurse.
DEPTH_LIMIT: Final = 200

_FEW: Final = 32

Tree = dict[str, "Tree"]


def parse(lines: Lines, reading: Reading) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line; what is no JSON object has no row."""
    if b"{" not in lines.data:
        return nothing_parsed()
    names = {**DEFAULT_NAMES, **{column: (name,) for column, name in reading.mapping.items()}}
    wanted = sorted({name for several in names.values() for name in several})
    values, rows = _read(lines, wanted)
    if not len(rows):
        return nothing_parsed()
    empty = {column.name for column in values if column.null_count() == values.height}
    fields = values.select(
        pl.coalesce(
            [
                pl.lit(None, dtype=pl.String),
                *(_found(name) for name in several if name not in empty),
            ]
        ).alias(column)
        for column, several in names.items()
    )
    return events_of(fields, reading, rows)


def claims(lines: Lines, parsed: pl.DataFrame) -> int:  # noqa: ARG001
    """Count the objects that look like a request: a time, and a path, status or method."""
    request = pl.any_horizontal(
        pl.col(name).is_not_null() for name in ("path", "status", "method", "request_raw")
    )
    return parsed.filter(pl.col("timestamp").is_not_null() & request).height


FORMAT: Final = Format("json", "JSON lines", parse, claims)


def _read(lines: Lines, wanted: list[str]) -> tuple[pl.DataFrame, Ints]:
    """Return (a text column for each wanted name, index of each row's line)."""
    texts = [line.strip() for line in lines.decoded()]
    numbers = [
        number
        for number, text in enumerate(texts)
        if text.startswith("{")
        and text.endswith("}")
        and text.count("{") + text.count("[") <= DEPTH_LIMIT
        and "\n" not in text
    ]
    table, kept = _objects([texts[number] for number in numbers], wanted)
    return table, np.array([numbers[index] for index in kept], dtype=np.int64)


def _objects(texts: list[str], wanted: Iterable[str]) -> tuple[pl.DataFrame, list[int]]:
    """Read the texts that are JSON objects: (wanted values as text, their indices)."""
    tree, flat = _tree(wanted)
    schema = dict.fromkeys(sorted({*tree, *flat}), pl.String())
    frames: list[pl.DataFrame] = [pl.DataFrame(schema=schema)]
    kept: list[int] = []
    for start, frame in _readable(texts, 0, schema):
        frames.append(frame)
        kept.extend(range(start, start + frame.height))
    table = pl.concat(frames)
    nested = [
        _nested(table[top], [name for name in flat if name.startswith(f"{top}.")])
        for top, below in tree.items()
        if below and table[top].null_count() < table.height
    ]
    columns = {column.name: column for group in nested for column in group}
    merged = [
        pl.coalesce(pl.col(name), columns[name]).alias(name) if name in columns else pl.col(name)
        for name in flat
    ]
    return table.select(merged), kept


def _tree(wanted: Iterable[str]) -> tuple[dict[str, bool], list[str]]:
    """Return (first component -> whether anything is below it, all names)."""
    flat = list(wanted)
    tree: dict[str, bool] = {}
    for name in flat:
        top, _, below = name.partition(".")
        tree[top] = tree.get(top, False) or bool(below)
    return tree, flat


def _nested(values: pl.Series, names: list[str]) -> Iterator[pl.Series]:
    """Read `names` (which begin with the column's name) out of texts that are objects."""
    prefix = f"{values.name}."
    below = [name.removeprefix(prefix) for name in names]
    if below == ["0"]:
        items = pl.when(pl.col("x").str.starts_with("[")).then(pl.col("x"))
        frame = values.rename("x").to_frame().select(items.str.json_path_match("$[0]"))
        yield frame.to_series().rename(names[0])
        return
    where = np.flatnonzero(values.str.starts_with("{").fill_null(value=False).to_numpy())
    table, kept = _objects(values[where].to_list(), below)
    rows = pl.DataFrame({"row": where[kept].astype(np.int64)}).hstack(table)
    every = pl.DataFrame({"row": np.arange(len(values), dtype=np.int64)})
    joined = every.join(rows, on="row", how="left", maintain_order="left")
    for name, inner in zip(names, below, strict=True):
        yield joined[inner].rename(name)


def _readable(
    texts: list[str], start: int, schema: Mapping[str, pl.DataType]
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (index of the first text, its rows) for runs of texts that can be read."""
    if not texts:
        return
    frame = _rows(texts, schema)
    if frame is not None:
        yield start, frame
    elif len(texts) > _FEW:
        half = len(texts) // 2
        yield from _readable(texts[:half], start, schema)
        yield from _readable(texts[half:], start + half, schema)
    elif len(texts) > 1:
        for index, text in enumerate(texts):
            if _is_object(text):
                yield from _readable([text], start + index, schema)


def _rows(texts: list[str], schema: Mapping[str, pl.DataType]) -> pl.DataFrame | None:
    data = "\n".join(texts).encode(errors="backslashreplace")
    try:
        frame = pl.read_ndjson(data, schema=schema, ignore_errors=True)
    except pl.exceptions.ComputeError:
        return None
    return frame if frame.height == len(texts) else None


def _is_object(text: str) -> bool:
    """Whether Python reads the text; spares Polars one call for each line of junk."""
    try:
        value: Any = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _found(name: str) -> pl.Expr:
    value = pl.col(name)
    missing = [value == text for text in ("", "-", "null", "[]", "{}")]
    return pl.when(~pl.any_horizontal(missing)).then(value)
