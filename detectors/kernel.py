"""The rule kernel: events in, findings out, for all rules at once.

Per batch: one pass works out every rule's selection, matches are summed into panes (the heavy
half), and the few entities that might violate are judged over their windows (the light half).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from detectors.aggregate import KEY, PANE_SCHEMA, VALUE_SCHEMA, matches, panes, values
from detectors.catalogue import Catalogue
from detectors.evaluate import RUN_SCHEMA
from detectors.exhibits import BATCH_LIMIT, Exhibits
from detectors.findings import EVIDENCE_LIMIT, Finding
from detectors.rules import Rule
from detectors.snapshot import Snapshot
from detectors.table import ENTITY_CAP, Table
from ingest.events import EVENT_SCHEMA

#: Evidence is kept from this share of a limit on, so that a finding can show how it began.
_EVIDENCE_SHARE: Final = 0.5

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RuleKernel:
    """Runs the rules of a catalogue over batches of events.

    Knows no clock and no I/O: findings depend on the events and watermarks alone, and the final
    ones not on how the stream was cut. `entity_cap` bounds the state of every rule.
    """

    def __init__(self, catalogue: Catalogue, *, entity_cap: int = ENTITY_CAP) -> None:
        self._catalogue = catalogue
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
        found = self._add(events) if not events.is_empty() else []
        if watermark is not None:
            found += self._close(watermark)
        return found

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended. Returns the runs found by that."""
        return self._close(None)

    def _add(self, events: pl.DataFrame) -> list[Finding]:
        marked, matching = self._mark(events)
        summed = self._aggregate(marked, matching)
        found: list[Finding] = []
        for rule, (new_panes, new_values) in zip(matching, summed, strict=True):
            if new_panes.is_empty():
                continue
            table = self._tables[rule.name]
            table.add(new_panes, new_values)
            if rule.on_open_panes:
                totals = table.totals(new_panes.select(*KEY).unique())
                runs = table.open_runs(totals)
            else:  # judged when panes close; until then what is new tells who comes near
                totals = new_panes.group_by(*KEY).agg(pl.col("count").sum())
                runs = pl.DataFrame(schema=RUN_SCHEMA)
            self._keep_evidence(rule, [*runs["entity"], *self._near(rule, totals)], marked)
            found += self._findings(rule, runs)
        return found

    def _mark(self, events: pl.DataFrame) -> tuple[pl.DataFrame, list[Rule]]:
        """Add a Boolean column per rule, and return the rules that match anything."""
        rules = self._catalogue.rules
        marks = events.lazy().select(_counted(r).alias(_mark_name(r)) for r in rules).collect()
        counts = marks.sum().row(0, named=True)
        matching = [rule for rule in rules if counts[_mark_name(rule)]]
        used = marks.select(_mark_name(rule) for rule in matching)
        return events.hstack(used), matching

    def _aggregate(
        self, marked: pl.DataFrame, rules: Sequence[Rule]
    ) -> list[tuple[pl.DataFrame, pl.DataFrame | None]]:
        """Sum each rule's matches into panes and, where it counts them, values."""
        plans: list[pl.LazyFrame] = []
        for rule in rules:
            found = matches(rule, marked.lazy().filter(pl.col(_mark_name(rule))))
            plans.append(panes(found))
            if rule.needs_values:
                plans.append(values(found))
        frames = iter(pl.collect_all(plans))
        return [(next(frames), next(frames) if rule.needs_values else None) for rule in rules]

    @staticmethod
    def _near(rule: Rule, totals: pl.DataFrame) -> list[str]:
        """Return the entities that come near the limit, the nearest first."""
        near = totals.filter(pl.col("count") >= rule.threshold * _EVIDENCE_SHARE)
        ordered = near.sort("count", "entity", descending=[True, False])
        return ordered["entity"].head(BATCH_LIMIT).to_list()

    def _keep_evidence(self, rule: Rule, entities: list[str], marked: pl.DataFrame) -> None:
        """Keep the first events of the entities that have little evidence so far."""
        wanting = self._exhibits.wanting(rule.name, entities)
        if not wanting:
            return
        entity = pl.lit("all") if rule.entity is None else pl.col(rule.entity)
        rows = (
            marked.lazy()
            .filter(pl.col(_mark_name(rule)) & entity.is_in(wanting))
            .select(*EVENT_SCHEMA, entity.alias("entity"))
            .filter(pl.int_range(pl.len()).over("entity") < EVIDENCE_LIMIT)
            .collect()
        )
        self._exhibits.keep(rule.name, rows)

    def _close(self, watermark: int | None) -> list[Finding]:
        return [
            finding
            for table in self._tables.values()
            for finding in self._findings(table.rule, table.close(watermark))
        ]

    def _findings(self, rule: Rule, runs: pl.DataFrame) -> list[Finding]:
        if runs.is_empty():
            return []
        evidence = self._exhibits.of(rule.name, runs["entity"].unique().to_list())
        return [
            Finding(
                detector=rule.name,
                entity_type=rule.entity_type,
                entity=entity,
                first=_EPOCH + timedelta(microseconds=first),
                last=_EPOCH + timedelta(microseconds=last),
                value=value,
                threshold=limit,
                unit=rule.unit,
                window=rule.window,
                level=rule.level,
                mode=rule.mode,
                tags=rule.tags,
                fingerprint=self._catalogue.fingerprint,
                evidence=evidence.get(entity, ()),
            )
            for entity, first, last, value, limit in runs.iter_rows()
        ]

    def snapshot(self) -> Snapshot:
        """Return the state, from which `restore` goes on as if nothing had happened."""
        tables = self._tables.values()
        rows = [(pl.lit(table.rule.name).alias("rule"), *table.rows()) for table in tables]
        return Snapshot(
            fingerprint=self._catalogue.fingerprint,
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


def _mark_name(rule: Rule) -> str:
    return f"_rule_{rule.name}"
