"""Quarantine: what could not be read, in groups by partition, reason and shape.

A group holds counts, places, and its first few lines masked; raw content is never kept. Groups
are the same however a partition's stream was cut into calls, as long as its positions come in
order: the first SHAPES_KEPT shapes of a partition and reason have groups of their own, the rest
is the group OTHER. Only the limit over all partitions depends on which partition came first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from ingest.formats.texts import texts
from ingest.lines import Ints, Lines
from ingest.quarantine_group import (
    REASONS,
    GrowingGroup,
    QuarantineGroup,
    RawSample,
    Reason,
    Sample,
    sampled,
)
from ingest.shapes import shapes
from ingest.suggestions import SUGGESTIBLE

__all__ = ["REASONS", "Quarantine", "QuarantineGroup", "Quarantined", "Reason", "Sample"]

#: Positions that a row of the iteration shows.
POSITIONS_KEPT: Final = 5

#: Shapes with a group of their own, in each partition and reason, and over all.
SHAPES_KEPT: Final = 100
GROUPS_KEPT: Final = 1_000

#: The shape of lines beyond those limits, and of lines that were not handed over.
OTHER: Final = "other"
UNSEEN: Final = "unseen"


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


@dataclass
class Quarantine:
    """All groups so far; `add` is called with the positions of a partition in order.

    Without `keeps_text` samples say only where a line is, its length and its SHA-256.
    """

    keeps_text: bool = True
    _groups: dict[Key, GrowingGroup] = field(default_factory=dict)
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
        if reason not in REASONS:
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
        fresh: list[RawSample] = []
        for shape, chosen in self._by_shape(counted, len(places), lines):
            key = (partition, reason, shape)
            if key not in self._groups:
                number = self._shapes[counted] = self._shapes.get(counted, 0) + 1
                suggests = reason in SUGGESTIBLE and number <= SUGGESTIONS_KEPT
                self._groups[key] = GrowingGroup(suggests)
            some = None if lines is None else lines.select(chosen)
            fresh += self._groups[key].extend(places[chosen], some)
            self._changed[key] = None
        for raw in fresh:
            group, sample = sampled(raw, keeps_text=self.keeps_text)
            group.keep(sample)

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
        found = shapes(texts(lines))
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


def _ordered(groups: Iterable[QuarantineGroup]) -> list[QuarantineGroup]:
    return sorted(groups, key=lambda g: (g.partition, g.reason, -g.count, g.shape))
