"""The service's own log: one line for each entry, whatever stands in its values.

What is done for a request of the API carries its `request_id`, what is told to people the numbers
of their incidents.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from ingest.masking import printable

#: Characters of a value; the rest is left out.
VALUE_LIMIT: Final = 2_000


def log_to_stderr(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Write the program's own log to stderr: a line each, printable, of bounded length.

    Lines are logfmt (key=value), or JSON.
    """
    renderer = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if as_json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            text_only,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def text_only(
    _logger: object, _method: str, values: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Make values printable, of VALUE_LIMIT characters: the renderer escapes only newlines."""
    for key, value in values.items():
        if not isinstance(value, bool | int | float | None):
            text = str(value)
            left_out = len(text) - VALUE_LIMIT
            more = f"… and {left_out:,} more" if left_out > 0 else ""
            values[key] = printable(text[:VALUE_LIMIT]) + more
    return values
