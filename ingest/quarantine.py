"""Quarantine: what could not be read, counted by partition and reason, never its content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Reason = Literal["unparsed", "not_text", "too_long", "no_time", "future"]

#: What each reason means, for people.
REASONS: Final[dict[Reason, str]] = {
    "unparsed": "the line does not have the log's format",
    "not_text": "the line does not have the log's format and holds bytes that are not text",
    "too_long": "the line is longer than 64 KiB",
    "no_time": "the line has no readable time",
    "future": "the line's time is far ahead of its neighbours",
}

#: Positions kept for each partition and reason.
POSITIONS_KEPT: Final = 5


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Lines of one partition that were put aside for one reason."""

    partition: str
    reason: Reason
    count: int
    positions: tuple[int, ...]


@dataclass
class Quarantine:
    """Counts by (partition, reason), with the first few positions of each."""

    _counts: dict[tuple[str, Reason], int] = field(default_factory=dict)
    _positions: dict[tuple[str, Reason], list[int]] = field(default_factory=dict)

    def add(self, partition: str, reason: Reason, positions: Iterable[int]) -> None:
        """Count the lines at `positions`."""
        if reason not in get_args(Reason):
            raise ValueError(f"unknown quarantine reason {reason!r}")
        new = list(positions)
        if not new:
            return
        key = (partition, reason)
        self._counts[key] = self._counts.get(key, 0) + len(new)
        kept = self._positions.setdefault(key, [])
        kept.extend(new[: POSITIONS_KEPT - len(kept)])

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
