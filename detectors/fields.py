"""Sigma's field names for web logs, and the event columns that hold them."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final, Literal

import polars as pl

from detectors.findings import EntityType
from ingest.events import EVENT_SCHEMA

Kind = Literal["text", "number", "time"]

#: W3C names of the webserver and proxy taxonomy -> our columns.
SIGMA_FIELDS: Final[dict[str, str]] = {
    "c-ip": "client_ip",
    "src_ip": "client_ip",
    "c-useragent": "user_agent",
    "c-uri-stem": "path",
    "c-uri-query": "query",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "cs-uri-query": "query",
    "cs-user-agent": "user_agent",
    "cs-referer": "referrer",
    "cs-referrer": "referrer",
    "cs-username": "user",
    "cs-host": "host",
    "r-dns": "host",
    "cs-version": "protocol",
    "cs-bytes": "request_bytes",
    "sc-bytes": "response_bytes",
    "sc-status": "status",
}

#: Fields that a keyword (a value without a field) is looked for in.
KEYWORD_FIELDS: Final = ("cs-uri", "user_agent", "referrer", "host", "user", "request_raw")

#: Columns that name an entity, and its type.
ENTITY_TYPES: Final[dict[str, EntityType]] = {
    "client_ip": "client",
    "client_network": "network",
    "user": "user",
    "api_key": "api_key",
    "route": "route",
    "service": "service",
}

#: Columns with a decoded twin where decoding changes something (see detectors/decoded.py).
_DECODED: Final = ("path", "query")


def _uri(path: pl.Expr, query: pl.Expr) -> pl.Expr:
    whole = pl.concat_str(path, pl.concat_str(pl.lit("?"), query), ignore_nulls=True)
    return pl.when(path.is_not_null()).then(whole)


_URI: Final = _uri(pl.col("path"), pl.col("query"))
_URI_DECODED: Final = pl.when(
    pl.any_horizontal(pl.lit(value=False), pl.col("^(path|query)_decoded$").is_not_null())
).then(
    _uri(
        pl.coalesce(pl.col("^path_decoded$"), pl.col("path")),
        pl.coalesce(pl.col("^query_decoded$"), pl.col("query")),
    )
)
_EXTENSION: Final = r"\.([^./]+)$"

#: Fields that are worked out from columns: the expression, and whether it is text or a number.
#: object_id is the last number in the path (at most 18 digits), as in /orders/17/items.
DERIVED: Final[dict[str, tuple[pl.Expr, Kind]]] = {
    "object_id": (
        pl.col("path").str.extract(r"(?:^|[^0-9])([0-9]{1,18})[^0-9]*$").cast(pl.Int64()),
        "number",
    ),
    "time-taken": (pl.col("duration_us") // 1000, "number"),  # W3C: milliseconds
}

#: What Sigma's web rules ask for and no access log of ours holds.
_NOT_LOGGED: Final = {
    "cs-cookie": "cookies are not kept",
    "cs-body": "bodies are not logged",
    "dst_ip": "the service's own address is not kept",
    "action": "it belongs to one product",
}


class UnknownFieldError(ValueError):
    """A rule names a field that no access log of ours can fill."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a rule.

    `expr` reads it as logged. `texts` are the readings that a text condition is tried on: as
    logged and, for what comes from paths and queries, decoded; each may stand for several
    columns, and they are valid with and without the columns of DECODED_SCHEMA. `within` are the
    columns that hold all of its text, for those who look for a part of it first; `whole` says
    that its text is all of one of them.
    """

    name: str
    expr: pl.Expr
    kind: Kind
    texts: tuple[pl.Expr, ...]
    within: tuple[str, ...] = ()
    whole: bool = False


@cache
def field(name: str) -> Field:
    """Return the field of that Sigma or column name.

    Raises UnknownFieldError for a name that is neither.
    """
    if name in {"cs-uri", "c-uri"}:
        return Field(name, _URI, "text", (_URI, _URI_DECODED), _with_decoded("path", "query"))
    if name in {"cs-uri-extension", "c-uri-extension"}:
        path = pl.col("path").str.extract(_EXTENSION)
        decoded = pl.col("^path(_decoded)?$").str.extract(_EXTENSION)
        return Field(name, path, "text", (decoded,), _with_decoded("path"))
    if name in DERIVED:
        expr, kind = DERIVED[name]
        return Field(name, expr, kind, (expr.cast(pl.String()),))
    column = SIGMA_FIELDS.get(name, name)
    dtype = EVENT_SCHEMA.get(column)
    if dtype is None:
        raise UnknownFieldError(_unknown(name))
    expr = pl.col(column)
    if column in _DECODED:
        both = pl.col(f"^{column}(_decoded)?$")
        return Field(name, expr, "text", (both,), _with_decoded(column), whole=True)
    if dtype == pl.String():
        return Field(name, expr, "text", (expr,), (column,), whole=True)
    return Field(name, expr, "time" if dtype.is_temporal() else "number", (expr.cast(pl.String()),))


def _with_decoded(*columns: str) -> tuple[str, ...]:
    return (*columns, *(f"{name}_decoded" for name in columns))


def _unknown(name: str) -> str:
    known = sorted({*SIGMA_FIELDS, *DERIVED, "cs-uri", "cs-uri-extension"})
    if name.lower() in _NOT_LOGGED:
        return f"the field {name!r} is not among the events: {_NOT_LOGGED[name.lower()]}"
    near = get_close_matches(name, [*known, *EVENT_SCHEMA], 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"unknown field {name!r}; {hint} Our own columns may be used by their names too"


def column(name: str) -> str:
    """Return the event column behind a Sigma or column name; object_id is itself (see DERIVED).

    Raises UnknownFieldError where there is none, or where it is worked out from several.
    """
    resolved = SIGMA_FIELDS.get(name, name)
    if resolved not in EVENT_SCHEMA and resolved != "object_id":
        raise UnknownFieldError(
            f"cannot group or count by {name!r}: it is not one column of the events"
        )
    return resolved
