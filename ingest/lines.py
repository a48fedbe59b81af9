"""Lines: a block of whole lines, where each begins, and which of them are worth parsing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
import numpy.ma  # Polars loads it for the first array that it is handed
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Longer lines (in bytes, without the line end) are counted and never parsed.
LINE_LIMIT: Final = 256 * 1024

LAST_ASCII: Final = 127

_NEWLINE: Final = 10
_PIECE: Final = 1 << 20
_SMALL: Final = 1 << 14
_IS_BLANK: Final = np.isin(np.arange(256), [9, 11, 12, 13, 32])


def places(codes: NDArray[np.uint8], code: int) -> Ints:
    """Return where the code is: what numpy's flatnonzero does, in pieces that stay in the cache."""
    if len(codes) < _SMALL:
        return np.flatnonzero(codes == code).astype(np.int64, copy=False)
    found = []
    for start in range(0, len(codes), _PIECE):
        piece = pl.Series(codes[start : start + _PIECE])
        at = _counted()[: len(piece)].filter(piece == code)
        found.append(at.to_numpy().astype(np.int64) + start)
    return np.concatenate(found)


@cache
def _counted() -> pl.Series:
    return pl.Series(np.arange(_PIECE, dtype=np.uint32))


@dataclass(frozen=True)
class Lines:
    """The lines of `data`, which ends at a line's end; line i is data[starts[i]:ends[i]]."""

    data: bytes
    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, data: bytes) -> "Lines":
        """Find the lines of `data`; a last line without newline is a line."""
        ends = places(np.frombuffer(data, dtype=np.uint8), _NEWLINE)
        if data and not data.endswith(b"\n"):
            ends = np.append(ends, len(data))
        starts = np.empty_like(ends)
        starts[:1] = 0
        starts[1:] = ends[:-1] + 1
        return cls(data, starts, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> bytes:
        return self.data[self.starts[index] : self.ends[index]]

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """The bytes as numbers."""
        return np.frombuffer(self.data, dtype=np.uint8)

    @cached_property
    def firsts(self) -> NDArray[np.uint8]:
        """Each line's first byte; of an empty one what follows it."""
        if not self.data:
            return np.zeros(len(self), dtype=np.uint8)
        return self.codes[np.minimum(self.starts, len(self.data) - 1)]

    @cached_property
    def lengths(self) -> Ints:
        """Each line's length in bytes, without its newline."""
        return self.ends - self.starts

    @cached_property
    def whole(self) -> bool:
        """Whether these are all lines of `data`, none left out."""
        newlines = len(self) - (not self.data.endswith(b"\n"))
        return len(self) > 0 and int(self.lengths.sum()) + newlines >= len(self.data)

    def blank(self) -> Flags:
        """Mark lines that are empty or only blanks."""
        flags: Flags = self.lengths == 0
        for index in np.flatnonzero(~flags & _IS_BLANK[self.firsts]):
            flags[index] = not self[int(index)].strip()
        return flags

    def too_long(self) -> Flags:
        """Mark lines over the limit."""
        return self.lengths > LINE_LIMIT

    def select(self, keep: Flags | Ints) -> "Lines":
        """Return the chosen lines; `data` stays shared."""
        return Lines(self.data, self.starts[keep], self.ends[keep])

    def joined(self) -> bytes:
        """Return the lines' bytes with newlines: `data` itself if they are all of it."""
        if self.whole or not len(self):
            return self.data if self.whole else b""
        breaks = np.flatnonzero(self.starts[1:] != self.ends[:-1] + 1)
        firsts = self.starts[np.concatenate(([0], breaks + 1))].tolist()
        lasts = self.ends[np.append(breaks, len(self) - 1)].tolist()
        view = memoryview(self.data)
        runs: list[Any] = [view[a:b] for a, b in zip(firsts, lasts, strict=True)]
        return b"\n".join(runs)

    def text(self) -> bool:
        """Whether all of `data` is valid UTF-8."""
        if self.data.isascii():
            return True
        try:
            self.data.decode()
        except UnicodeDecodeError:
            return False
        return True

    def decoded(self) -> Iterator[str]:
        r"""Yield each line as text; bytes that are not UTF-8 become \xNN."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.data[start:end].decode(errors="backslashreplace")

    def containing(self, positions: Ints) -> Flags:
        """Mark the lines in which at least one of the sorted byte positions lies."""
        return self.counts(positions) > 0

    def counts(self, positions: Ints) -> Ints:
        """Count for each line how many of the sorted byte positions lie in it."""
        low = np.searchsorted(positions, self.starts)
        return np.searchsorted(positions, self.ends) - low
