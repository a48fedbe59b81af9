"""The columns of simulated events: those of the event table that a log line carries.

Combined lines have no service, key, country, AS, scheme or request bytes; JSON lines have them all.
"""

from typing import Final

import polars as pl

from ingest.events import EVENT_SCHEMA

_COLUMNS: Final = (
    "timestamp",
    "service",
    "client_ip",
    "user",
    "api_key",
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "status",
    "request_bytes",
    "response_bytes",
    "duration_us",
    "user_agent",
    "referrer",
    "protocol",
    "country",
    "asn",
    "request_raw",
)

#: Names and types as in `ingest.events.EVENT_SCHEMA`; times are whole milliseconds, a key
#: is the made-up key itself, and `country`, `asn` and `scheme` are null except where a scenario is
#: about countries, and in runs that tell them.
SIMULATED_SCHEMA: Final = pl.Schema({name: EVENT_SCHEMA[name] for name in _COLUMNS})
