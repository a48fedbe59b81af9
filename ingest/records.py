"""Records: raw lines of one partition, with the position of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingest.chunks import Chunk
from ingest.lines import Ints, Lines


@dataclass(frozen=True)
class Records:
    """Lines in order, and where each was: byte offset in a log, or offset in a topic.

    Positions never decrease; lines of one Kafka record share its offset. `too_long` holds
    positions of records whose bytes were given up. `directive` is the W3C `#Fields:` text in
    force before the first line.
    """

    lines: Lines
    positions: Ints
    too_long: tuple[int, ...] = ()
    directive: str | None = None

    @classmethod
    def of_chunk(cls, chunk: Chunk, directive: str | None = None) -> "Records":
        """Return a chunk's lines; positions are their byte offsets."""
        lines = Lines.of(chunk.data)
        gone = tuple(position for position, _ in chunk.too_long)
        return cls(lines, lines.starts + chunk.base, gone, directive)

    @classmethod
    def of_values(cls, values: Sequence[bytes], offsets: Sequence[int]) -> "Records":
        """Return the lines in Kafka records; each value holds one line or several."""
        ended = [value if value.endswith(b"\n") else value + b"\n" for value in values]
        data = b"".join(ended)
        lengths = np.fromiter(map(len, ended), dtype=np.int64, count=len(ended))
        ends = np.cumsum(lengths) - 1
        lines = Lines.of(data)
        record = np.searchsorted(ends, lines.starts, side="left")
        return cls(lines, np.asarray(offsets, dtype=np.int64)[record])
