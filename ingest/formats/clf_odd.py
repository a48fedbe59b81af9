r"""Odd lines of the Common Log Format family, read one careful regex after the other.

Odd are: leading blanks, a whole line in quotes, `\"` inside a field, quotes that nobody escaped,
bytes that are not UTF-8, address lists (alone, or in front of the peer's address), users with
blanks, hosts for addresses, times with a fraction, a virtual host, a prefix that is no syslog's
(`[pod/web-1/nginx] `, `web-1 | `, `nginx: `).
"""

from typing import Final

import numpy as np
import polars as pl

from ingest.formats.texts import texts
from ingest.lines import Ints, Lines

ADDRESS: Final = r"\[?[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+\]?(?::[0-9]+)?"
_ANY_LIST: Final = r"(?P<client>[^\s,\[]\S*?(?:, ?[^\s,]+)*)"
_ADDRESSES: Final = rf"(?P<client>{ADDRESS}(?:, ?[^\s,]+)*)"

_NAME: Final = "[A-Za-z][0-9A-Za-z_-]*(?:[.][0-9A-Za-z_-]+)*"
_FORWARDED: Final = rf'"?(?P<forwarded>{ADDRESS}(?:(?:, ?{ADDRESS})+"?|"))'

_HEADS: Final = (
    rf"(?P<host>){_FORWARDED} (?P<client>{ADDRESS}) \S+ (?P<user>\S+) ",
    rf"(?P<host>){_ANY_LIST} \S+ (?P<user>\S+) ",
    rf"(?P<host>\S+) {_ADDRESSES} \S+ (?P<user>\S+) ",
    rf"(?P<host>)(?P<user>){_ANY_LIST} \S+ ",
    rf"(?P<host>){_ADDRESSES} \S+ (?P<user>[^\"]+) ",
    rf"(?P<host>\S+) {_ADDRESSES} \S+ (?P<user>[^\"]+) ",
    rf"(?P<host>{_NAME}(?::[0-9]+)?) (?P<client>{_NAME}|unix:)(?:, ?{_NAME})* - (?P<user>\S+) ",
    rf"(?P<host>).{{1,250}}?[\]:|] {_ADDRESSES} \S+ (?P<user>\S+) ",
)

_QUOTED: Final = r'(?:[^"\\]|\\.)*'
_NUMBERS: Final = r" (?P<status>[0-9]{3}|-) (?P<bytes>[0-9]{1,18}|-)"
_FIELD: Final = rf'(?:[^"\s]\S*|"{_QUOTED}")'
_ESCAPED: Final = (
    rf'"(?P<request>{_QUOTED})"{_NUMBERS}'
    rf'(?: "(?P<referrer>{_QUOTED})" "(?P<user_agent>{_QUOTED})(?:"|$))?'
    rf"(?: +(?P<extra>{_FIELD})(?: +{_FIELD})*)? *$"
)
_UNESCAPED: Final = (
    rf'"(?P<request>.*?)"{_NUMBERS}'
    r'(?: "(?P<referrer>.*?)" "(?P<user_agent>.*)"(?: (?P<extra>[^" ]+)[^"]*)?| [^"]*|)$'
)

_PATTERNS: Final = tuple(
    rf"(?s)^{head}\[(?P<time>[^\]]{{1,64}})\] {tail}"
    for tail in (_ESCAPED, _UNESCAPED)
    for head in _HEADS
)

_BLANKS: Final = " \t\r\n\x0b\x0c"

#: What each line has: the end of its time and the beginning of its request.
_REQUEST: Final = r'\] \\?"'

_NAMES: Final = (
    "host",
    "client",
    "user",
    "time",
    "request",
    "status",
    "bytes",
    "referrer",
    "user_agent",
    "extra",
    "forwarded",
)


def read(lines: Lines) -> tuple[pl.DataFrame, Ints]:
    """Return (fields as text, index of each row's line) for the lines that can be read.

    The fields are those of `clf.FIELDS`, with the log's own quoting undone.
    """
    stripped = texts(lines).str.strip_chars(_BLANKS)
    likely = stripped.str.contains(_REQUEST)
    quoted = likely & stripped.str.starts_with('"')
    text = stripped.filter(likely)
    if quoted.any():
        where = quoted.filter(likely).arg_true()
        text = text.scatter(where, [_unwrapped(line) for line in stripped.filter(quoted)])
    left: Ints = np.flatnonzero(likely.to_numpy())
    frames = [pl.DataFrame(schema=dict.fromkeys(_NAMES, pl.String))]
    rows = [left[:0]]
    for pattern in _PATTERNS:
        if not len(left):
            break
        found = text.str.extract_groups(pattern).struct.unnest()
        good = found["time"].is_not_null()
        if "forwarded" not in found.columns:
            found = found.with_columns(forwarded=pl.lit(None, dtype=pl.String))
        frames.append(found.filter(good).select(_tidied(name) for name in _NAMES))
        rows.append(left[good.to_numpy()])
        text, left = text.filter(~good), left[~good.to_numpy()]
    order = np.argsort(np.concatenate(rows), kind="stable")
    return pl.concat(frames)[order], np.concatenate(rows)[order]


def _unwrapped(text: str) -> str:
    """Return a line that begins with a quote without the quotes around the whole of it."""
    body = text[1:].removesuffix('"')
    quote = body.find('"')
    if quote > 0 and body[quote - 1] == "\\":
        return body.replace('\\"', '"').replace("\\\\", "\\")
    if body[quote : quote + 2] == '""':
        return body.replace('""', '"')
    return body


def _tidied(name: str) -> pl.Expr:
    column = pl.col(name).str.replace_all('\\"', '"', literal=True)
    if name == "user":
        column = pl.when(~column.str.ends_with(" -")).then(column)
    if name in {"extra", "forwarded"}:
        return column.str.strip_chars('"')
    return pl.when(column != "").then(column).alias(name) if name == "host" else column
