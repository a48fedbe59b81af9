"""Records: raw lines of one partition, with the position of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ingest.chunks import Chunk
from ingest.formats.directives import last_directive
from ingest.lines import Ints, Lines

#: Lines read at once: what a line costs while it is read is many times what a short one holds.
LINES_AT_ONCE: Final = 200_000

_NEWLINE: Final = 10


@dataclass(frozen=True)
class Records:
    """Lines in order, and where each was: byte offset in a log, or offset in a topic.

    Positions never decrease; lines of one Kafka record share its offset. `too_long` holds
    positions of records whose bytes were given up, `partial` those of lines in parts that could not
    be joined. `directive` is the W3C `#Fields:` text in
    force before the first line.
    """

    lines: Lines
    positions: Ints
    too_long: tuple[int, ...] = ()
    directive: str | None = None
    partial: tuple[int, ...] = ()

    @classmethod
    def of_chunk(cls, chunk: Chunk, directive: str | None = None) -> "Records":
        """Return a chunk's lines; positions are their byte offsets."""
        lines = Lines.of(chunk.data)
        gone = tuple(position for position, _ in chunk.too_long)
        return cls(lines, lines.starts + chunk.base, gone, directive)

    @classmethod
    def of_values(cls, values: Sequence[bytes], offsets: Sequence[int]) -> "Records":
        """Return the lines in Kafka records; each value holds one line or several."""
        data = b"\n".join([*values, b""])
        lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values)) + 1
        ends = np.cumsum(lengths) - 1
        codes = np.frombuffer(data, dtype=np.uint8)
        if (codes[ends[lengths > 1] - 1] == _NEWLINE).any():  # ended already: no line is empty
            ended = [value if value.endswith(b"\n") else value + b"\n" for value in values]
            data = b"".join(ended)
            lengths = np.fromiter(map(len, ended), dtype=np.int64, count=len(ended))
            ends = np.cumsum(lengths) - 1
        lines = Lines.of(data)
        places = np.asarray(offsets, dtype=np.int64)
        if len(lines) == len(places):
            return cls(lines, places)
        record = np.searchsorted(ends, lines.starts, side="left")
        return cls(lines, places[record])

    def pieces(self, size: int = LINES_AT_ONCE) -> "Iterator[Records]":
        """Yield these records with at most `size` lines each, in order; they mean the same."""
        if len(self.lines) <= size:
            yield self
            return
        directive, too_long, partial = self.directive, self.too_long, self.partial
        for first in range(0, len(self.lines), size):
            chosen = slice(first, first + size)
            starts, ends = self.lines.starts[chosen], self.lines.ends[chosen]
            begin = int(starts[0])
            data = self.lines.data[begin : int(ends[-1]) + 1]
            lines = Lines(data, starts - begin, ends - begin)
            yield Records(lines, self.positions[chosen], too_long, directive, partial)
            directive, too_long, partial = last_directive(lines) or directive, (), ()
