"""Lines that describe those below them: W3C directives, as `#Fields: date time c-ip`."""

import re
from typing import Final

import numpy as np

from ingest.lines import Flags, Ints, Lines

_HASH: Final = ord("#")
_DIRECTIVE: Final = re.compile(rb"#[A-Za-z-]{1,20}:")
_FIELDS: Final = re.compile(rb"#Fields:[ \t]*(\S.*?)\s*", re.IGNORECASE)
_BOM: Final = b"\xef\xbb\xbf"

#: Longer directives are not read.
LENGTH_LIMIT: Final = 8192


def directives(lines: Lines) -> Flags:
    """Mark directives: lines that are no events and no rejects."""
    flags: Flags = np.zeros(len(lines), dtype=np.bool_)
    for index in _candidates(lines):
        flags[index] = bool(_DIRECTIVE.match(lines[int(index)].removeprefix(_BOM)))
    return flags


def fields_directives(lines: Lines) -> list[tuple[int, str]]:
    """Return (index, text) of the `#Fields:` lines, in order."""
    found = []
    for index in _candidates(lines).tolist():
        line = lines[index].removeprefix(_BOM)
        if len(line) <= LENGTH_LIMIT and _FIELDS.fullmatch(line):
            found.append((index, line.decode(errors="backslashreplace").strip()))
    return found


def last_directive(lines: Lines) -> str | None:
    """Return the text of the last `#Fields:` line, which is in force after these lines."""
    found = fields_directives(lines)
    return found[-1][1] if found else None


def _candidates(lines: Lines) -> Ints:
    found: Ints = np.flatnonzero((lines.firsts == _HASH) | (lines.firsts == _BOM[0]))
    return found
