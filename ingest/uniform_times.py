"""ISO 8601 times that are all written alike, read by arithmetic on columns of digits.

A log writes its times in one layout, so that a digit stands in the same place in every text.
"""

import re
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.lines import Ints

Digits = NDArray[np.uint8]

_LAYOUT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3]):?(?P<minutes>[0-5]\d))",
    re.ASCII,
)
_ZERO: Final = ord("0")
_NINE: Final = 9
_MICRO_DIGITS: Final = 6
_MICROS: Final = 10**_MICRO_DIGITS
_DAY_MICROS: Final = 86_400 * _MICROS
_EPOCH: Final = date(1970, 1, 1).toordinal()

#: Neighbouring lines share their day. With more changes of it, others read the times.
_DAYS_LIMIT: Final = 256


def uniform_times(texts: pl.Series) -> Ints | None:
    """Return microseconds since 1970 (UTC) of texts like "2026-11-02T08:00:00.123Z".

    None unless every text is a time that exists and has the length of the first, its separators
    and its zone (Z or an offset). Leap seconds are not read. Of a fraction the first six digits
    count.
    """
    first = texts[0] if len(texts) and not texts.null_count() else ""
    layout = _LAYOUT.fullmatch(first)
    if layout is None or not (texts.str.len_bytes() == len(first)).all():
        return None
    codes = np.frombuffer(texts.str.join().item().encode(), dtype=np.uint8)
    digits = np.ascontiguousarray(codes.reshape(-1, len(first)).T) - _ZERO
    if not _alike(digits, layout):
        return None
    hour, minute, second = (_number(digits, place, place + 2) for place in (11, 14, 17))
    days = _days(digits)
    if days is None or hour.max() > 23 or minute.max() > 59 or second.max() > 59:  # noqa: PLR2004
        return None
    micros = ((hour * 60 + minute) * 60 + second).astype(np.int64) * _MICROS
    micros += days * _DAY_MICROS - _offset(layout)
    if layout["fraction"]:
        start, stop = layout.span("fraction")
        stop = min(stop, start + _MICRO_DIGITS)
        micros += _number(digits, start, stop) * 10 ** (_MICRO_DIGITS - stop + start)
    return micros


def _alike(digits: Digits, layout: re.Match[str]) -> bool:
    """Whether digits are digits, and all else is as in the first text."""
    varies = np.array([letter.isdigit() for letter in layout[0]])
    if layout["sign"]:
        varies[layout.start("sign") :] = False
    return bool((digits[varies] <= _NINE).all() and (digits[~varies] == digits[~varies, :1]).all())


def _number(digits: Digits, start: int, stop: int) -> NDArray[np.int32]:
    number: NDArray[np.int32] = digits[start].astype(np.int32)
    for place in range(start + 1, stop):
        number *= 10
        number += digits[place]
    return number


def _days(digits: Digits) -> Ints | None:
    """Return days since 1970, each run of equal ones read once; None if there is no such day."""
    written = (_number(digits, 0, 4) * 100 + _number(digits, 5, 7)) * 100 + _number(digits, 8, 10)
    begins = np.flatnonzero(np.diff(written, prepend=-1))
    if len(begins) > _DAYS_LIMIT:
        return None
    runs = written[begins].tolist()
    try:
        days = [date(run // 10_000, run // 100 % 100, run % 100).toordinal() for run in runs]
    except ValueError:
        return None
    lengths = np.diff(begins, append=len(written))
    return np.repeat(np.array(days, dtype=np.int64) - _EPOCH, lengths)


def _offset(layout: re.Match[str]) -> int:
    """Return the microseconds that the zone is ahead of UTC."""
    if not layout["sign"]:
        return 0
    minutes = int(layout["hours"]) * 60 + int(layout["minutes"])
    return int(layout["sign"] + "1") * minutes * 60 * _MICROS
