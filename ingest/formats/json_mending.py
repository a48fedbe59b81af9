"""Lines that a strict parser refuses, written so that it takes them, or given up.

What servers write although it is no JSON: `\\x41` in strings (nginx without escape=json), raw
control characters, bytes that are not UTF-8, halves of surrogate pairs, NaN, numbers beyond all
range, and nothing or "-" where a value belongs. What a mended line says is what the server meant:
bytes that are not UTF-8 and `\\x41` stay visible as `\\x41`, as `\\ud800` does without its other
half, and values that are none become null.
"""

import json
import math
import re
from typing import Final

#: Deeper objects are not read: parsers of JSON recurse.
DEPTH_LIMIT: Final = 200

#: A string, to the end of the line if it has none: every pattern here takes linear time.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKEN: Final = re.compile(
    rf"({_STRING})|(-?[0-9][0-9.eE+-]*)"
    r"|(?:(?<=[:,\[])[ \t]*+(?:-?(?:NaN|Infinity|inf|nan)|-)|(?<=:))[ \t]*+(?=[,}\]])",
    re.DOTALL,
)
_INSIDE: Final = re.compile(
    r'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9A-Fa-f]{4}'
    r"|u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\|[\x00-\x1f]"
)

#: What lines with surrogates have in them, in bytes and in text.
SURROGATES: Final = (b"\\ud", b"\\uD")
_SURROGATE: Final = re.compile(r"\\u[dD]")

#: Digits of a whole number: more are beyond all range.
_DIGITS: Final = 38
_BRACKETS: Final = re.compile(rf"{_STRING}|([\[{{])|([\]}}])", re.DOTALL)


def mended(line: bytes) -> bytes | None:
    """Return the line if it is a JSON object, one that means the same, or None."""
    text = line.decode(errors="backslashreplace")
    if depth(text) > DEPTH_LIMIT:
        return None
    if not _SURROGATE.search(text) and _is_object(text):
        return text.encode()
    text = _TOKEN.sub(_token, text)
    return text.encode() if _is_object(text) else None


def depth(text: str) -> int:
    """Return how deep the objects and lists of a JSON text are nested."""
    if text.count("{") + text.count("[") <= DEPTH_LIMIT:
        return 0
    deepest = level = 0
    for found in _BRACKETS.finditer(text):
        level += bool(found[1]) - bool(found[2])
        deepest = max(deepest, level)
    return deepest


def _is_object(text: str) -> bool:
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _refuse(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("beyond all range")
    return number


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("beyond all range")
    return 0


def _token(found: re.Match[str]) -> str:
    string, number = found[1], found[2]
    if string is not None:
        return _INSIDE.sub(_escaped, string)
    if number is not None:
        return found[0] if _readable(number) else "null"
    return "null"


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text == "\\":
        return "\\\\"
    return text if text.startswith("\\") else f"\\u{ord(text):04x}"


def _readable(number: str) -> bool:
    if len(number) > _DIGITS and number.lstrip("-").isdecimal():
        return False
    try:
        return math.isfinite(float(number))
    except ValueError:
        return True
