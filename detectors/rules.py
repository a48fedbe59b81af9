"""A rule as compiled: what the kernel needs of it, and what people read about it."""

from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from detectors.findings import EntityType, Level, Mode
from detectors.panes import Panes


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """How a limit grows with the distinct user agents that an address shows in the window.

    Every `agents` distinct ones add one limit, up to `cap` limits: an office behind one address
    is many people. The limit never shrinks below the rule's own.
    """

    agents: int
    cap: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One detector of the rule kernel.

    `selection` is a Boolean expression without nulls over BATCH_SCHEMA. A match counts 1, or
    its `value` column where the rule counts distinct values. `entity` is the column watched;
    `group` are further columns by which counts are kept apart. `windowless` rules also take
    events whose time was moved by more than a minute.
    """

    name: str
    id: str
    title: str
    description: str
    level: Level
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    unit: str
    selection: pl.Expr = field(repr=False)
    entity_type: EntityType
    entity: str | None
    group: tuple[str, ...]
    value: str | None
    threshold: int
    window: timedelta
    windowless: bool
    shared_address: SharedAddress | None
    mode: Mode
    runbook: str | None
    signature: str

    @property
    def panes(self) -> Panes:
        """The panes that this rule's window is cut into."""
        return Panes.of(self.window)

    @property
    def on_open_panes(self) -> bool:
        """Whether no further event can undo a violation, so that it counts at once."""
        return self.shared_address is None

    @property
    def needs_values(self) -> bool:
        """Whether distinct values are kept: those it counts, or a shared address's agents."""
        return self.value is not None or self.shared_address is not None
