"""JSON envelopes: one object a line that holds the line as text, as shippers send it.

Docker's json-file, Fluent Bit, Vector, Filebeat, journald, rsyslog's JSON templates: an object is
an envelope if it has one of PAYLOAD_FIELDS and none of REQUEST_FIELDS at top level. An access log
of its own right may have a `message`, too, but it always has a field of a request as well.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.json_keys import Screen
from ingest.lines import Flags, Ints, Lines
from ingest.wrappers.labels import LABEL_FIELDS, labels_of_columns
from ingest.wrappers.objects import read_objects, value_of
from ingest.wrappers.peeling import NOTHING, Peeled, Wrapper, byte_at, decoded, split_payloads

#: Where the line is, the first that is there.
PAYLOAD_FIELDS: Final = ("message", "log", "MESSAGE", "msg")

#: Top-level fields by which a line is an access log itself; `status` only if it is a number.
REQUEST_FIELDS: Final = (
    ":method",
    ":path",
    "ClientRequestMethod",
    "ClientRequestPath",
    "ClientRequestURI",
    "DownstreamStatus",
    "EdgeResponseStatus",
    "OriginStatus",
    "RequestMethod",
    "RequestPath",
    "cs-method",
    "cs-uri-stem",
    "cs_method",
    "cs_uri_stem",
    "http",
    "http.request.method",
    "http.response.status_code",
    "httpMethod",
    "httpRequest",
    "http_method",
    "http_request",
    "http_response",
    "http_status",
    "method",
    "properties",
    "req",
    "request",
    "requestLine",
    "requestMethod",
    "requestUri",
    "requestUrl",
    "request_line",
    "request_method",
    "request_uri",
    "res",
    "resourcePath",
    "response",
    "responseStatus",
    "response_code",
    "response_status",
    "routeKey",
    "sc-status",
    "sc_status",
    "status",
    "statusCode",
    "status_code",
    "uri",
    "url",
    "url.original",
    "url.path",
    "verb",
    "x-envoy-original-path",
)

#: Docker cuts longer lines in parts of this many bytes; only the last ends with a newline.
DOCKER_PART: Final = 16 * 1024

_KEYS: Final = [f'"{name}"' for name in PAYLOAD_FIELDS]
_TEXT: Final = pl.String()
_SCHEMA: Final = pl.Schema(dict.fromkeys((*PAYLOAD_FIELDS, "stream", "time", *LABEL_FIELDS), _TEXT))
_NUMBER: Final = r"^[0-9.]+$"
_OPEN: Final = ord("{")
_BYTES: Final = r"^\[(?:[0-9]{1,3}, ?)+[0-9]{1,3}\]$"


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that begin with a brace."""
    flags: Flags = byte_at(lines, 0) == _OPEN
    return flags


def peel(lines: Lines, own: Collection[str] = ()) -> Peeled:
    """Take the line out of each envelope; `own` are further fields that only requests have."""
    keys = Screen.of(lines.data).keys(PAYLOAD_FIELDS)  # the formats look at the same screen
    if not keys.scalars | keys.lists | keys.objects:
        return NOTHING
    texts = decoded(lines)
    where = np.flatnonzero(texts.str.contains_any(_KEYS).to_numpy())
    texts = texts[where]
    table, rows = read_objects(texts, _SCHEMA)
    payload = [name for name in PAYLOAD_FIELDS if table[name].null_count() < table.height]
    if not payload:
        return NOTHING
    table = table.with_columns(
        pl.coalesce(payload).alias("_payload"),
        pl.Series("_line", where[rows]),
        pl.Series("_request", _requests(texts[rows], (*REQUEST_FIELDS, *own))),
    )
    table = table.filter(pl.col("_payload").is_not_null() & ~pl.col("_request"))
    part = table.select(_is_part()).to_series()
    return _opened(table.filter(~part), table.filter(part)["_line"].to_numpy())


def _opened(table: pl.DataFrame, cut: Ints) -> Peeled:
    payloads = table["_payload"]
    if payloads.str.contains(_BYTES).any():  # journald writes what is not plain text so
        payloads = payloads.map_elements(_from_bytes, return_dtype=pl.String)
    pieces, texts = split_payloads(payloads)
    labels = labels_of_columns(table.select(LABEL_FIELDS))
    if labels is not None and len(pieces) != table.height:
        labels = labels[pieces]
    return Peeled(table["_line"].to_numpy()[pieces], texts, labels, cut)


def _requests(texts: pl.Series, names: Sequence[str]) -> Flags:
    """Mark the objects that have one of the fields at top level."""
    flags: Flags = texts.str.contains_any([f'"{name}"' for name in names]).to_numpy().copy()
    where = np.flatnonzero(flags)
    if len(where):  # the name may be anywhere in it
        table, rows = read_objects(texts[where], pl.Schema(dict.fromkeys(names, _TEXT)))
        status = pl.col("status").str.contains(_NUMBER)
        others = [pl.col(name).is_not_null() for name in names if name != "status"]
        found = table.select(pl.any_horizontal(status.fill_null(value=False), *others))
        flags[where] = False
        flags[where[rows]] = found.to_series().to_numpy()
    return flags


def _is_part() -> pl.Expr:
    """Mark the parts of a long line that Docker cut."""
    docker = pl.col("stream").is_not_null() & pl.col("time").is_not_null()
    cut = ~pl.col("log").str.ends_with("\n") & (pl.col("log").str.len_bytes() >= DOCKER_PART)
    return (docker & cut & (pl.col("log") == pl.col("_payload"))).fill_null(value=False)


def _from_bytes(text: str) -> str:
    """Return the text that a list of bytes stands for."""
    if not (text.startswith("[") and text[1:2].isdigit()):
        return text
    try:
        codes = [int(code) for code in value_of(text)]
        return bytes(codes).decode(errors="backslashreplace")
    except (ValueError, TypeError):
        return text


def wrapper(own: Collection[str] = ()) -> Wrapper:
    """Return the wrapper for sources whose requests have further fields of their `own`."""
    opener = partial(peel, own=frozenset(own)) if own else peel
    return Wrapper("envelope", "JSON of Docker and shippers", may_wrap, opener)


WRAPPER: Final = wrapper()
