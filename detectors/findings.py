"""Findings: what a detector claims about one entity, and how its runs grow together."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import reduce
from typing import Final, Literal

from detectors.curves import NO_CURVE, Curve, Point

EntityType = Literal[
    "client", "network", "user", "api_key", "route", "service", "source", "target", "all"
]
Mode = Literal["alert", "monitor"]

#: Evidence rows that one finding keeps at most.
EVIDENCE_LIMIT: Final = 20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Level(IntEnum):
    """Sigma's levels, in their order."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        """The level's name as Sigma writes it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One event behind a finding, masked: safe to store and to show.

    `country` (ISO 3166 alpha-2) and `asn` are the client's.
    """

    time: datetime
    partition: str
    position: int
    text: str
    path: str | None = None
    status: int | None = None
    service: str | None = None
    country: str | None = None
    asn: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A detector's claim about one entity: a maximal run of violating panes.

    `first` and `last` are effective times of events (UTC). `value` is the greatest seen, in
    `unit`, against `threshold`, within any `window`. Two runs of one detector and entity whose
    gap is at most the window are one finding. `members` are the clients that a finding about
    something else than a client has counted. `reached` is the end of the first slot of time with
    which the limit was reached: when the finding could be known. `note` is what else is to be told
    of `value`, such as what was expected: a sentence, masked, or nothing. `curve` is what was
    counted over time, as far as the detector says it.
    """

    detector: str
    entity_type: EntityType
    entity: str
    first: datetime
    last: datetime
    value: int
    threshold: int
    unit: str
    window: timedelta
    level: Level
    mode: Mode = "alert"
    tags: tuple[str, ...] = ()
    fingerprint: str = ""
    evidence: tuple[Evidence, ...] = ()
    members: frozenset[str] = frozenset()
    reached: datetime | None = None
    note: str = ""
    curve: Curve = NO_CURVE

    @property
    def drawn(self) -> Curve:
        """What was counted over time; at least the value, at the end."""
        if self.curve.points:
            return self.curve
        return Curve((Point((self.last - _EPOCH) // _MICROSECOND, self.value, self.threshold),))

    @property
    def key(self) -> tuple[str, str, str]:
        """What findings must share to be able to touch."""
        return self.detector, self.entity_type, self.entity

    def touches(self, other: "Finding") -> bool:
        """Whether both are one finding: same key, and a gap no longer than the window."""
        return (
            self.key == other.key
            and self.first <= other.last + self.window
            and other.first <= self.last + self.window
        )

    def absorb(self, other: "Finding") -> "Finding":
        """Return both as one: least first, greatest last, greatest value, some evidence of each.

        Of two thresholds (a shared address scales them) the one beside the greatest value stays,
        and so does the note.
        """
        ahead = max(self, other, key=lambda each: (each.value, -each.threshold, each.note))
        return replace(
            self,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            value=ahead.value,
            threshold=ahead.threshold,
            level=max(self.level, other.level),
            evidence=earliest([*self.evidence, *other.evidence]),
            members=self.members | other.members,
            reached=min((r for r in (self.reached, other.reached) if r), default=None),
            note=ahead.note,
            curve=self.curve | other.curve,
        )


def earliest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return the first EVIDENCE_LIMIT events, each once, whatever the order they come in."""
    events: dict[tuple[datetime, str, int], Evidence] = {}
    for row in sorted(evidence, key=lambda row: (row.time, row.partition, row.position, row.text)):
        events.setdefault((row.time, row.partition, row.position), row)
    return tuple(events.values())[:EVIDENCE_LIMIT]


def merge_runs(stored: Iterable[Finding], runs: Iterable[Finding]) -> list[Finding]:
    """Return the stored findings grown by the runs; a run that touches two joins them.

    The result depends on the set of runs only, not on their order or on how they were cut.
    """
    merged: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in stored:
        merged[finding.key].append(finding)
    for run in runs:
        touched = [finding for finding in merged[run.key] if finding.touches(run)]
        apart = [finding for finding in merged[run.key] if not finding.touches(run)]
        merged[run.key] = [*apart, reduce(Finding.absorb, touched, run)]
    together = (finding for findings in merged.values() for finding in findings)
    return sorted(together, key=lambda finding: (finding.first, finding.key))
