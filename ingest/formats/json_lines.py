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

from ingest.formats.json_names import DEFAULT_NAMES, DURATIONS
from ingest.formats.parsed import Format, Mapped, complete, nothing_parsed, present
from ingest.lines import Ints, Lines
from ingest.request_lines import split_requests, split_target
from ingest.times import parse_times

#: Deeper objects are not read: parsers of JSON recurse.
DEPTH_LIMIT: Final = 200

_FEW: Final = 32
_TEXTS: Final = (
    "service",
    "environment",
    "user",
    "user_agent",
    "referrer",
    "request_id",
    "scheme",
    "host",
    "protocol",
)
_NUMBERS: Final = ("status", "request_bytes", "response_bytes")

Tree = dict[str, "Tree"]


def parse(lines: Lines, mapping: Mapped) -> pl.DataFrame:
    """Return a frame of PARSED_SCHEMA, ordered by line; what is no JSON object has no row."""
    if b"{" not in lines.data:
        return nothing_parsed()
    names = {**DEFAULT_NAMES, **{column: (name,) for column, name in mapping.items()}}
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
    return complete(_events(fields).with_columns(pl.Series("line", rows)))


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


def _events(fields: pl.DataFrame) -> pl.DataFrame:
    request = split_requests(fields["request"])
    path, query = split_target(pl.col("uri"))
    bare = pl.col("path").str.starts_with("/") | (pl.col("path") == "*")
    own_path, own_query = split_target(pl.when(bare).then("path"))
    columns = {
        "method": pl.when(pl.col("method").str.contains(r"^[A-Za-z_-]{1,20}$")).then(
            pl.col("method").str.to_uppercase()
        ),
        "path": pl.coalesce(own_path, path),
        "query": pl.coalesce(pl.col("query").str.strip_prefix("?"), own_query, query),
    }
    frame = fields.select(
        *(present(name) for name in _TEXTS),
        *(_integer(name) for name in _NUMBERS),
        duration_us=_duration(),
        timestamp=pl.lit(None),
        client=pl.col("client_ip"),
        **columns,
    ).with_columns(timestamp=_completion(fields, _durations(fields)))
    given = [name for name in request.columns if name in frame.columns]
    merged = [pl.coalesce(frame[name], request[name]).alias(name) for name in given]
    known = frame["path"].is_not_null() | frame["method"].is_not_null()
    raw = pl.select(pl.when(~known).then(request["request_raw"])).to_series()
    return frame.with_columns(merged).with_columns(raw.alias("request_raw"))


def _integer(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_between(0, 2**53)).then(number).cast(pl.Int64).alias(name)


def _duration() -> pl.Expr:
    values = []
    for column, scale in DURATIONS.items():
        text = pl.col(column).str.strip_suffix("ms" if column == "duration_ms" else "s")
        number = text.cast(pl.Float64, strict=False) * scale
        values.append(pl.when(number.is_between(0, 2**53)).then(number))
    return pl.coalesce(values).round().cast(pl.Int64)


def _durations(fields: pl.DataFrame) -> pl.Series:
    return fields.select(_duration()).to_series()


def _completion(fields: pl.DataFrame, duration: pl.Series) -> pl.Series:
    """Return the time of completion: a log of the start has the duration added."""
    ended, started = parse_times(fields["timestamp"]), parse_times(fields["start"])
    finished = started + duration.fill_null(0).cast(pl.Duration("us"))
    return pl.select(pl.coalesce(ended, finished)).to_series()
