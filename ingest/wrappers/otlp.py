"""OTLP JSON, as the Kafka exporter of the OpenTelemetry collector writes it: many lines in one.

Each log record's body is a line; attributes of its resource name service and environment.
"""

import json
from typing import Any, Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Ints, Lines
from ingest.wrappers.labels import ENVIRONMENT, SERVICE, labels_of
from ingest.wrappers.objects import read_objects, value_of
from ingest.wrappers.peeling import LABELS_SCHEMA, NOTHING, Peeled, Wrapper, byte_at, split_payloads

_BEGIN: Final = '{"resourceLogs"'
_SIMPLE: Final = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
_ATTRIBUTE: Final = pl.Struct(
    {"key": pl.String(), "value": pl.Struct({"stringValue": pl.String()})}
)
_BODY: Final = pl.Struct(dict.fromkeys((*_SIMPLE, "kvlistValue", "arrayValue"), pl.String()))
_RECORD: Final = pl.Struct({"body": _BODY})
_RESOURCE: Final = pl.Struct(
    {
        "resource": pl.Struct({"attributes": pl.List(_ATTRIBUTE)}),
        "scopeLogs": pl.List(pl.Struct({"logRecords": pl.List(_RECORD)})),
    }
)
_SCHEMA: Final = pl.Schema({"resourceLogs": pl.List(_RESOURCE)})


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that begin as such a record does."""
    flags: Flags = byte_at(lines, 0) == ord(_BEGIN[0])
    for offset in (2, 10, len(_BEGIN) - 1):
        if flags.any():
            flags &= byte_at(lines, offset) == ord(_BEGIN[offset])
    return flags


def begins(lines: Lines) -> Flags:
    """Mark lines that begin exactly as such a record does."""
    flags = may_wrap(lines)
    for index in np.flatnonzero(flags):
        flags[index] = lines[int(index)].startswith(_BEGIN.encode())
    return flags


def peel(lines: Lines) -> Peeled:
    """Take the lines out of each record; one without any gives one empty line."""
    texts = pl.Series("text", list(lines.decoded()), dtype=pl.String)
    where = np.flatnonzero(texts.str.starts_with(_BEGIN).to_numpy())
    table, rows = read_objects(texts[where], _SCHEMA)
    if not table.height:
        return NOTHING
    groups = (
        table.with_columns(pl.Series("_line", where[rows]))
        .explode("resourceLogs", empty_as_null=True)
        .unnest("resourceLogs")
        .with_row_index("_group")
    )
    records = (
        groups.select("_line", "_group", "scopeLogs")
        .explode("scopeLogs", empty_as_null=True)
        .unnest("scopeLogs")
        .explode("logRecords", empty_as_null=True)
        .unnest("logRecords")
        .unnest("body")
    )
    payloads = records.select(pl.coalesce(*_SIMPLE, "arrayValue")).to_series()
    lists = records["kvlistValue"]
    if lists.null_count() < len(lists):
        objects = lists.map_elements(_object, return_dtype=pl.String)
        payloads = pl.select(pl.coalesce(payloads, objects)).to_series()
    return _lines(records, payloads, _labels(groups))


def _lines(records: pl.DataFrame, payloads: pl.Series, labels: pl.DataFrame | None) -> Peeled:
    """Leave out what says nothing, but no line wholly."""
    line = records["_line"].to_numpy()
    said = payloads.is_not_null().to_numpy()
    first = np.concatenate(([True], line[1:] != line[:-1]))
    silent = ~np.isin(line, line[said])
    keep: Ints = np.flatnonzero(said | (first & silent))
    pieces, texts = split_payloads(payloads[keep].fill_null(""))
    kept = keep[pieces]
    group = records["_group"].to_numpy()[kept]
    return Peeled(line[kept], texts, None if labels is None else labels[group])


def _labels(groups: pl.DataFrame) -> pl.DataFrame | None:
    """Return LABELS_SCHEMA, one row a group."""
    attributes = (
        groups.select("_group", pl.col("resource").struct.field("attributes"))
        .explode("attributes")
        .unnest("attributes")
        .filter(pl.col("key").is_in([*SERVICE, *ENVIRONMENT]))
        .unnest("value")
        .drop_nulls()
    )
    if not attributes.height:
        return None
    names: dict[int, dict[str, str]] = {}
    for group, key, text in attributes.iter_rows():
        names.setdefault(group, {}).setdefault(key, text)
    said = [labels_of(names.get(group, {})) for group in range(groups.height)]
    return pl.DataFrame(said, schema=LABELS_SCHEMA, orient="row")


def _object(text: str) -> str | None:
    """Return a list of keys and values as JSON text of the object it stands for."""
    try:
        return json.dumps(_plain({"kvlistValue": value_of(text)}))
    except ValueError:
        return None


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of OTLP, any value of JSON
    if not isinstance(value, dict):
        return None
    if isinstance(inner := value.get("kvlistValue"), dict):
        pairs = inner.get("values")
        items = (
            [item for item in pairs if isinstance(item, dict)] if isinstance(pairs, list) else []
        )
        return {str(item.get("key")): _plain(item.get("value")) for item in items}
    if isinstance(inner := value.get("arrayValue"), dict):
        several = inner.get("values")
        return [_plain(item) for item in several] if isinstance(several, list) else []
    return next((value[name] for name in _SIMPLE if name in value), None)


WRAPPER: Final = Wrapper("otlp", "OpenTelemetry logs (OTLP JSON)", may_wrap, peel)
