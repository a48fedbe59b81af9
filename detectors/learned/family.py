"""What all families of learned detectors have in common: two halves, a state, and what is known."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

import polars as pl

from detectors.detector import Detector
from detectors.findings import EntityType, Finding


class Learning(NamedTuple):
    """How far a detector has learned about one entity.

    `days` of the `of_days` that it needs are learned, from `since` on; `series` is how many
    things it keeps apart there. It finds nothing before `days` has reached `of_days`.
    """

    detector: str
    entity_type: EntityType
    entity: str
    since: datetime | None
    days: int
    of_days: int
    series: int


class Family(Protocol):
    """Learned detectors that share what they count.

    Final findings depend on the events and watermarks alone, not on how the stream was cut or in
    which order its partitions came within their lateness. What is scored is scored before it is
    learned, and learned only from closed panes, in their order. Memory is bounded by caps, and
    what is forgotten is forgotten in a total order, when a watermark closes a pane.

    `name` is the key of its state. `detectors` are those that are switched on, as the settings
    want them.
    """

    @property
    def name(self) -> str:
        """The key of its state, the same in every version."""
        ...

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """The detectors that are switched on, by name, as the settings want them."""
        ...

    @property
    def evicted(self) -> int:
        """How many things were forgotten because there were too many."""
        ...

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Do the heavy half: sum a batch (BATCH_SCHEMA) up, in the family's own schema.

        Touches no state: a thread may do it ahead of time. The sums of two batches add up:
        integers, first and last times, hashes, no floats.
        """
        ...

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Do the light half: add sums, close the panes before the watermark (us), score, learn.

        Returns runs that violate, as they are now: the same run may be returned again, grown.
        Their `fingerprint` is left to the caller.
        """
        ...

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended."""
        ...

    def status(self) -> list[Learning]:
        """Say how far is learned, of each entity that is watched."""
        ...

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state, open panes included, as plain frames by the name of the part.

        A part that has not changed since the last call is the same object: it is then not
        written again. So what changes seldom is a part apart from what changes often.
        """
        ...

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state, from which it goes on as if nothing had happened.

        Returns the names of the detectors that begin anew: for a state of another version, of
        other parameters, or of none.
        """
        ...
