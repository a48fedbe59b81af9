"""One group of quarantined lines: what is kept of it, and how it grows."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ingest.lines import Ints, Lines
from ingest.masked_lines import masked_line
from ingest.suggestions import suggestion

Reason = Literal["unparsed", "not_text", "too_long", "no_time", "future", "partial", "poison"]

#: What each reason means, for people.
REASONS: Final[dict[Reason, str]] = {
    "unparsed": "the line does not have the log's format",
    "not_text": "the line does not have the log's format and holds bytes that are not text",
    "too_long": "the line is longer than 256 KiB",
    "no_time": "the line has no readable time",
    "future": "the line's time is far ahead of its neighbours",
    "partial": "the container's log holds only parts of the line",
    "poison": "the Kafka record could not be read: no value, too large, or damaged",
}

#: Kept of each group.
SAMPLES_KEPT: Final = 3
RANGES_KEPT: Final = 256

#: Stands for the text where people are kept as pseudonyms: a line that nobody could read may
#: name them anywhere.
NOT_KEPT: Final = "(text not kept, as privacy.pseudonymise is set)"


@dataclass(frozen=True, slots=True)
class Sample:
    """A quarantined line: masked, cut to 4 KiB; length in bytes and SHA-256 are the original's."""

    position: int
    text: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Lines of one partition, reason and shape.

    `ranges` are (first, last) positions in order; every line that begins in one belongs to the
    group. Only the first RANGES_KEPT are kept: `more_ranges` says that there were more. `samples`
    are the first lines by position. `suggestion` is a settings line that may help.
    """

    partition: str
    reason: Reason
    shape: str
    count: int
    first_position: int
    last_position: int
    ranges: tuple[tuple[int, int], ...]
    more_ranges: bool
    samples: tuple[Sample, ...]
    suggestion: str | None


RawSample = tuple["GrowingGroup", int, bytes]


class GrowingGroup:
    """What is known of a group while it grows."""

    def __init__(self, suggests: bool) -> None:
        self._suggests = suggests
        self._count = 0
        self._first = 0
        self._last = 0
        self._end = 0
        self._ranges: list[tuple[int, int]] = []
        self._more_ranges = False
        self._samples: list[Sample] = []
        self._suggestion: str | None = None

    def extend(self, positions: Ints, lines: Lines | None) -> list[RawSample]:
        """Take further lines, not before those known; return those to be given to `keep`."""
        if self._count == 0:
            self._first = self._last = self._end = int(positions[0])
        self._count += len(positions)
        self._add_ranges(positions, lines)
        self._last = int(positions[-1])
        if lines is None:
            return []
        wanted = range(min(SAMPLES_KEPT - len(self._samples), len(lines)))
        if wanted and self._suggests and not self._samples:
            self._suggestion = suggestion(lines[0])
        return [(self, int(positions[index]), lines[index]) for index in wanted]

    def keep(self, sample: Sample) -> None:
        """Keep one of the lines that `extend` returned, in that order."""
        self._samples.append(sample)

    def seen(self, partition: str, reason: Reason, shape: str) -> QuarantineGroup:
        """Return the group as it is now."""
        return QuarantineGroup(
            partition,
            reason,
            shape,
            self._count,
            self._first,
            self._last,
            tuple(self._ranges),
            self._more_ranges,
            tuple(self._samples),
            self._suggestion,
        )

    def _add_ranges(self, positions: Ints, lines: Lines | None) -> None:
        """Join lines that follow each other: by their bytes in a file, by offsets in a topic."""
        ends = positions if lines is None else positions + lines.lengths + 1
        before = np.concatenate(([self._last], positions[:-1]))
        begins = positions > before + 1
        begins &= positions != np.concatenate(([self._end], ends[:-1]))
        begins[0] |= not self._ranges
        firsts = np.flatnonzero(begins)
        lasts = np.append(firsts, len(positions))[1:] - 1
        grown = int(firsts[0]) if len(firsts) else len(positions)
        if grown and not self._more_ranges:
            self._ranges[-1] = (self._ranges[-1][0], int(positions[grown - 1]))
        room = RANGES_KEPT - len(self._ranges)
        self._more_ranges |= len(firsts) > room
        new = zip(positions[firsts[:room]].tolist(), positions[lasts[:room]].tolist(), strict=True)
        self._ranges += new
        self._end = int(ends[-1])


def sampled(raw: RawSample, *, keeps_text: bool) -> tuple[GrowingGroup, Sample]:
    """Return the group and its line as it may be kept."""
    group, position, data = raw
    masked = masked_line(data)
    text = masked.text if keeps_text else NOT_KEPT
    return group, Sample(position, text, masked.length, masked.sha256)
