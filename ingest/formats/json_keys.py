"""Which of the wanted keys a block of JSON lines can have at all: a screen without parsing.

Reading a column that no line has costs as much as reading one that all have, and a log has few
of the names that are tried. The screen looks at the last eight letters of everything before
`":`. It may find a key that is not there; it never misses one that is. Keys with escapes or
blanks before their colon make it give up: then all keys may be there.
"""

import re
import threading
from collections.abc import Iterable
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
_SPACED: Final = re.compile(rb'"[ \t\r]++:')

_PIECE: Final = 1 << 20
_TAIL: Final = 8
_QUOTE, _COLON, _BACKSLASH, _BLANK, _BRACE, _BRACKET = b'":\\ {['

_ONES: Final = np.uint64(0x0101010101010101)
_HIGHS: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(0x2222222222222222)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(48)
_SLOTS: Final = 1 << 16

_LAST: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that may occur with an object, with a list, or with anything else as their value."""

    objects: frozenset[str]
    lists: frozenset[str]
    scalars: frozenset[str]


@dataclass(slots=True)
class Screen:
    """What `":` stands behind in a block, as slots of a hash; how many brackets open in it."""

    objects: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    lists: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    scalars: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    opened: int = 0
    spaced: bool = False
    usual: bool = True

    @classmethod
    def of(cls, data: bytes) -> "Screen":
        """Look through a block; the last one of each thread is remembered: formats share it."""
        if getattr(_LAST, "data", None) is not data:
            _LAST.data, _LAST.screen = data, cls._through(data)
        found: Screen = _LAST.screen
        return found

    @classmethod
    def _through(cls, data: bytes) -> "Screen":
        screen = cls()
        # What begins the block has nothing before it: it is looked at by itself.
        screen.take(b" " * _TAIL + data[: 2 * _TAIL] + b"   ")
        for start in range(0, len(data), _PIECE):
            piece = memoryview(data)[start : start + _PIECE + _TAIL + 3]
            screen.take(piece if len(piece) > _PIECE else bytes(piece) + b"   ")
            codes = pl.Series(np.frombuffer(piece[:_PIECE], dtype=np.uint8))
            screen.opened += int(((codes == _BRACE) | (codes == _BRACKET)).sum())
        if screen.spaced and _SPACED.search(data):
            screen.usual = False
        return screen

    def keys(self, wanted: Iterable[str]) -> Keys:
        """Return which of the wanted keys can occur in valid JSON lines, at whatever depth."""
        everything = frozenset(wanted)
        if not self.usual:
            return Keys(everything, everything, everything)
        odd = {name for name in everything if not _PLAIN.fullmatch(name)}
        slots = {name: _slot(name) for name in everything - odd}
        found = [
            frozenset(name for name, slot in slots.items() if table[slot]) | odd
            for table in (self.objects, self.lists, self.scalars)
        ]
        return Keys(*found)

    def take(self, piece: bytes | memoryview) -> None:
        """Note the keys whose last eight bytes and the three after them are in the piece."""
        codes = np.frombuffer(piece, dtype=np.uint8)
        column = pl.Series(codes)
        escapes = column == _BACKSLASH
        if escapes.any() and _escaped_letters(codes, _where(escapes)):
            self.usual = False
        if not self.usual or len(codes) < _TAIL + len('":1}'):
            return
        ends = _where(column == _COLON) - 1
        ends = ends[np.searchsorted(ends, _TAIL) : np.searchsorted(ends, len(codes) - 3)]
        before = codes[ends]
        self.spaced = self.spaced or bool((before <= _BLANK).any())
        ends = ends[before == _QUOTE]
        slots = _slots(_words(piece)[ends - _TAIL])
        first = codes[ends + 2]
        if (first <= _BLANK).any():
            first = np.where(first == _BLANK, codes[ends + 3], first)
        objects, lists = first == _BRACE, first == _BRACKET
        scalars = ~(objects | lists)
        self.scalars[slots[scalars]] = True
        if not scalars.all() or (first <= _BLANK).any():
            unclear = first <= _BLANK
            self.objects[slots[objects | unclear]] = True
            self.lists[slots[lists | unclear]] = True


@cache
def _places() -> pl.Series:
    return pl.Series(np.arange(_PIECE + 4 * _TAIL, dtype=np.uint32))


def _where(flags: pl.Series) -> Ints:
    """Return the places of the flags; several times as fast as `arg_true`."""
    found: Ints = _places()[: len(flags)].filter(flags).to_numpy().astype(np.int64)
    return found


def _words(piece: bytes | memoryview) -> Words:
    """View the eight bytes from each place on as a number."""
    return np.ndarray((len(piece) - _TAIL + 1,), dtype="<u8", buffer=piece, strides=(1,))


def _slots(tails: Words) -> Ints:
    """Return a slot for each tail: of its last eight bytes those after the last quote.

    `tails` is overwritten. The steps are done in place: the numbers stay in the processor's cache.
    """
    letters = tails.copy()
    tails ^= _QUOTES
    marks = tails - _ONES
    np.invert(tails, out=tails)
    marks &= tails
    marks &= _HIGHS
    for bits in (8, 16, 32):
        np.right_shift(marks, np.uint64(bits), out=tails)
        marks |= tails
    np.right_shift(marks, np.uint64(7), out=tails)
    np.subtract(marks, tails, out=tails)
    marks |= tails
    np.invert(marks, out=marks)
    letters &= marks
    letters *= _FACTOR
    letters >>= _SHIFT
    return letters.view(np.int64)


@cache
def _slot(name: str) -> int:
    tail = name.encode()[-_TAIL:].rjust(_TAIL, b"\0")
    return int(_slots(np.frombuffer(tail, dtype="<u8").copy())[0])


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
