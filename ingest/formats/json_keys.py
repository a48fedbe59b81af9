"""Which of the wanted keys a block of JSON lines can have at all: a screen without parsing.

Reading a column that no line has costs as much as reading one that all have, and a log has few
of the names that are tried. The screen looks at the last eight letters of everything before
`":`. It may find a key that is not there; it never misses one that is.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.lines import Flags, Ints

Words = NDArray[np.uint64]

#: Keys of other letters may be written with escapes: they are taken as found.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@:.$ -]+")
_SPACED: Final = re.compile(rb'"[ \t\r]+:')

_PIECE: Final = 1 << 20
_TAIL: Final = 8
_QUOTE, _COLON, _BACKSLASH, _BLANK, _BRACE, _BRACKET = b'":\\ {['

_ONES: Final = np.uint64(0x0101010101010101)
_HIGHS: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(0x2222222222222222)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(48)
_SLOTS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that may occur with an object, with a list, or with anything else as their value."""

    objects: frozenset[str]
    lists: frozenset[str]
    scalars: frozenset[str]


def occurring(data: bytes, wanted: Collection[str]) -> Keys:
    """Return which of the wanted keys can occur in valid JSON lines, at whatever depth."""
    seen = _Seen()
    for start in range(0, len(data), _PIECE):
        piece = data[max(start - _TAIL, 0) : start + _PIECE + 3]
        before = b" " * _TAIL if start == 0 else b""
        if not seen.take(before + piece + b"   "):
            everything = frozenset(wanted)
            return Keys(everything, everything, everything)
    found = [
        frozenset(name for name in wanted if not _PLAIN.fullmatch(name) or table[_slot(name)])
        for table in (seen.objects, seen.lists, seen.scalars)
    ]
    return Keys(*found)


def _table() -> Flags:
    return np.zeros(_SLOTS, dtype=np.bool_)


@dataclass(slots=True)
class _Seen:
    objects: Flags = field(default_factory=_table)
    lists: Flags = field(default_factory=_table)
    scalars: Flags = field(default_factory=_table)

    def take(self, piece: bytes) -> bool:
        """Note the keys of a piece, False if some may be written in an unusual way."""
        codes = np.frombuffer(piece, dtype=np.uint8)
        column = pl.Series(codes)
        colons = column == _COLON
        spaced = colons[1:] & (column[:-1] <= _BLANK)
        if spaced.any() and _SPACED.search(piece):
            return False
        escapes = column == _BACKSLASH
        if escapes.any() and _escaped_letters(codes, _where(escapes)):
            return False
        ends = _where((column[:-1] == _QUOTE) & colons[1:])
        ends = ends[(ends >= _TAIL) & (ends < len(piece) - 3)]
        slots = _slots(_words(piece)[ends - _TAIL])
        first = codes[ends + 2]
        blank = first == _BLANK
        if blank.any():
            first = np.where(blank, codes[ends + 3], first)
        unclear = first <= _BLANK
        objects, lists = first == _BRACE, first == _BRACKET
        self.objects[slots[objects | unclear]] = True
        self.lists[slots[lists | unclear]] = True
        self.scalars[slots[~(objects | lists)]] = True
        return True


@cache
def _places() -> pl.Series:
    return pl.Series(np.arange(_PIECE + 4 * _TAIL, dtype=np.uint32))


def _where(flags: pl.Series) -> Ints:
    """Return the places of the flags; several times as fast as `arg_true`."""
    found: Ints = _places()[: len(flags)].filter(flags).to_numpy().astype(np.int64)
    return found


def _words(piece: bytes) -> Words:
    """View the eight bytes from each place on as a number."""
    return np.ndarray((len(piece) - _TAIL + 1,), dtype="<u8", buffer=piece, strides=(1,))


def _slots(tails: Words) -> Ints:
    """Return a slot for each tail: of its last eight bytes those after the last quote."""
    differing = tails ^ _QUOTES
    marks: Words = (differing - _ONES) & ~differing & _HIGHS
    for bits in (8, 16, 32):
        marks |= marks >> np.uint64(bits)
    marks |= marks - (marks >> np.uint64(7))
    letters = tails & ~marks
    return ((letters * _FACTOR) >> _SHIFT).view(np.int64)


@cache
def _slot(name: str) -> int:
    tail = name.encode()[-_TAIL:].rjust(_TAIL, b"\0")
    return int(_slots(np.frombuffer(tail, dtype="<u8"))[0])


@cache
def _letters() -> Flags:
    """Mark by code the letters of plain keys."""
    return np.array([bool(_PLAIN.fullmatch(chr(code))) for code in range(256)], dtype=np.bool_)


@cache
def _digits() -> Ints:
    """Return the value of each hexadecimal digit by code, 0 for other letters."""
    values = [
        int(chr(code), 16) if chr(code) in "0123456789abcdefABCDEF" else 0 for code in range(256)
    ]
    return np.array(values, dtype=np.int64)


def _escaped_letters(codes: NDArray[np.uint8], escapes: Ints) -> bool:
    r"""Whether one of the backslashes begins \u00XX for a letter that plain keys have."""
    at = escapes[escapes < len(codes) - 6]
    for offset, letter in enumerate(b"u00", 1):
        at = at[codes[at + offset] == letter]
    values = _digits()[codes[at + 4]] * 16 + _digits()[codes[at + 5]]
    return bool(_letters()[values].any())
