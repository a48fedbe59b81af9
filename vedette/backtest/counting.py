"""Batches in, counts out: the pass over a log that has to be made only once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from detectors.counts import CountingKernel, RuleCounts
from detectors.findings import Finding, merge_runs
from detectors.gathering import Gathered
from detectors.kernel import Aggregated
from detectors.learned.families import Families, LearnedSums
from detectors.rules import Rule
from vedette.prefetch import Prefetch

#: Batches after which panes are closed, as in a scan.
_CLOSE_EVERY = 4

#: Keys that are kept of one window: low limits spare fewer than those of a scan do.
KEY_CAP = 4_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be counted: rules by shape, with low limits, and families that learn by name."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    families: Mapping[str, Families] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether all is known already."""
        return not self.rules and not self.families


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted by shape, what families found by their signature, what was forgotten."""

    counts: Mapping[str, RuleCounts]
    learned: Mapping[str, list[Finding]]
    evicted: Mapping[str, int]


def count(
    batches: Iterable[Gathered],
    wanted: Wanted,
    on_batch: Callable[[], None] = lambda: None,
) -> Counted:
    """Count what is wanted over all batches; the heavy half works ahead in a thread."""
    kernel = CountingKernel(wanted.rules.values(), key_cap=KEY_CAP)
    families = wanted.families
    learned: dict[str, list[Finding]] = {signature: [] for signature in families}

    def summed() -> Iterator[tuple[Aggregated, dict[str, LearnedSums], int | None]]:
        for each in batches:
            events: pl.DataFrame = each.batch.events
            sums = {name: family.aggregate(events) for name, family in families.items()}
            yield kernel.aggregate(events, each.complete), sums, each.batch.watermark
            del events

    with Prefetch(summed(), 1) as ahead:
        for number, (rules, sums, watermark) in enumerate(ahead, start=1):
            close = None if number % _CLOSE_EVERY and not kernel.crowded else watermark
            kernel.judge(rules, close)
            for name, family in families.items():
                learned[name] = _joined(learned[name], family.judge(sums[name], close))
            on_batch()
    kernel.finish()
    for name, family in families.items():
        learned[name] = _joined(learned[name], family.finish())
    return Counted(kernel.counts(), learned, kernel.evicted)


def _joined(stored: list[Finding], found: list[Finding]) -> list[Finding]:
    return merge_runs(stored, found) if found else stored
