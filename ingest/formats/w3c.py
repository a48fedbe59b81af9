r"""W3C extended log files: columns named by the `#Fields:` line in force.

Times are those of completion, in UTC unless said otherwise. See w3.org/TR/WD-logfile, and
Microsoft's and Amazon's pages on their log files.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.directives import fields_directives
from ingest.formats.fields import events_of
from ingest.formats.parsed import Format, Reading, nothing_parsed
from ingest.formats.text_lines import claims
from ingest.formats.texts import percent_decoded, texts
from ingest.lines import Ints, Lines

#: More columns than this are not read.
FIELDS_LIMIT: Final = 128

#: W3C name, in lower case -> (field, rank: the least is taken).
_ENCODED: Final = ("user_agent", "forwarded_for")
_NAMES: Final[Mapping[str, tuple[str, int]]] = {
    "date": ("date", 0),
    "time": ("time", 0),
    "c-ip": ("client_ip", 0),
    "cs-username": ("user", 0),
    "cs-method": ("method", 0),
    "cs-uri-stem": ("path", 0),
    "cs-uri-query": ("query", 0),
    "cs-uri": ("uri", 0),
    "sc-status": ("status", 0),
    "sc-bytes": ("response_bytes", 0),
    "cs-bytes": ("request_bytes", 0),
    "time-taken": ("taken", 0),
    "cs(user-agent)": ("user_agent", 0),
    "cs(referer)": ("referrer", 0),
    "cs-version": ("protocol", 0),
    "cs-protocol-version": ("protocol", 0),
    "cs-protocol": ("scheme", 0),
    "x-host-header": ("host", 0),
    "cs-host": ("host", 1),
    "cs(host)": ("host", 2),
    "x-forwarded-for": ("forwarded_for", 0),
    "cs(x-forwarded-for)": ("forwarded_for", 1),
    "forwarded": ("forwarded", 0),
    "cs(forwarded)": ("forwarded", 1),
    "cf-connecting-ip": ("connecting_ip", 0),
    "cs(cf-connecting-ip)": ("connecting_ip", 1),
    "cs(x-api-key)": ("api_key", 0),
    "x-edge-request-id": ("request_id", 0),
    "cs(x-request-id)": ("request_id", 1),
    "c-country": ("country", 0),
}

#: Columns that only IIS has; its time-taken is in milliseconds, that of others in seconds.
_IIS_ONLY: Final = frozenset({"sc-win32-status", "sc-substatus", "s-sitename", "s-computername"})

_LOOKS: Final[Mapping[str, str]] = {
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "time": r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?",
    "c-ip": r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*(?:%[0-9A-Za-z]+)?|-",
    "s-port": r"[0-9]{1,5}|-",
    "sc-status": r"[0-9]{1,3}|-",
    "sc-substatus": r"[0-9]{1,5}|-",
    "sc-win32-status": r"[0-9]{1,10}|-",
    "sc-bytes": r"[0-9]+|-",
    "cs-bytes": r"[0-9]+|-",
    "time-taken": r"[0-9]+(?:\.[0-9]+)?|-",
}
_ONE_OF: Final = frozenset({"c-ip", "cs-method", "cs-uri-stem", "cs-uri", "sc-status"})


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a `#Fields:` line names: column -> field, and the unit of time-taken."""

    names: tuple[str, ...]
    fields: Mapping[str, str]
    milliseconds: bool

    def expression(self, separator: str) -> str:
        """Return a regular expression whose groups are fields, for columns parted so."""
        fields = dict(self.fields)
        parts = []
        for name in self.names:
            field = fields.pop(name, None)
            value = _LOOKS.get(name, _value(separator))
            parts.append(f"(?P<{field}>{value})" if field else f"(?:{value})")
        return rf"(?s)^{separator.join(parts)}[ \t\r]*$"


def _value(separator: str) -> str:
    return r"[^\t]*" if separator == "\t" else r'"[^"]*"|[^" ][^ ]*'


@lru_cache(maxsize=64)
def _columns(directive: str) -> _Columns | None:
    """Return the columns; None if no time is among them, or nothing of a request."""
    text = re.sub(r"^#Fields:", "", directive, flags=re.IGNORECASE).lower()
    names = tuple(text.split())
    if len(names) > FIELDS_LIMIT or not {"date", "time"} <= set(names) or not _ONE_OF & set(names):
        return None
    best: dict[str, str] = {}
    for name in names:
        field, rank = _NAMES.get(name, ("", 0))
        if field and (field not in best or rank < _NAMES[best[field]][1]):
            best[field] = name
    fields = {name: field for field, name in best.items()}
    return _Columns(names, fields, bool(_IIS_ONLY & set(names)))


def w3c_format(
    name: str, title: str, defaults: Sequence[str], only: Sequence[str], separators: str
) -> Format:
    """Return the format of logs with `#Fields:` lines.

    `defaults` are the columns tried where no such line is in force, and if `only` is given also on
    lines that have not the columns in force; `only` columns of which one
    must be among those in force (none: any will do), `separators` the characters that may part
    the columns.
    """
    telling = {column.lower() for column in only}

    def parse(lines: Lines, reading: Reading) -> pl.DataFrame:
        text = texts(lines)
        frames = []
        for first, last, directive in _parts(lines, reading.directive):
            rows: Ints = np.arange(first, last)
            own = () if directive is None else (directive,)
            for each in (*own, *defaults) if telling or not own else own:
                columns = _columns(each)
                if columns is None or (telling and telling.isdisjoint(columns.names)):
                    continue
                for separator in separators:
                    frame, rows = _read(text, rows, columns, separator, reading)
                    frames.append(frame)
        return pl.concat(frames).sort("line") if frames else nothing_parsed()

    return Format(name, title, parse, claims, b"0123456789" if only else b"")


def _read(
    text: pl.Series, rows: Ints, columns: _Columns, separator: str, reading: Reading
) -> tuple[pl.DataFrame, Ints]:
    """Return (events, rows left)."""
    found = text[rows].str.extract_groups(columns.expression(separator)).struct.unnest()
    good = found["date"].is_not_null()
    if not good.any():
        return nothing_parsed(), rows
    taken = good.to_numpy()
    return _events(found.filter(good), columns, separator, reading, rows[taken]), rows[~taken]


def _parts(lines: Lines, directive: str | None) -> Iterator[tuple[int, int, str | None]]:
    """Yield (first, behind the last, directive in force) for runs of lines between directives."""
    first = 0
    for index, text in fields_directives(lines):
        if index > first:
            yield first, index, directive
        first, directive = index + 1, text
    if len(lines) > first:
        yield first, len(lines), directive


def _events(
    found: pl.DataFrame, columns: _Columns, separator: str, reading: Reading, rows: Ints
) -> pl.DataFrame:
    fields = found.with_columns(
        pl.col(pl.String).str.strip_chars('"'),
    )
    if "taken" in fields.columns:
        fields = fields.rename({"taken": "duration_ms" if columns.milliseconds else "duration_s"})
    decode = percent_decoded if separator == "\t" else _without_plus
    names = [name for name in _ENCODED if name in fields.columns]
    fields = fields.with_columns([decode(fields[name]).alias(name) for name in names])
    return events_of(fields, reading, rows)


def _without_plus(values: pl.Series) -> pl.Series:
    """Return the values with the blanks that stand as plus signs; those with blanks as they are."""
    frame = values.rename("value").to_frame()
    blanks = pl.col("value").str.contains(" ", literal=True)
    plain = pl.col("value").str.replace_all("+", " ", literal=True)
    return frame.select(pl.when(blanks).then("value").otherwise(plain)).to_series()
