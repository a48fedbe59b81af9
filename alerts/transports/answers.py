"""What an answer over HTTP means for a delivery, in words without addresses."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import requests
from requests import exceptions

from alerts.database.times import utc_now
from alerts.transports.outcome import Outcome

#: Answers of the 4xx kind that another attempt may not meet again.
_PASSING: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.LOCKED,
        HTTPStatus.FAILED_DEPENDENCY,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)

#: Longest wait that a receiver may ask for.
LONGEST_RETRY_AFTER: Final = timedelta(days=1)

#: Kinds of failures, the most particular first.
_FAILURES: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (exceptions.SSLError, "the certificate or TLS was not accepted", False),
    (exceptions.ProxyError, "the proxy failed", False),
    (exceptions.Timeout, "timed out", False),
    (exceptions.InvalidURL, "the address is not valid", True),
    (exceptions.InvalidSchema, "the address is not valid", True),
    (exceptions.InvalidHeader, "a header is not valid", True),
    (exceptions.ChunkedEncodingError, "the connection closed midway", False),
)

#: Words in the reasons of connections, which name the address too and are not shown.
_REASONS: Final = (
    ("NameResolutionError", "the host's name is not known"),
    ("refused", "connection refused"),
    ("timed out", "timed out"),
    ("aborted", "the connection closed midway"),
    ("reset", "the connection closed midway"),
    ("IncompleteRead", "the connection closed midway"),
)


def outcome_of(status: int, headers: Mapping[str, str]) -> Outcome:
    """Return what a status means: 2xx is delivered, 3xx and most 4xx are permanent."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(delivered=True)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        error = f"answered HTTP {status}: redirects are not followed"
        return Outcome(delivered=False, error=error, permanent=True)
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Outcome(
        delivered=False,
        error=f"answered HTTP {status}",
        permanent=refused and status not in _PASSING,
        retry_after=retry_after(headers),
    )


def outcome_of_failure(error: requests.RequestException) -> Outcome:
    """Return what a failed exchange means."""
    for kind, words, permanent in _FAILURES:
        if isinstance(error, kind):
            return Outcome(delivered=False, error=words, permanent=permanent)
    said = repr(error)
    words = next((words for mark, words in _REASONS if mark in said), "connection failed")
    return Outcome(delivered=False, error=words)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return the wait that the Retry-After header asks for (RFC 9110); None without a valid one.

    A date counts from the answer's own Date, so that clocks need not agree.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(timedelta(seconds=min(int(value[:10]), 10**8)), LONGEST_RETRY_AFTER)
    until = _date(value)
    if until is None:
        return None
    wait = until - (_date(headers.get("Date", "")) or utc_now())
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
