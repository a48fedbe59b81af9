"""A rule as compiled: what the kernel needs of it, and what people read about it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from detectors.addresses import inside
from detectors.findings import EntityType, Level, Mode
from detectors.panes import Panes
from detectors.series import Series

#: What a rule works out over a window: matches, distinct values, values with their predecessor,
#: a sum or an average (per match) of a field, several rules matched, and matched in their order.
Measure = Literal["count", "distinct", "neighbours", "sum", "average", "all_of", "in_order"]

#: How a value is compared with the limit.
Comparison = Literal["gte", "gt", "lte", "lt", "eq", "neq"]


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """How a limit grows with the distinct user agents that an address shows in the window.

    Every `agents` distinct ones add one limit, up to `cap` limits: an office behind one address
    is many people. The limit never shrinks below the rule's own.
    """

    agents: int
    cap: int


@dataclass(frozen=True, slots=True)
class Share:
    """The least share, in percent, of the matches among those of `of`.

    `of` counts for the same entity, or, where `over_all`, over all traffic. `exceeds`: the share
    must be greater, not only as great.
    """

    of: Series
    percent: int
    over_all: bool
    exceeds: bool = False


@dataclass(frozen=True, slots=True)
class Outlier:
    """How many times as much as the average of the others in its group an entity must have.

    `everything` counts for all entities of the group together what the rule counts, `peers`
    keeps which entities there are (for averages: counts the matches).
    """

    factor: int
    everything: Series
    peers: Series


@dataclass(frozen=True, slots=True)
class Raised:
    """The level of findings that have a match in `series`."""

    level: Level
    series: Series


@dataclass(frozen=True, slots=True)
class Tier:
    """Entities that may do `times` as much, by type; clients also by their networks."""

    name: str
    times: int
    entities: frozenset[tuple[EntityType, str]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def signature(self) -> str:
        """A hash of who may do how much, the same in every process."""
        told = (self.name, self.times, sorted(self.entities), self.networks)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def holds(self, kind: EntityType, entity: str) -> bool:
        """Whether the entity is in the tier."""
        if (kind, entity) in self.entities:
            return True
        return kind == "client" and any(inside(entity, network) for network in self.networks)


@dataclass(frozen=True, slots=True)
class Rule:
    """One detector of the rule kernel: what it counts (`series`), and when that is too much.

    `written` is a hash of its own text and of what the settings change about it. `matches` counts
    what an average is over, and there must be `least_matches` of them. `steps` is how many rules a
    sequence has, `consecutive` how often its first must match without the second in between.
    """

    name: str
    id: str
    title: str
    description: str
    level: Level
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    unit: str
    entity_type: EntityType
    series: Series
    measure: Measure
    threshold: int
    window: timedelta
    mode: Mode
    runbook: str | None
    written: str
    comparison: Comparison = "gte"
    matches: Series | None = None
    least_matches: int = 1
    steps: int = 1
    consecutive: int | None = None
    shared_address: SharedAddress | None = None
    share: Share | None = None
    outlier: Outlier | None = None
    raised: Raised | None = None
    tiers: tuple[Tier, ...] = field(default=(), repr=False)

    @property
    def signature(self) -> str:
        """A hash of all that decides what it finds, the rules that it refers to among it."""
        counted = [series.signature for series in self.every_series()]
        told = (self.written, counted, [tier.signature for tier in self.tiers])
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    @property
    def panes(self) -> Panes:
        """The panes that this rule's window is cut into."""
        return Panes.of(self.window)

    @property
    def on_open_panes(self) -> bool:
        """Whether no further event can undo a violation, so that it counts at once."""
        undoable = self.shared_address or self.share or self.outlier or self.consecutive
        return not undoable and self.measure != "average" and self.comparison in {"gte", "gt"}

    @property
    def counts_clients(self) -> bool:
        """Whether its findings are about an attack by many clients."""
        return self.series.members

    @property
    def least(self) -> int:
        """The least that the series must hold for the limit to be reached.

        Matches, distinct values where they are kept, or the sum of what is summed: an average
        that great needs such a sum.
        """
        if self.comparison in {"lte", "lt", "eq", "neq"}:
            return 1
        if self.consecutive is not None:
            return self.consecutive + 1
        return self.threshold + (self.comparison == "gt")

    def every_series(self) -> Iterable[Series]:
        """Yield all that must be counted for this rule, its own series first."""
        yield self.series
        if self.matches is not None:
            yield self.matches
        if self.share is not None:
            yield self.share.of
        if self.outlier is not None:
            yield from (self.outlier.everything, self.outlier.peers)
        if self.raised is not None:
            yield self.raised.series

    def times(self, entity: str) -> int:
        """Return by how much the limit is multiplied for an entity."""
        return max(
            (tier.times for tier in self.tiers if tier.holds(self.entity_type, entity)), default=1
        )
