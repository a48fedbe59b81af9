"""Quarantine: what could not be read, in groups by partition, reason and shape.

A group holds counts, places, and its first few lines masked; raw content is never kept. Groups
are the same however a partition's stream was cut into calls, as long as its positions come in
order: the first SHAPES_KEPT shapes of a partition and reason have groups of their own, the rest
is the group OTHER. Only the limit over all partitions depends on which partition came first.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
import polars as pl

from ingest.lines import Ints, Lines
from ingest.masking import mask
from ingest.shapes import shapes
from ingest.suggestions import SUGGESTIBLE, suggestion

Reason = Literal["unparsed", "not_text", "too_long", "no_time", "future", "partial", "poison"]

#: What each reason means, for people.
REASONS: Final[dict[Reason, str]] = {
    "unparsed": "the line does not have the log's format",
    "not_text": "the line does not have the log's format and holds bytes that are not text",
    "too_long": "the line is longer than 64 KiB",
    "no_time": "the line has no readable time",
    "future": "the line's time is far ahead of its neighbours",
    "partial": "the container's log holds only a part of the line",
    "poison": "the Kafka record could not be read: no value, too large, or damaged",
}

#: Positions that a row of the iteration shows.
POSITIONS_KEPT: Final = 5

#: Shapes with a group of their own, in each partition and reason, and over all.
SHAPES_KEPT: Final = 100
GROUPS_KEPT: Final = 1_000

#: The shape of lines beyond those limits, and of lines that were not handed over.
OTHER: Final = "other"
UNSEEN: Final = "unseen"

#: Kept of each group.
SAMPLES_KEPT: Final = 3
RANGES_KEPT: Final = 256
SAMPLE_BYTES: Final = 4096

#: Groups of a partition and reason that get a suggestion: trying every format takes time.
SUGGESTIONS_KEPT: Final = 10

Key = tuple[str, Reason, str]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Lines of one partition that were put aside for one reason."""

    partition: str
    reason: Reason
    count: int
    positions: tuple[int, ...]


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


@dataclass
class Quarantine:
    """All groups so far; `add` is called with the positions of a partition in order."""

    _groups: dict[Key, "_Group"] = field(default_factory=dict)
    _positions: dict[tuple[str, Reason], list[int]] = field(default_factory=dict)
    _counts: dict[tuple[str, Reason], int] = field(default_factory=dict)
    _shapes: dict[tuple[str, Reason], int] = field(default_factory=dict)
    _changed: dict[Key, None] = field(default_factory=dict)

    def add(
        self,
        partition: str,
        reason: Reason,
        positions: Sequence[int] | Ints,
        lines: Lines | None = None,
    ) -> None:
        """Count the lines at `positions`; `lines` are the raw lines in the same order, if known.

        Raises ValueError for an unknown reason, or if there are more or fewer lines.
        """
        if reason not in get_args(Reason):
            raise ValueError(f"unknown quarantine reason {reason!r}")
        if lines is not None and len(lines) != len(positions):
            raise ValueError(f"{len(positions)} positions for {len(lines)} lines")
        places = np.asarray(positions, dtype=np.int64)
        if not len(places):
            return
        counted = (partition, reason)
        self._counts[counted] = self._counts.get(counted, 0) + len(places)
        kept = self._positions.setdefault(counted, [])
        kept.extend(places[: POSITIONS_KEPT - len(kept)].tolist())
        for shape, chosen in self._by_shape(counted, len(places), lines):
            key = (partition, reason, shape)
            if key not in self._groups:
                number = self._shapes[counted] = self._shapes.get(counted, 0) + 1
                suggests = reason in SUGGESTIBLE and number <= SUGGESTIONS_KEPT
                self._groups[key] = _Group(suggests)
            some = None if lines is None else lines.select(chosen)
            self._groups[key].extend(places[chosen], some)
            self._changed[key] = None

    def groups(self) -> list[QuarantineGroup]:
        """Return all groups, by partition and reason, the largest first."""
        return _ordered(group.seen(*key) for key, group in self._groups.items())

    def changed(self) -> list[QuarantineGroup]:
        """Return the groups that changed since the last call; each is whole."""
        changed, self._changed = self._changed, {}
        return _ordered(self._groups[key].seen(*key) for key in changed)

    @property
    def total(self) -> int:
        """All lines put aside."""
        return sum(self._counts.values())

    def by_reason(self) -> dict[Reason, int]:
        """Counts by reason, most first."""
        totals: dict[Reason, int] = {}
        for (_, reason), count in self._counts.items():
            totals[reason] = totals.get(reason, 0) + count
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    def __iter__(self) -> Iterator[Quarantined]:
        for (partition, reason), count in sorted(self._counts.items()):
            kept = tuple(self._positions[partition, reason])
            yield Quarantined(partition, reason, count, kept)

    def _by_shape(
        self, counted: tuple[str, Reason], size: int, lines: Lines | None
    ) -> Iterator[tuple[str, Ints]]:
        """Yield each shape that has a group, with the indices of its lines in order."""
        if lines is None:
            yield UNSEEN, np.arange(size, dtype=np.int64)
            return
        found = shapes(_texts(lines))
        distinct = found.unique(maintain_order=True)
        names = self._admitted(counted, distinct.to_list())
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        known = pl.DataFrame({"shape": distinct, "group": [numbers[name] for name in names]})
        frame = found.rename("shape").to_frame()
        joined = frame.join(known, on="shape", how="left", maintain_order="left")
        group = joined["group"].to_numpy()
        order = np.argsort(group, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(group))[:-1])
        yield from zip(numbers, parts, strict=True)

    def _admitted(self, counted: tuple[str, Reason], wanted: Sequence[str]) -> list[str]:
        """Return for each shape the one of its group: its own, or OTHER."""
        room = min(SHAPES_KEPT - self._shapes.get(counted, 0), GROUPS_KEPT - len(self._groups))
        names = []
        for shape in wanted:
            if (*counted, shape) not in self._groups:
                if room <= 0:
                    names.append(OTHER)
                    continue
                room -= 1
            names.append(shape)
        return names


class _Group:
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

    def extend(self, positions: Ints, lines: Lines | None) -> None:
        """Take further lines; their positions are not before those known."""
        if self._count == 0:
            self._first = self._last = self._end = int(positions[0])
        self._count += len(positions)
        self._add_ranges(positions, lines)
        self._last = int(positions[-1])
        if lines is not None:
            self._look(positions, lines)

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

    def _look(self, positions: Ints, lines: Lines) -> None:
        for index in range(min(SAMPLES_KEPT - len(self._samples), len(lines))):
            raw = lines[index]
            if self._suggests and not self._samples:
                self._suggestion = suggestion(raw)
            self._samples.append(_sample(int(positions[index]), raw))


def _sample(position: int, raw: bytes) -> Sample:
    text = mask(raw.decode(errors="backslashreplace"))
    cut = text.encode()[:SAMPLE_BYTES].decode(errors="ignore")
    return Sample(position, cut, len(raw), hashlib.sha256(raw).hexdigest())


def _texts(lines: Lines) -> pl.Series:
    r"""Return the lines as text, bytes that are not UTF-8 as \xNN."""
    try:
        whole = lines.joined().decode().removesuffix("\n")
    except UnicodeDecodeError:
        return pl.Series(lines.decoded(), dtype=pl.String)
    return pl.Series([whole]).str.split("\n").explode()


def _ordered(groups: Iterable[QuarantineGroup]) -> list[QuarantineGroup]:
    return sorted(groups, key=lambda g: (g.partition, g.reason, -g.count, g.shape))
