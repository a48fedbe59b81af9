"""Durations in settings: "5s", "10m", "24h", "7d" or a number of seconds."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST: Final = timedelta(days=36_500)


def parse_duration(value: object) -> timedelta:
    """Return the duration that `value` names; raise ValueError for anything else.

    Takes a timedelta, a number of seconds, or text such as "5s", "1m30s", "24h", "7d" (units
    ms, s, m, h, d, w; a bare number means seconds). Negative and not finite values are refused.
    """
    seconds = _seconds(value)
    if not 0 <= seconds <= _LONGEST.total_seconds():
        raise ValueError(
            f"the duration {value!r} is out of range: use 0 s to {_LONGEST.days} d, as in 5s or 10m"
        )
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back, to the millisecond."""
    left = round(duration.total_seconds() * 1000)
    text = ""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        count, left = divmod(left, length)
        text += f"{count}{unit}" if count else ""
    return text + (f"{left}ms" if left else "") or "0s"


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        if _WHOLE.fullmatch(text):
            return sum(float(count) * UNITS[unit] for count, unit in _PART.findall(text))
        if re.fullmatch(r"-?\d+(?:\.\d+)?", text):
            return float(text)
    raise ValueError(f"{value!r} is no duration: write a number and a unit, as in 5s, 10m, 24h, 7d")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]
