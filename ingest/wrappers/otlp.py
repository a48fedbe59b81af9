"""OTLP JSON, as the Kafka exporter of the OpenTelemetry collector writes it: many lines in one.

Each log record's body is a line; attributes of its resource name service and environment. The
objects are read one by one: Polars takes longer for lists of lists than Python for the objects.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Lines
from ingest.wrappers.labels import Labels, labels_of
from ingest.wrappers.objects import encodable, value_of
from ingest.wrappers.peeling import LABELS_SCHEMA, NOTHING, Peeled, Wrapper, byte_at, split_payloads

_BEGIN: Final = b'{"resourceLogs"'
_SIMPLE: Final = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
_SAID_NOTHING: Final[Labels] = (None, None)


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that begin with such a record's first bytes."""
    flags: Flags = byte_at(lines, 0) == _BEGIN[0]
    for offset in (2, 10, len(_BEGIN) - 1):
        if flags.any():
            flags &= byte_at(lines, offset) == _BEGIN[offset]
    return flags


def begins(lines: Lines) -> Flags:
    """Mark lines that begin exactly as such a record does."""
    flags = may_wrap(lines)
    for index in np.flatnonzero(flags):
        flags[index] = lines[int(index)].startswith(_BEGIN)
    return flags


def peel(lines: Lines) -> Peeled:
    """Take the lines out of each record; one without any gives one empty line."""
    origin: list[int] = []
    texts: list[str] = []
    labels: list[Labels] = []
    where = np.flatnonzero(begins(lines))
    for index, text in zip(where.tolist(), lines.select(where).decoded(), strict=True):
        try:
            found = list(_lines(value_of(text))) or [("", _SAID_NOTHING)]
        except (ValueError, RecursionError):
            continue
        origin += [index] * len(found)
        texts += [body for body, _ in found]
        labels += [said for _, said in found]
    if not origin:
        return NOTHING
    pieces, payloads = split_payloads(pl.Series("body", texts, dtype=pl.String))
    said = None
    if any(found != _SAID_NOTHING for found in labels):
        said = pl.DataFrame(labels, schema=LABELS_SCHEMA, orient="row")[pieces]
    return Peeled(np.array(origin)[pieces], payloads, said)


def _lines(record: Any) -> Iterator[tuple[str, Labels]]:  # noqa: ANN401
    """Yield each body that is there, and the labels of its resource."""
    for group in _objects(record, "resourceLogs"):
        said = labels_of(dict(_attributes(group.get("resource"))))
        for scope in _objects(group, "scopeLogs"):
            for entry in _objects(scope, "logRecords"):
                body = _text(entry.get("body"))
                if body is not None:
                    yield encodable(body), said


def _objects(value: Any, name: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield the objects in the list of that name; nothing of another shape."""
    inner = value.get(name) if isinstance(value, dict) else None
    if isinstance(inner, list):
        yield from (entry for entry in inner if isinstance(entry, dict))


def _attributes(resource: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for attribute in _objects(resource, "attributes"):
        key, value = attribute.get("key"), attribute.get("value")
        text = value.get("stringValue") if isinstance(value, dict) else None
        if isinstance(key, str) and isinstance(text, str):
            yield key, text


def _text(body: Any) -> str | None:  # noqa: ANN401
    """Return a body as a line: text as it is, lists and maps as JSON."""
    plain = _plain(body)
    return plain if plain is None or isinstance(plain, str) else json.dumps(plain)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of OTLP, any value of JSON
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("kvlistValue"), dict):
        pairs = _objects(value["kvlistValue"], "values")
        return {str(pair.get("key")): _plain(pair.get("value")) for pair in pairs}
    if isinstance(value.get("arrayValue"), dict):
        return [_plain(entry) for entry in _objects(value["arrayValue"], "values")]
    simple = next((value[name] for name in _SIMPLE if name in value), None)
    return simple if isinstance(simple, str | bool) else None


WRAPPER: Final = Wrapper("otlp", "OpenTelemetry logs (OTLP JSON)", may_wrap, peel)
