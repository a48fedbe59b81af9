"""The columns of simulated events: those of the event table that a log line carries."""

from typing import Final

import polars as pl

from ingest.events import EVENT_SCHEMA

_COLUMNS: Final = (
    "timestamp",
    "service",
    "client_ip",
    "user",
    "method",
    "host",
    "path",
    "query",
    "status",
    "response_bytes",
    "duration_us",
    "user_agent",
    "referrer",
    "protocol",
    "request_raw",
)

#: Names and types as in `ingest.events.EVENT_SCHEMA`; times are whole milliseconds.
SIMULATED_SCHEMA: Final = pl.Schema({name: EVENT_SCHEMA[name] for name in _COLUMNS})
