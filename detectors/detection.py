"""All detectors as one: rules, the health of the sources, what is learned; and the traffic.

Two halves, as each of them has: `aggregate` is heavy and touches no state, `judge` adds to the
state what it returned, and closes panes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from detectors.aggregate import Complete
from detectors.catalogue import Catalogue
from detectors.findings import Finding
from detectors.health import SourceHealth
from detectors.kernel import Aggregated, RuleKernel
from detectors.learned.families import Families, LearnedSums
from detectors.learned.inventory import EndpointDay, Inventory
from detectors.overrides import RuleOverride
from detectors.snapshot import Snapshot
from detectors.traffic import Traffic
from detectors.traffic.sums import TrafficSums
from ingest.events import Batch

#: The name of the sources' state among that of detectors that are no rules.
_HEALTH: Final = "health"


@dataclass(frozen=True, slots=True)
class Summed:
    """A batch after the heavy half: what rules, learned detectors and traffic sum, and readings."""

    rules: Aggregated
    learned: LearnedSums
    traffic: list[TrafficSums]
    readings: pl.DataFrame
    watermark: int | None


class Detection:
    """Runs every detector over batches of events.

    Knows no clock and no I/O: findings depend on the events, readings and watermarks alone, and
    the final ones not on how the stream was cut. With `prompt` rules report at once what no
    further event can undo (`detectors.kernel`).

    `overrides` are the settings of the detectors that watch sources; those of others are passed
    over. `learned` are the families that learn; by default there are none. Raises
    DetectorSettingsError.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        overrides: Mapping[str, RuleOverride] | None = None,
        learned: Families | None = None,
        *,
        prompt: bool = True,
    ) -> None:
        self.learned = learned or Families()
        self.health = SourceHealth(overrides)
        self.traffic = Traffic()
        self.catalogue = catalogue
        self._kernel = RuleKernel(catalogue, prompt=prompt)
        self.fingerprint = ""
        self.under("")

    def under(self, conditions: str) -> None:
        """Say what else decides findings from now on, such as geo data: their fingerprint tells."""
        decided = f"{conditions};{self.health.signature};{self.learned.signature}"
        self.fingerprint = self.catalogue.under(decided).fingerprint
        self._kernel.fingerprint = self.health.fingerprint = self.fingerprint

    @property
    def evicted(self) -> dict[str, int]:
        """How many keys each rule had to forget because of the cap."""
        return self._kernel.evicted

    @property
    def crowded(self) -> bool:
        """Whether rules may have more keys than their cap: to close panes would forget some."""
        return self._kernel.crowded

    def process(self, batch: Batch) -> list[Finding]:
        """Take in a batch, and judge all that its watermark closes."""
        summed = self.aggregate(batch)
        return self.judge(summed, summed.watermark)

    def aggregate(self, batch: Batch, complete: Complete | None = None) -> Summed:
        """Do the heavy half of a batch. Touches no state: a thread may do it ahead of time.

        `complete` is the stretch of time of which there are no events but these.
        """
        return Summed(
            self._kernel.aggregate(batch.events, complete),
            self.learned.aggregate(batch.events),
            self.traffic.aggregate(batch.events),
            batch.readings,
            batch.watermark,
        )

    def judge(self, summed: Summed, watermark: int | None) -> list[Finding]:
        """Do the light half, and close panes up to a watermark (us; None: nothing closes).

        Returns the runs that violate now; the same run may be returned again as it grows.
        """
        self.traffic.add(summed.traffic, watermark)
        found = self._kernel.judge(summed.rules, watermark)
        found += self.health.judge(summed.readings)
        return found + self._signed(self.learned.judge(summed.learned, watermark))

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended. Returns the runs found by that."""
        self.traffic.finish()
        found = self._kernel.finish() + self.health.finish()
        return found + self._signed(self.learned.finish())

    def endpoints(self) -> list[EndpointDay]:
        """Return what changed of endpoints since the last call; to be stored with the state.

        To be called just before `snapshot`, as both belong to one transaction.
        """
        families = self.learned.by_name.values()
        return [row for each in families if isinstance(each, Inventory) for row in each.endpoints()]

    def snapshot(self) -> Snapshot:
        """Return the state, from which `restore` goes on as if nothing had happened."""
        return replace(
            self._kernel.snapshot(),
            others={_HEALTH: self.health.snapshot()},
            learned={**self.learned.snapshot(), self.traffic.name: self.traffic.snapshot()},
        )

    def restore(self, snapshot: Snapshot) -> list[str]:
        """Take over a snapshot's state; returns the detectors that begin anew."""
        anew = self._kernel.restore(snapshot)
        anew += self.health.restore(snapshot.others.get(_HEALTH, {}))
        self.traffic.restore(snapshot.learned.get(self.traffic.name, {}))
        return anew + self.learned.restore(snapshot.learned)

    def _signed(self, findings: list[Finding]) -> list[Finding]:
        return [replace(finding, fingerprint=self.fingerprint) for finding in findings]
