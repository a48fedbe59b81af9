"""Times in a format of the user's own, as strftime writes them."""

import re
from typing import Final

import polars as pl

from ingest.events import UTC_TIME
from ingest.formats.errors import FormatError

_LOOKS: Final = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "[0-9]{2}",
    "d": "[0-9]{2}",
    "e": "[0-9 ][0-9]",
    "H": "[0-9]{2}",
    "I": "[0-9]{2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "j": "[0-9]{3}",
    "f": r"[0-9]{1,9}",
    "3f": "[0-9]{3}",
    "6f": "[0-9]{6}",
    "9f": "[0-9]{9}",
    "b": "[A-Za-z]{3}",
    "h": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
    "a": "[A-Za-z]{3}",
    "A": "[A-Za-z]{6,9}",
    "p": "[AaPp][Mm]",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    "s": "[0-9]{1,12}",
    "%": "%",
}
_COMPOUND: Final = {
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "F": "%Y-%m-%d",
    "D": "%m/%d/%y",
    "c": "%a %b %e %H:%M:%S %Y",
    "r": "%I:%M:%S %p",
}
_SPECIFIER: Final = re.compile(r"%([369]f|.|$)", re.DOTALL)


def look_of(form: str, written: str) -> str:
    """Return a regular expression for times of `form`; raises FormatError naming `written`."""
    parts, done = [], 0
    expanded = expand(form)
    for found in _SPECIFIER.finditer(expanded):
        parts.append(re.escape(expanded[done : found.start()]))
        if found[1] not in _LOOKS:
            raise FormatError(
                f"{written} has %{found[1]}, which is not read: use %Y %m %d %H %M %S, %b, %z, %s"
            )
        parts.append(_LOOKS[found[1]])
        done = found.end()
    return "".join(parts) + re.escape(expanded[done:])


def expand(form: str) -> str:
    """Return `form` with its compound specifiers (%T, %F and the like) written out."""
    return re.sub(r"%([A-Za-z%])", lambda found: _COMPOUND.get(found[1], found[0]), form)


def iso_times(texts: pl.Series, form: str, timezone: str) -> pl.Series:
    """Return times of `form` as ISO 8601 text in UTC; unreadable becomes null.

    Without an offset in `form` they are times of the IANA zone `timezone`. Each distinct text is
    read once.
    """
    if form == "%s":
        return texts
    expanded = expand(form)
    distinct = texts.drop_nulls().unique().rename("text")
    times = distinct.str.to_datetime(expanded, time_unit="us", strict=False)
    if times.dtype != UTC_TIME:
        placed = times.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
        times = placed.dt.convert_time_zone("UTC")
    iso = times.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias("iso")
    known = distinct.to_frame().with_columns(iso)
    wanted = texts.rename("text").to_frame()
    return wanted.join(known, on="text", how="left", maintain_order="left")["iso"]
