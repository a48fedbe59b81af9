"""What a wrapper does: tell which lines it may have wrapped, and take out what they hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
import polars as pl

from ingest.lines import Flags, Ints, Lines

#: What a wrapper says about the lines it holds.
LABELS_SCHEMA: Final = pl.Schema({"service": pl.String(), "environment": pl.String()})

NO_LINES: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Peeled:
    """What one wrapper took out of lines; indices count the lines it was given.

    `origin` is the index of the line that each payload came out of and never decreases; `labels`
    has LABELS_SCHEMA, one row a payload (None: nothing was said); `partial` are lines that hold
    only a part of a line. All other lines are not wrapped.
    """

    origin: Ints
    payloads: Lines
    labels: pl.DataFrame | None = None
    partial: Ints = field(default_factory=NO_LINES.copy)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One kind of wrapper.

    `may_wrap` looks at a few bytes of each line; `peel` is given the lines so marked, never
    raises because of what they hold, and what it makes of a line depends on that line only.
    """

    name: str
    title: str
    may_wrap: Callable[[Lines], Flags]
    peel: Callable[[Lines], Peeled]


NOTHING: Final = Peeled(NO_LINES, Lines.of(b""))


def byte_at(lines: Lines, offset: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the byte at an offset in each line; behind a line's end, the byte there (or 0)."""
    if not offset:
        return lines.firsts
    if not lines.data:
        return np.zeros(len(lines), dtype=np.uint8)
    last = len(lines.data) - 1
    return lines.codes[np.minimum(lines.starts + offset, last)]


def heads(lines: Lines, limit: int) -> pl.Series:
    """Return the first `limit` bytes of each line, a character a byte."""
    ends = np.minimum(lines.ends, lines.starts + limit).tolist()
    spans = zip(lines.starts.tolist(), ends, strict=True)
    if lines.whole:
        text = lines.data.decode("latin-1")
        return pl.Series("head", [text[start:end] for start, end in spans], dtype=pl.String)
    data = lines.data
    texts = [data[start:end].decode("latin-1") for start, end in spans]
    return pl.Series("head", texts, dtype=pl.String)


def decoded(lines: Lines) -> pl.Series:
    r"""Return the lines as text; bytes that are not UTF-8 become \xNN."""
    if lines.whole and lines.text():
        texts = lines.data.decode().split("\n")
        return pl.Series("text", texts[: len(lines)], dtype=pl.String)
    return pl.Series("text", list(lines.decoded()), dtype=pl.String)


def behind(lines: Lines, lengths: Ints) -> Lines:
    """Return each line without its first bytes."""
    data = lines.data
    starts = (lines.starts + lengths).tolist()
    spans = zip(starts, lines.ends.tolist(), strict=True)
    return lines_of([data[start:end] for start, end in spans])


def lines_of(payloads: Sequence[bytes]) -> Lines:
    """Return payloads (without newlines) as lines, one after the other."""
    return Lines.of(b"\n".join(payloads) + b"\n" if payloads else b"")


def split_payloads(payloads: pl.Series) -> tuple[Ints, Lines]:
    """Return (index of the text that each piece came out of, pieces): one for each line of it.

    A text over several lines that is an object is one line. Blank pieces are left out, but a text
    always has one piece. A single blank before a text is syslog's and left out, too.
    """
    text = payloads.str.strip_chars_end("\r\n").str.strip_chars_start("\r\n")
    text = text.str.replace(r"^ (\S)", "$1")
    several = text.str.contains("\n", literal=True).to_numpy()
    numbers = np.arange(len(text))
    if several.any():
        parts = [
            _pieces(piece) if folded else [piece]
            for piece, folded in zip(text.to_list(), several.tolist(), strict=True)
        ]
        numbers = np.repeat(numbers, np.fromiter(map(len, parts), np.int64, len(parts)))
        text = pl.Series("text", list(chain.from_iterable(parts)), dtype=pl.String)
    return numbers, Lines.of((text.str.join("\n")[0] + "\n").encode() if len(text) else b"")


def _pieces(text: str) -> list[str]:
    if text.startswith("{") and text.endswith("}"):
        return [text.replace("\n", " ")]
    return [piece.rstrip("\r") for piece in text.split("\n") if piece.strip()] or [""]
