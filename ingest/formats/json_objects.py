"""From JSON lines to text columns: nearly all lines by Polars at once, odd ones with care.

Polars refuses a whole block for one line that it cannot read. So lines that cannot be objects
are left out first; if the rest is still refused, lines with what is known to be refused are set
apart, and the block is cut until what is refused is small. Those lines go through `json_mending`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.json_keys import Keys, Screen, openings
from ingest.formats.json_mending import DEPTH_LIMIT, SURROGATES, mended
from ingest.formats.json_paths import Path, paths_of, read_paths
from ingest.lines import LAST_ASCII, Flags, Ints, Lines, places

_OPEN, _CLOSE, _BACKSLASH, _NEWLINE, _RETURN, _BLANK = b"{}\\\n\r "
_UNICODE, _SURROGATE = b"ud"
_LOWER: Final = 0x20
_BOM: Final = b"\xef\xbb\xbf"
_BEFORE: Final = np.array([9, 11, 12, 13, 32, _BOM[0], _OPEN], dtype=np.uint8)
_ESCAPES: Final = np.isin(np.arange(256), np.frombuffer(b'"\\/bfnrtu', dtype=np.uint8))

#: Where a row belongs; no name that is looked for.
_PLACE: Final = "\x00"

#: So few lines are not cut further but read one by one.
_FEW: Final = 128


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Where values may be in the lines of a block."""

    paths: tuple[Path, ...]
    keys: Keys

    @classmethod
    def of(cls, data: bytes, names: Iterable[str]) -> "_Wanted":
        paths = [path for name in sorted(set(names)) for path in paths_of(name)]
        keys = Screen.of(data).keys(key for path in paths for key in path.keys)
        return cls(tuple(path for path in paths if path.within(keys)), keys)

    def read(self, data: bytes, count: int) -> pl.DataFrame | None:
        """Return the values of so many lines, None if Polars refuses one of them."""

        def read(schema: dict[str, pl.DataType]) -> pl.DataFrame | None:
            try:
                table = pl.read_ndjson(data, schema=schema, ignore_errors=True)
            except pl.exceptions.ComputeError:
                return None
            return table if table.height == count else None

        return read_paths(read, self.paths, self.keys)


def may_occur(name: str, data: bytes) -> bool:
    """Whether a line of the block can have a value of this name; told without parsing."""
    return bool(_Wanted.of(data, [name]).paths)


def read_objects(lines: Lines, names: Iterable[str]) -> tuple[pl.DataFrame, Ints]:
    """Return (a text column for each name that occurs, index of each row's line, ascending).

    What is no JSON object has no row. What a row has depends on its line only.
    """
    wanted = _Wanted.of(lines.data, names)
    lines, rows = _objects(lines)
    if not len(rows):
        return pl.DataFrame(), rows
    deep = _deep(lines) | _halves(lines)
    table = None if deep.any() else wanted.read(lines.joined(), len(lines))
    if table is not None:
        return table, rows
    odd = deep | _refused(lines)
    parts = [] if odd.all() else list(_parts(lines.select(~odd), rows[~odd], wanted))
    parts += _with_care(lines.select(odd), rows[odd], wanted)
    if not parts:
        return pl.DataFrame(), rows[:0]
    placed = [table.with_columns(pl.Series(_PLACE, found)) for table, found in parts]
    every = pl.concat(placed, how="diagonal").sort(_PLACE)
    return every.drop(_PLACE), every[_PLACE].to_numpy()


def _objects(lines: Lines) -> tuple[Lines, Ints]:
    """Return the lines, without blanks around them, that begin and end like an object."""
    rows = np.arange(len(lines))
    if not len(lines):
        return lines, rows
    codes = lines.codes
    lasts = np.maximum(lines.ends - 1, 0)
    returned = codes[lasts] == _RETURN
    if returned.any():
        lasts = np.maximum(lasts - returned, 0)
    firsts = lines.firsts
    fits = (lines.lengths > 1) & (firsts == _OPEN) & (codes[lasts] == _CLOSE)
    if fits.all():
        return lines, rows
    starts, ends = lines.starts.copy(), lines.ends.copy()
    for row in np.flatnonzero(~fits & np.isin(firsts, _BEFORE)).tolist():
        line = lines[row]
        inner = line.removeprefix(_BOM).strip()
        if len(inner) > 1 and inner.startswith(b"{") and inner.endswith(b"}"):
            starts[row] += line.index(b"{")
            ends[row] = starts[row] + len(inner)
            fits[row] = True
    return Lines(lines.data, starts, ends).select(fits), rows[fits]


def _deep(lines: Lines) -> Flags:
    """Mark lines with so many brackets that they may be nested too deeply to be parsed."""
    deep = np.zeros(len(lines), dtype=np.bool_)
    if not Screen.of(lines.data).nested:
        return deep
    places = openings(lines.codes)
    if len(places) <= DEPTH_LIMIT:
        return deep
    apart = places[DEPTH_LIMIT:] - places[:-DEPTH_LIMIT]
    if len(lines) and int(apart.min()) < int(lines.lengths.max()):
        deep = lines.counts(places) > DEPTH_LIMIT
    return deep


def _halves(lines: Lines) -> Flags:
    """Mark lines that may have half of a surrogate pair: Polars makes text of some that is none."""
    found = np.zeros(len(lines), dtype=np.bool_)
    if b"\\" in lines.data and any(mark in lines.data for mark in SURROGATES):
        escapes = places(lines.codes, _BACKSLASH)
        after = lines.codes[np.minimum(escapes[:, None] + np.array([1, 2]), len(lines.codes) - 1)]
        marks = (after[:, 0] == _UNICODE) & ((after[:, 1] | _LOWER) == _SURROGATE)
        found = lines.containing(escapes[marks])
    return found


def _refused(lines: Lines) -> Flags:
    """Mark lines that Polars will refuse: bytes that are no text, unknown escapes, controls."""
    codes = lines.codes
    column = pl.Series(codes)
    controls = (column < _BLANK) & (column != _NEWLINE) & (column != _RETURN)
    refused = lines.containing(np.flatnonzero(controls.to_numpy()))
    escapes = np.flatnonzero((column == _BACKSLASH).to_numpy())
    after = codes[np.minimum(escapes + 1, len(codes) - 1)]
    refused |= lines.containing(escapes[~_ESCAPES[after]])
    if not lines.text():
        foreign = lines.containing(np.flatnonzero((column > LAST_ASCII).to_numpy()))
        for row in np.flatnonzero(foreign).tolist():
            refused[row] |= not Lines.of(lines[row]).text()
    return refused


def _parts(lines: Lines, rows: Ints, wanted: _Wanted) -> Iterator[tuple[pl.DataFrame, Ints]]:
    """Read runs of lines, each as long as Polars takes it; the least ones with care."""
    table = wanted.read(lines.joined(), len(lines))
    if table is not None:
        yield table, rows
    elif len(lines) <= _FEW:
        yield from _with_care(lines, rows, wanted)
    else:
        half = len(lines) // 2
        yield from _parts(lines.select(np.arange(half)), rows[:half], wanted)
        yield from _parts(lines.select(np.arange(half, len(lines))), rows[half:], wanted)


def _with_care(lines: Lines, rows: Ints, wanted: _Wanted) -> Iterator[tuple[pl.DataFrame, Ints]]:
    """Read what can be mended; cut up only if Polars refuses what Python takes.

    Mending adds no key that the screen looks for: the block's keys hold here, too.
    """
    texts = [mended(lines[row]) for row in range(len(lines))]
    good = [row for row, text in enumerate(texts) if text is not None]
    yield from _halved([text for text in texts if text is not None], rows[good], wanted)


def _halved(
    texts: Sequence[bytes], rows: Ints, wanted: _Wanted
) -> Iterator[tuple[pl.DataFrame, Ints]]:
    """Read what Polars takes, leaving out as few lines as can be."""
    if not texts:
        return
    table = wanted.read(b"\n".join(texts), len(texts))
    half = len(texts) // 2
    if table is not None:
        yield table, rows
    elif half:
        yield from _halved(texts[:half], rows[:half], wanted)
        yield from _halved(texts[half:], rows[half:], wanted)
