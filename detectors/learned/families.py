"""All families of learned detectors as one: what the rule kernel is for rules."""

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from detectors.findings import Finding
from detectors.learned.family import Family, Learning

#: Sums of a batch, by family.
LearnedSums = Mapping[str, pl.DataFrame]

#: State of families: plain frames by part, by family.
LearnedState = Mapping[str, Mapping[str, pl.DataFrame]]

_NOTHING: Final[Mapping[str, pl.DataFrame]] = {}


class Families:
    """Runs families of learned detectors over batches of events. No clock, no I/O.

    `signature` tells all in the settings that decides their findings.
    """

    def __init__(self, families: Iterable[Family] = (), signature: str = "") -> None:
        self.by_name: Mapping[str, Family] = {family.name: family for family in families}
        self.signature = signature

    @property
    def detectors(self) -> list[str]:
        """The names of all detectors that are switched on."""
        return [name for family in self.by_name.values() for name in family.detectors]

    @property
    def evicted(self) -> dict[str, int]:
        """How many things each family forgot because there were too many, by its name."""
        return {name: family.evicted for name, family in self.by_name.items()}

    def aggregate(self, events: pl.DataFrame) -> LearnedSums:
        """Do the heavy half of a batch (BATCH_SCHEMA). Touches no state."""
        return {name: family.aggregate(events) for name, family in self.by_name.items()}

    def judge(self, sums: LearnedSums, watermark: int | None) -> list[Finding]:
        """Do the light half: add sums, close the panes before the watermark (us), score, learn."""
        return [
            found
            for name, family in self.by_name.items()
            for found in family.judge(sums[name], watermark)
        ]

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended."""
        return [found for family in self.by_name.values() for found in family.finish()]

    def status(self) -> list[Learning]:
        """Say how far each detector has learned, in the families' order."""
        return [row for family in self.by_name.values() for row in family.status()]

    def snapshot(self) -> LearnedState:
        """Return the state; a part that has not changed is the same object as before."""
        return {name: family.snapshot() for name, family in self.by_name.items()}

    def restore(self, state: LearnedState) -> list[str]:
        """Take over a state; returns the detectors that begin anew.

        That of families that are not here is passed over.
        """
        return [
            detector
            for name, family in self.by_name.items()
            for detector in family.restore(state.get(name, _NOTHING))
        ]
