"""An nginx log_format for a line of an unknown format, guessed from what its parts look like."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from ingest.evidence import METHODS

_LOOKED_AT: Final = 8192
_PARTS: Final = 60

_CLF: Final = r"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}"
_ISO: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9:]{5,6})"
)

#: A quoted text, a time, or anything up to a sign that separates.
_PART: Final = re.compile(
    rf"""(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<clf>{_CLF})|(?P<iso>{_ISO})|(?P<plain>[^\s"\[\]|,;]+)"""
)
_SEPARATORS: Final = re.compile(r"[ \t\[\]|,;]*")
_REQUEST: Final = re.compile(r"[A-Z]{3,10} \S+(?: HTTP/[0-9.]+)?")
_STATUS: Final = re.compile("[1-5][0-9]{2}")
_LOOKS: Final = (
    (re.compile("/.*"), ("$request_uri", "$uri")),
    (re.compile("HTTP/.*"), ("$server_protocol",)),
    (re.compile(r"1[0-9]{9}\.[0-9]{3}"), ("$msec",)),
    (re.compile(r"[0-9]+\.[0-9]{3}"), ("$request_time", "$upstream_response_time")),
    (re.compile("[0-9]+"), ("$body_bytes_sent", "$request_length")),
)
_UNKNOWN: Final = "$unknown"


def suggested_pattern(text: str) -> str | None:
    """Return a log_format that describes the line, made of variables and separators only.

    None if it has no time, or nothing of a request.
    """
    if len(text) > _LOOKED_AT:
        return None
    written: list[str] = []
    names: list[str] = []
    done = 0
    for part in _PART.finditer(text):
        separators = text[done : part.start()]
        if _SEPARATORS.fullmatch(separators) is None or len(names) > _PARTS:
            return None
        variable = _variable(part, names)
        names.append(variable)
        quoted = part["quoted"] is not None
        written += [separators, f'"{variable}"' if quoted else variable]
        done = part.end()
    if _SEPARATORS.fullmatch(text[done:]) is None or not _worth_it(names):
        return None
    return "".join([*written, text[done:]])


def _worth_it(names: list[str]) -> bool:
    timed = any(name in names for name in ("$time_local", "$time_iso8601", "$msec"))
    return timed and any(name in names for name in ("$request", "$request_uri"))


def _variable(part: re.Match[str], names: list[str]) -> str:
    if part["clf"] is not None:
        return _first_free(["$time_local"], names)
    if part["iso"] is not None:
        return _first_free(["$time_iso8601"], names)
    quoted = part["quoted"] is not None
    text = part["quoted"][1:-1] if quoted else part["plain"]
    return _first_free(_quoted(text) if quoted else _plain(text, names), names)


def _first_free(wanted: "list[str] | Iterator[str]", names: list[str]) -> str:
    return next((name for name in wanted if name == "-" or name not in names), _UNKNOWN)


def _quoted(text: str) -> Iterator[str]:
    if _REQUEST.fullmatch(text):
        yield "$request"
    elif text.startswith(("http://", "https://")):
        yield "$http_referer"
    elif text == "-":
        yield from ("$http_referer", "$http_user_agent")
    elif _is_address(text.partition(",")[0]):
        yield from ("$remote_addr", "$http_x_forwarded_for")
    elif "/" in text or " " in text:
        yield "$http_user_agent"


def _plain(text: str, names: list[str]) -> Iterator[str]:
    if text == "-":
        yield "-" if names == ["$remote_addr"] else "$remote_user"
    elif _is_address(text):
        yield from ("$remote_addr", "$http_x_forwarded_for")
    elif text in METHODS:
        yield "$request_method"
    elif "$status" not in names and _STATUS.fullmatch(text):
        yield "$status"
    else:
        yield from next((wanted for look, wanted in _LOOKS if look.fullmatch(text)), ())
        if names == ["$remote_addr", "-"]:
            yield "$remote_user"


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip())
    except ValueError:
        return False
    return True
