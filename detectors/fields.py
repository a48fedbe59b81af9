"""Sigma's field names for web logs, and the event columns that hold them."""

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from detectors.findings import EntityType
from ingest.events import EVENT_SCHEMA

Kind = Literal["text", "number"]

#: W3C names of the webserver and proxy taxonomy -> our columns.
SIGMA_FIELDS: Final[dict[str, str]] = {
    "c-ip": "client_ip",
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
    "cs-version": "protocol",
    "cs-bytes": "request_bytes",
    "sc-bytes": "response_bytes",
    "sc-status": "status",
}

#: Columns that a keyword (a value without a field) is looked for in.
KEYWORD_COLUMNS: Final = ("path", "query", "user_agent", "referrer", "host", "user", "request_raw")

#: Columns that name an entity, and its type.
ENTITY_TYPES: Final[dict[str, EntityType]] = {
    "client_ip": "client",
    "client_network": "network",
    "user": "user",
    "api_key": "api_key",
    "route": "route",
    "service": "service",
}

_URI: Final = pl.concat_str("path", pl.concat_str(pl.lit("?"), "query"), ignore_nulls=True)


class UnknownFieldError(ValueError):
    """A rule names a field that no access log of ours can fill."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a rule: the expression that reads it, and whether it holds text or a number."""

    name: str
    expr: pl.Expr
    kind: Kind


def field(name: str) -> Field:
    """Return the field of that Sigma or column name.

    Raises UnknownFieldError for a name that is neither.
    """
    if name in {"cs-uri", "c-uri"}:
        return Field(name, pl.when(pl.col("path").is_not_null()).then(_URI), "text")
    if name == "time-taken":  # W3C: milliseconds
        return Field(name, pl.col("duration_us") // 1000, "number")
    column = SIGMA_FIELDS.get(name, name)
    dtype = EVENT_SCHEMA.get(column)
    if dtype is None or dtype.is_temporal():
        known = ", ".join(sorted({*SIGMA_FIELDS, "cs-uri", "time-taken"}))
        raise UnknownFieldError(f"unknown field {name!r}; known are {known} and our own columns")
    return Field(name, pl.col(column), "number" if dtype.is_numeric() else "text")


def column(name: str) -> str:
    """Return the event column behind a Sigma or column name.

    Raises UnknownFieldError where there is none, or where it is worked out from several.
    """
    resolved = SIGMA_FIELDS.get(name, name)
    if resolved not in EVENT_SCHEMA:
        raise UnknownFieldError(
            f"cannot group or count by {name!r}: it is not one column of the events"
        )
    return resolved
