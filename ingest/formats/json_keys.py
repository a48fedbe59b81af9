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

#: The bits that { and [ share, and no other letter has.
_SHARED: Final = np.uint8(0xDF)

_ONES: Final = np.uint64(0x0101010101010101)
_HIGHS: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(0x2222222222222222)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(48)
_BYTE: Final = np.uint64(8)
_SLOTS: Final = 1 << 16

#: What a value may be, as bits.
_OBJECT: Final = 1
_LIST: Final = 2
_SCALAR: Final = 4
_ANY: Final = _OBJECT | _LIST | _SCALAR

_LAST: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that may occur with an object, with a list, or with anything else as their value."""

    objects: frozenset[str]
    lists: frozenset[str]
    scalars: frozenset[str]


@dataclass(slots=True)
class Screen:
    """What `":` stands behind in a block, as slots of a hash; whether anything can be nested."""

    objects: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    lists: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    scalars: Flags = field(default_factory=lambda: np.zeros(_SLOTS, dtype=np.bool_))
    nested: bool = False
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
        start = 0
        while start < len(data) and screen.usual:
            end = data.rfind(b"\n", start, start + _PIECE) + 1 or data.find(b"\n", start) + 1
            end = end or len(data)
            before = b" " * max(_TAIL - start, 0)
            screen._take(before + data[max(start - _TAIL, 0) : end])
            start = end
        screen.nested = screen.nested or not screen.usual
        return screen

    def keys(self, wanted: Iterable[str]) -> Keys:
        """Return which of the wanted keys can occur in valid JSON lines, at whatever depth."""
        slots = {name: _slot(name) for name in set(wanted)}
        found = [
            frozenset(
                name
                for name, slot in slots.items()
                if slot is None or not self.usual or table[slot]
            )
            for table in (self.objects, self.lists, self.scalars)
        ]
        return Keys(*found)

    def _take(self, piece: bytes) -> None:
        """Note the keys of whole lines; the first eight bytes are those before them."""
        codes = np.frombuffer(piece, dtype=np.uint8)
        column = pl.Series(codes)
        escapes = column == _BACKSLASH
        if escapes.any() and _escaped_letters(codes, _where(escapes)):
            self.usual = False
            return
        ends = _where(column == _COLON) - 1
        ends = ends[np.searchsorted(ends, _TAIL) : np.searchsorted(ends, len(codes) - 3)]
        before = codes[ends]
        if (before <= _BLANK).any() and _SPACED.search(piece):
            self.usual = False
            return
        ends = ends[before == _QUOTE]
        if not len(ends):
            return
        tails, kinds = _words(piece)[ends - _TAIL], _values(codes, ends)
        if kinds is None:
            count = int(np.searchsorted(ends, piece.find(b"\n", _TAIL)))
            self.scalars[_slots(_repeated(tails, count))] = True
            return
        slots = _slots(tails)
        self.nested = True
        self.objects[slots[(kinds & _OBJECT) != 0]] = True
        self.lists[slots[(kinds & _LIST) != 0]] = True
        self.scalars[slots[(kinds & _SCALAR) != 0]] = True


def openings(codes: NDArray[np.uint8]) -> Ints:
    """Return where brackets of objects and lists open, or what looks so within strings."""
    found = []
    for start in range(0, len(codes), _PIECE):
        column = pl.Series(codes[start : start + _PIECE])
        found.append(_where((column == _BRACE) | (column == _BRACKET)) + start)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _values(codes: NDArray[np.uint8], ends: Ints) -> NDArray[np.uint8] | None:
    """Return the kinds that the value of each key may have; None if none is nested."""
    first = codes[ends + 2]
    if (first <= _BLANK).any():
        first = np.where(first == _BLANK, codes[ends + 3], first)
    nested = ((first & _SHARED) == _BRACKET) | (first <= _BLANK)
    return _kinds_by_code()[first] if nested.any() else None


@cache
def _kinds_by_code() -> NDArray[np.uint8]:
    kinds = np.full(256, _SCALAR, dtype=np.uint8)
    kinds[_BRACE], kinds[_BRACKET] = _OBJECT, _LIST
    kinds[: _BLANK + 1] = _ANY  # more blanks come first
    return kinds


@cache
def _places() -> pl.Series:
    return pl.Series(np.arange(_PIECE + _TAIL, dtype=np.uint32))


def _where(flags: pl.Series) -> Ints:
    """Return the places of the flags; several times as fast as `arg_true`."""
    if len(flags) > len(_places()):
        return np.flatnonzero(flags.to_numpy())
    found: Ints = _places()[: len(flags)].filter(flags).to_numpy().astype(np.int64)
    return found


def _words(piece: bytes) -> Words:
    """View the eight bytes from each place on as a number."""
    return np.ndarray((len(piece) - _TAIL + 1,), dtype="<u8", buffer=piece, strides=(1,))


def _repeated(tails: Words, count: int) -> Words:
    """Return the first so many tails if their keys come again and again in this order, else all.

    Most logs write the same keys in each line.
    """
    if not count or len(tails) % count:
        return tails
    first = tails[:count]
    masks = _masks(first)
    if not masks.all():
        return tails
    masks |= masks >> _BYTE  # the quote, too: a key may end with another one
    others = tails.reshape(-1, count) ^ first
    others &= masks
    return tails if others.any() else first


def _masks(tails: Words) -> Words:
    """Return the bits of each tail's bytes behind its last quote.

    The steps are done in place: the numbers stay in the processor's cache.
    """
    quotes = tails ^ _QUOTES
    marks = quotes - _ONES
    np.invert(quotes, out=quotes)
    marks &= quotes
    marks &= _HIGHS
    for bits in (8, 16, 32):
        np.right_shift(marks, np.uint64(bits), out=quotes)
        marks |= quotes
    np.right_shift(marks, np.uint64(7), out=quotes)
    np.subtract(marks, quotes, out=quotes)
    marks |= quotes
    np.invert(marks, out=marks)
    return marks


def _slots(tails: Words) -> Ints:
    """Return a slot for each tail: of its last eight bytes those after the last quote."""
    letters = _masks(tails)
    letters &= tails
    letters *= _FACTOR
    letters >>= _SHIFT
    return letters.view(np.int64)


@cache
def _slot(name: str) -> int | None:
    """Return the slot of a key, None for one that may be written with escapes."""
    if not _PLAIN.fullmatch(name):
        return None
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
