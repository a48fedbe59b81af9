"""Which format a log has, guessed from its first lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingest.formats import FORMATS
from ingest.formats.parsed import Reading
from ingest.lines import Lines

#: Lines looked at, and how many bytes at most.
SAMPLE_LINES: Final = 200
SAMPLE_BYTES: Final = 1 << 20

#: A format must take this share of the sample: attackers write into logs, too.
LEAST_CONFIDENCE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Detection:
    """The format found (None if unsure), the share of lines it took, and the next best."""

    format: str | None
    confidence: float
    runners_up: tuple[tuple[str, float], ...] = ()


def detect_format(lines: Sequence[bytes], reading: Reading | None = None) -> Detection:
    """Guess the format of a log from its first lines; blank lines do not count."""
    sample = [line for line in lines if line.strip()][:SAMPLE_LINES]
    if not sample:
        return Detection(None, 0.0)
    block = Lines.of(b"\n".join(line.rstrip(b"\r\n") for line in sample))
    block = block.select(~block.too_long())
    shares = [
        (name, entry.claims(block, entry.parse(block, reading or Reading())) / len(sample))
        for name, entry in FORMATS.items()
    ]
    shares.sort(key=lambda share: -share[1])
    best, confidence = shares[0]
    runners_up = tuple(share for share in shares[1:] if share[1])
    if confidence < LEAST_CONFIDENCE:
        return Detection(None, confidence, tuple(share for share in shares if share[1]))
    return Detection(best, confidence, runners_up)
