"""Syslog in front of a line: RFC 3164 (as written in practice) and RFC 5424.

RFC 3164: `<190>Nov  2 08:00:00 web1 nginx[123]: the line`. Priority and host may be missing; the
time may be ISO 8601, as rsyslog and journald write it; the tag must be there and end with a colon
and a blank. RFC 5424: `<190>1 2026-11-02T08:00:00Z web1 nginx 123 - [structured data] the line`.
A tag or app name is the program's (nginx, haproxy), not the service's: it labels nothing.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.lines import Flags, Ints, Lines
from ingest.wrappers.peeling import NOTHING, Peeled, Wrapper, behind, byte_at, heads

#: Longer heads are not syslog's; RFC 5424 lets structured data be long.
_HEAD_LIMIT: Final = 2048

_ISO: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9:]+)"
)
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_BSD: Final = rf"{_MONTH} [ 0-3][0-9](?: [0-9]{{4}})? [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?"
_HOST: Final = r"(?:[0-9A-Za-z_.:%-]*[0-9A-Za-z_%-] )?"
_TAG: Final = r"[0-9A-Za-z_./()@+-]+(?:\[[0-9A-Za-z_.-]*\])?:"
_RFC_3164: Final = rf"(?:<[0-9]{{1,3}}>)?(?:{_BSD}|{_ISO}) {_HOST}{_TAG}(?: |$)"

_ELEMENT: Final = r'\[[^\]" ]+(?: [^\]" =]+="(?:[^"\\]|\\.)*")*\]'
_RFC_5424: Final = (
    rf"<[0-9]{{1,3}}>[1-9][0-9]? (?:-|{_ISO})(?: [^ ]+){{4}} (?:-|(?:{_ELEMENT})+)(?: |$)"
)
_MARKS: Final = r"(?:\u00ef\u00bb\u00bf)?(?: ?@cee:)?"  # byte order mark; cookie of JSON in syslog
_HEAD: Final = rf"(?s)^(?:{_RFC_5424}|{_RFC_3164}){_MARKS}"
_BLANKS: Final = np.frombuffer(b" \t", dtype=np.uint8)
_LESS, _DASH, _COLON, _T, _BLANK = b"<-:T "
_MONTHS: Final[NDArray[np.bool_]] = np.isin(
    np.arange(256), np.frombuffer(b"JFMASOND", dtype=np.uint8)
)


def may_wrap(lines: Lines) -> Flags:
    """Mark lines that begin with `<`, or may begin with a date."""
    first = byte_at(lines, 0)
    flags: Flags = first == _LESS
    month = _MONTHS[first]
    if month.any():
        flags |= month & (byte_at(lines, 3) == _BLANK) & (byte_at(lines, 6) == _BLANK)
    dated = byte_at(lines, 4) == _DASH
    if dated.any():
        flags |= dated & (byte_at(lines, 10) == _T) & (byte_at(lines, 13) == _COLON)
    return flags


def peel(lines: Lines) -> Peeled:
    """Take the message out of each syslog line."""
    texts = heads(lines, _HEAD_LIMIT)
    rest = texts.str.replace(_HEAD, "")
    lengths = (texts.str.len_chars() - rest.str.len_chars()).to_numpy().astype(np.int64)
    found = np.flatnonzero(lengths)
    if not len(found):
        return NOTHING
    lines, lengths = lines.select(found), lengths[found]
    return Peeled(found, behind(lines, lengths + _single_blank(lines, lengths)))


def _single_blank(lines: Lines, lengths: Ints) -> Flags:
    """Mark lines with one blank behind the head: further ones are the line's own."""
    starts = lines.starts + lengths
    first, second = (lines.codes[np.minimum(starts + n, len(lines.data) - 1)] for n in (0, 1))
    flags: Flags = (starts + 1 < lines.ends) & (first == _BLANK) & ~np.isin(second, _BLANKS)
    return flags


WRAPPER: Final = Wrapper("syslog", "syslog, RFC 3164 and RFC 5424", may_wrap, peel)
