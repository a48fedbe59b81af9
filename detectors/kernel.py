"""The rule kernel: events in, findings out, for all rules at once.

Per batch: one pass works out every rule's selection, matches are summed into panes (the heavy
half), and the few entities that might violate are judged over their windows (the light half).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from detectors.aggregate import PANE_SCHEMA, VALUE_SCHEMA, matches, panes, values
from detectors.catalogue import Catalogue
from detectors.evaluate import RUN_SCHEMA
from detectors.exhibits import Exhibits
from detectors.findings import EVIDENCE_LIMIT, Finding
from detectors.rules import Rule
from detectors.snapshot import Snapshot
from detectors.table import ENTITY_CAP, Segment, Table
from ingest.evidence import SHOWN
from ingest.times import moment

#: Evidence is kept from this share of a limit on, so that a finding can show how it began.
_EVIDENCE_SHARE: Final = 0.5

#: Entities of one rule that are kept evidence of although they do not violate yet, per batch.
_NEAR_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class RuleSums:
    """What a batch gives one rule, and in `rows` the `entity` of each `row` that matched."""

    rule: Rule
    segment: Segment
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Aggregated:
    """A batch after the heavy half: its events (for evidence) and each rule's sums."""

    events: pl.DataFrame
    sums: tuple[RuleSums, ...]


class RuleKernel:
    """Runs the rules of a catalogue over batches of events.

    Knows no clock and no I/O: findings depend on the events and watermarks alone, and the final
    ones not on how the stream was cut. `entity_cap` bounds the state of every rule.
    """

    def __init__(self, catalogue: Catalogue, *, entity_cap: int = ENTITY_CAP) -> None:
        self._catalogue = catalogue
        self.fingerprint = catalogue.fingerprint
        self._tables = {rule.name: Table(rule, entity_cap=entity_cap) for rule in catalogue.rules}
        self._exhibits = Exhibits()

    @property
    def evicted(self) -> dict[str, int]:
        """How many entities each rule had to forget because of the cap."""
        return {name: table.evicted for name, table in self._tables.items() if table.evicted}

    def process(self, events: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Take in a batch (BATCH_SCHEMA) and the watermark after it (us; None: nothing closes).

        Returns the runs that are violating now; the same run may be returned again as it grows.
        """
        return self.judge(self.aggregate(events), watermark)

    def aggregate(self, events: pl.DataFrame) -> Aggregated:
        """Do the heavy half of a batch. Touches no state: a thread may do it ahead of time."""
        sums: list[RuleSums] = []
        for rule, accepted in self._accepted(events):
            matched = matches(rule, events, accepted)
            if matched.is_empty():
                continue
            summed = panes(matched)
            most = int(summed["count"].to_numpy().max())
            distinct = values(matched, most) if rule.needs_values else None
            segment = Segment.of(summed, distinct)
            sums.append(RuleSums(rule, segment, matched.select("entity", "row")))
        return Aggregated(events, tuple(sums))

    def judge(self, batch: Aggregated, watermark: int | None) -> list[Finding]:
        """Do the light half: add the batch's sums to the state, judge, and close panes."""
        found = [finding for sums in batch.sums for finding in self._add(sums, batch.events)]
        if watermark is not None:
            found += self._close(watermark)
        return found

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended. Returns the runs found by that."""
        return self._close(None)

    def _add(self, sums: RuleSums, events: pl.DataFrame) -> list[Finding]:
        """Add a rule's sums to its panes, and judge those that may be judged at once."""
        rule, table = sums.rule, self._tables[sums.rule.name]
        table.add(sums.segment)
        if table.bound < rule.threshold * _EVIDENCE_SHARE:
            return []
        totals = table.totals(sums.segment.sums)
        runs = pl.DataFrame(schema=RUN_SCHEMA)
        if rule.on_open_panes:
            runs = table.open_runs(totals)
        self._keep_evidence(rule, [*runs["entity"], *_near(rule, totals)], sums.rows, events)
        return self._findings(rule, runs)

    def _accepted(self, events: pl.DataFrame) -> Iterator[tuple[Rule, pl.Series]]:
        """Yield the rules that count anything in the batch, and which events (Boolean)."""
        rules = self._catalogue.rules if not events.is_empty() else ()
        accepted = events.lazy().select(_counted(r).alias(r.name) for r in rules).collect()
        for rule in rules:
            if accepted[rule.name].any():
                yield rule, accepted[rule.name]

    def _keep_evidence(
        self, rule: Rule, entities: list[str], rows: pl.DataFrame, events: pl.DataFrame
    ) -> None:
        """Keep the first events of the entities that have little evidence so far."""
        wanting = self._exhibits.wanting(rule.name, entities)
        if not wanting:
            return
        theirs = rows.filter(pl.col("entity").is_in(wanting))
        first = theirs.filter(pl.int_range(pl.len()).over("entity") < EVIDENCE_LIMIT)
        shown = events.select(SHOWN)[first["row"]]
        self._exhibits.keep(rule.name, shown.with_columns(first["entity"]))

    def _close(self, watermark: int | None) -> list[Finding]:
        return [
            finding
            for table in self._tables.values()
            for finding in self._findings(table.rule, table.close(watermark))
        ]

    def _findings(self, rule: Rule, runs: pl.DataFrame) -> list[Finding]:
        return [
            Finding(
                detector=rule.name,
                entity_type=rule.entity_type,
                entity=entity,
                first=moment(first),
                last=moment(last),
                value=value,
                threshold=limit,
                unit=rule.unit,
                window=rule.window,
                level=rule.level,
                mode=rule.mode,
                tags=rule.tags,
                fingerprint=self.fingerprint,
                evidence=self._exhibits.of(rule.name, entity),
            )
            for entity, first, last, value, limit in runs.iter_rows()
        ]

    def snapshot(self) -> Snapshot:
        """Return the state, from which `restore` goes on as if nothing had happened."""
        tables = self._tables.values()
        rows = [(pl.lit(table.rule.name).alias("rule"), *table.rows()) for table in tables]
        return Snapshot(
            fingerprint=self.fingerprint,
            closed={table.rule.name: table.closed for table in tables},
            signatures={table.rule.name: table.rule.signature for table in tables},
            evicted={table.rule.name: table.evicted for table in tables},
            panes=pl.concat([panes.select(name, *PANE_SCHEMA) for name, panes, _ in rows]),
            values=pl.concat([values.select(name, *VALUE_SCHEMA) for name, _, values in rows]),
        )

    def restore(self, snapshot: Snapshot) -> list[str]:
        """Take over a snapshot's state; returns the rules that begin anew.

        A rule that changed, or was not there, since the snapshot has no state in it.
        """
        anew: list[str] = []
        for name, table in self._tables.items():
            if snapshot.signatures.get(name) != table.rule.signature:
                anew.append(name)
                continue
            mine = pl.col("rule") == name
            table.replace(
                snapshot.panes.filter(mine).select(*PANE_SCHEMA),
                snapshot.values.filter(mine).select(*VALUE_SCHEMA),
            )
            table.closed = snapshot.closed[name]
            table.evicted = snapshot.evicted[name]
        return anew


def _counted(rule: Rule) -> pl.Expr:
    """Which events a rule counts: its selection, within what time and role allow.

    Clients are judged where they arrive, so that a request seen at the gateway and again in a
    service behind it counts once.
    """
    counted = rule.selection
    if not rule.windowless:
        counted = counted & pl.col("windowed")
    if rule.entity_type in {"client", "network"}:
        counted = counted & pl.col("edge")
    return counted


def _near(rule: Rule, totals: pl.DataFrame) -> list[str]:
    """Return the entities that come near the limit, the nearest first."""
    most = totals.top_k(_NEAR_LIMIT, by=["count", "entity"])
    return most.filter(pl.col("count") >= rule.threshold * _EVIDENCE_SHARE)["entity"].to_list()
