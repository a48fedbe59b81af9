"""Which format a log has, guessed from its first lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from ingest.formats.directives import directives
from ingest.formats.mixed import likely
from ingest.formats.parsed import Format, Reading
from ingest.formats.registry import FORMATS
from ingest.lines import Lines

#: Lines looked at, and how many bytes at most.
SAMPLE_LINES: Final = 200
SAMPLE_BYTES: Final = 1 << 20

#: A format must take this share of the sample: attackers write into logs, too.
LEAST_CONFIDENCE: Final = 0.1

#: Of the formats that take at least this share of the most, the most specific is chosen.
_NEARLY: Final = 0.9


@dataclass(frozen=True, slots=True)
class Detection:
    """The format found (None if unsure), the share of lines it took, and the next best."""

    format: str | None
    confidence: float
    runners_up: tuple[tuple[str, float], ...] = ()


def detect_format(lines: Sequence[bytes], reading: Reading | None = None) -> Detection:
    """Guess the format of a log from its first lines.

    Blank lines and directives (`#Fields: ...`) do not count. Of formats that take about as many
    lines the most specific is chosen, which stands first in FORMATS.
    """
    sample = [line for line in lines if line.strip()][:SAMPLE_LINES]
    if not sample:
        return Detection(None, 0.0)
    block = Lines.of(b"\n".join(line.rstrip(b"\r\n") for line in sample))
    block = block.select(~block.too_long())
    counted = max(len(sample) - int(directives(block).sum()), 1)
    parsed: dict[object, pl.DataFrame] = {}
    taken = {
        name: found / counted
        for name, entry in FORMATS.items()
        if (found := _claimed(block, entry, reading or Reading(), parsed))
    }
    most = max(taken.values(), default=0.0)
    best = next((name for name, share in taken.items() if share >= _NEARLY * most), None)
    shares = sorted(taken.items(), key=lambda share: -share[1])
    if best is None or most < LEAST_CONFIDENCE:
        return Detection(None, most, tuple(shares))
    return Detection(best, taken[best], tuple(share for share in shares if share[0] != best))


def _claimed(
    block: Lines, entry: Format, reading: Reading, parsed: dict[object, pl.DataFrame]
) -> int:
    """Count the lines that speak for a format; formats that share a parser share its result."""
    candidates = likely(block, entry)
    if not candidates.any():
        return 0
    chosen = block if candidates.all() else block.select(candidates)
    key = (entry.parse, entry.starts, entry.ends)
    if key not in parsed:
        parsed[key] = entry.parse(chosen, reading)
    return entry.claims(chosen, parsed[key])
