"""A mapping for a JSON line whose field names nobody knows, guessed from names and values."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import Any, Final

import polars as pl

from ingest.evidence import METHODS
from ingest.formats.json_names import DEFAULT_NAMES
from ingest.shapes import is_name
from ingest.times import parse_times

_DEPTH: Final = 4
_FIELDS: Final = 200
_NESTING: Final = 50

_REQUEST_LINE: Final = re.compile(r"[A-Z]{3,10} \S+ HTTP/[0-9.]+")
_ADDRESS: Final = re.compile(r"\[?([0-9A-Fa-f:.]{2,45}?)\]?(?::[0-9]{1,5})?")
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_DIGITS: Final = 40
_STATUSES: Final = range(100, 600)
_EPOCH: Final = range(10**9, 2 * 10**18)


@dataclass(frozen=True, slots=True)
class _Guess:
    """A column: what its value looks like, words of likely names, and of unlikely ones.

    With `named`, a value alone is not enough.
    """

    column: str
    looks: Callable[[str], bool]
    likely: frozenset[str]
    unlikely: frozenset[str] = frozenset()
    named: bool = False


def suggested_mapping(text: str) -> dict[str, str]:
    """Return columns with the names of their fields, for those no known name gives.

    Empty if the text is no JSON object. Dots go into objects.
    """
    values = _values(text)
    if not values:
        return {}
    known = {name for names in DEFAULT_NAMES.values() for name in names}
    given = {
        column for column, names in DEFAULT_NAMES.items() if any(name in values for name in names)
    }
    free = {name: value for name, value in values.items() if name not in known}
    mapping: dict[str, str] = {}
    for guess in _GUESSES:
        if given & _SAME.get(guess.column, {guess.column}):
            continue
        name = _best(guess, free)
        if name is not None:
            mapping[guess.column] = name
            del free[name]
    return mapping


def _values(text: str) -> dict[str, str]:
    """Return the values of an object's fields by dotted names that may be shown."""
    if not text.startswith("{") or text.count("{") + text.count("[") > _NESTING:
        return {}
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    flat = list(islice(_flat(found, ()), _FIELDS))
    names = [".".join(parts).encode(errors="replace").decode() for parts, _ in flat]
    shown = is_name(pl.Series(names, dtype=pl.String)).to_list()
    return {name: value for name, (_, value), show in zip(names, flat, shown, strict=True) if show}


def _flat(
    value: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            if len(above) < _DEPTH:
                yield from _flat(inner, (*above, name))
        elif isinstance(inner, str | int | float) and not isinstance(inner, bool):
            # JSON may escape halves of characters that no text can hold.
            yield (*above, name), str(inner).encode(errors="backslashreplace").decode()


def _best(guess: _Guess, values: Mapping[str, str]) -> str | None:
    scores = []
    for name, value in values.items():
        words = {word.lower() for word in _WORDS.findall(name)}
        likely = len(words & guess.likely)
        if words & guess.unlikely or (guess.named and not likely) or not guess.looks(value):
            continue
        scores.append((-likely, len(name), name))
    return min(scores)[2] if scores else None


def _is_time(value: str) -> bool:
    if _is_number(value):
        return int(value.partition(".")[0] or 0) in _EPOCH
    return parse_times(pl.Series([value])).null_count() == 0


def _is_address(value: str) -> bool:
    found = _ADDRESS.fullmatch(value.partition(",")[0].strip())
    if found is None:
        return False
    try:
        ip_address(found[1])
    except ValueError:
        return False
    return True


def _is_status(value: str) -> bool:
    return _is_number(value) and value.isdecimal() and int(value) in _STATUSES


def _is_number(value: str) -> bool:
    return len(value) <= _DIGITS and _NUMBER.fullmatch(value) is not None


def _is_text(value: str) -> bool:
    return bool(value)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TIMES: Final = _words("time timestamp ts date when at created logged start stamp epoch datetime")
_SERVERS: Final = _words("server upstream backend dest destination dst local listen host target")
_OTHERS: Final = _words("upstream backend origin grpc exit")

_GUESSES: Final = (
    _Guess("timestamp", _is_time, _TIMES, _words("expires expiry exp until bytes size port")),
    _Guess(
        "client_ip",
        _is_address,
        _words("client remote peer source src ip address addr caller"),
        _SERVERS,
    ),
    _Guess("request", lambda v: _REQUEST_LINE.fullmatch(v) is not None, _words("request line")),
    _Guess("method", lambda v: v.upper() in METHODS, _words("method verb http"), _OTHERS),
    _Guess("uri", lambda v: v.startswith("/"), _words("path uri url request target")),
    _Guess("status", _is_status, _words("status code response http rc"), _OTHERS, named=True),
    _Guess(
        "user_agent", lambda v: "/" in v and not v.startswith("/"), _words("agent ua"), named=True
    ),
    _Guess("referrer", _is_text, _words("referer referrer"), named=True),
    _Guess("duration_ms", _is_number, _words("ms millis milliseconds"), named=True),
    _Guess("duration_us", _is_number, _words("us micros microseconds"), named=True),
    _Guess("duration_ns", _is_number, _words("ns nanos nanoseconds"), named=True),
    _Guess("duration_s", _is_number, _words("seconds secs"), named=True),
    _Guess(
        "response_bytes",
        _is_number,
        _words("sent size bytes written length"),
        _words("received request in read req"),
        named=True,
    ),
    _Guess("user", _is_text, _words("user username login principal"), _words("agent"), named=True),
)

_TARGETS: Final = frozenset({"request", "uri", "path"})
_DURATIONS: Final = frozenset({"duration_ms", "duration_us", "duration_ns", "duration_s"})

#: Columns of which one is enough.
_SAME: Final[Mapping[str, frozenset[str]]] = {
    "timestamp": frozenset({"timestamp", "start"}),
    "method": frozenset({"method", "request"}),
    **dict.fromkeys(_TARGETS, _TARGETS),
    **dict.fromkeys(_DURATIONS, _DURATIONS),
}
