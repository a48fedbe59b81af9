"""The rule kernel: events in, findings out, for all rules at once.

Per batch: every part is worked out once, matches of all rules are summed into panes (the heavy
half), and the few entities that might violate are judged over their windows (the light half).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from detectors.aggregate import Complete, Matches, Sums, matches, spared, summed
from detectors.arrays import Arrays
from detectors.catalogue import Catalogue
from detectors.evaluate import violations
from detectors.exhibits import Exhibits
from detectors.findings import EVIDENCE_LIMIT, Finding
from detectors.members import Membership, memberships
from detectors.panes import Panes
from detectors.reported import reported
from detectors.rules import Rule
from detectors.selecting import Selections
from detectors.series import Series
from detectors.snapshot import Snapshot
from detectors.state import State
from detectors.table import END, KEY_CAP
from ingest.evidence import SHOWN

#: Evidence is kept from this share of a limit on, so that a finding can show how it began.
_NEAR: Final = 2

#: Entities of one rule that are kept evidence of although they do not violate yet, per batch.
_NEAR_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Aggregated:
    """A batch after the heavy half: what evidence shows of its events, matches, and sums."""

    events: pl.DataFrame
    matches: Mapping[Series, Matches]
    sums: Mapping[timedelta, Sums]


class RuleKernel:
    """Runs the rules of a catalogue over batches of events.

    Knows no clock and no I/O: findings depend on the events and watermarks alone, and the final
    ones not on how the stream was cut. `key_cap` bounds the state of all rules of one window.

    `prompt` says whether violations that no further event can undo are reported while their pane
    is open. Without it every finding waits until its pane is closed, and is final: more than
    `key_cap` keys at once can make the two differ.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        key_cap: int = KEY_CAP,
        prompt: bool = True,
    ) -> None:
        self._rules = catalogue.rules
        self.fingerprint = catalogue.fingerprint
        self._prompt = prompt
        self._key_cap = key_cap
        self._state = State(catalogue.rules, key_cap)
        self._selections = Selections(
            source.part for series in self._state.every_series() for source in series.sources
        )
        self._exhibits = Exhibits()

    @property
    def evicted(self) -> dict[str, int]:
        """How many keys each rule had to forget because of the cap."""
        counts = {rule.name: self._state.evicted(rule.series) for rule in self._rules}
        return {name: count for name, count in counts.items() if count}

    @property
    def crowded(self) -> bool:
        """Whether there may be more keys than the cap: to close panes would forget some."""
        return any(table.crowded for table in self._state.tables.values())

    def process(self, events: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Take in a batch (BATCH_SCHEMA) and the watermark after it (us; None: nothing closes).

        Returns the runs that are violating now; the same run may be returned again as it grows.
        """
        return self.judge(self.aggregate(events), watermark)

    def aggregate(self, events: pl.DataFrame, complete: Complete | None = None) -> Aggregated:
        """Do the heavy half of a batch. Touches no state: a thread may do it ahead of time.

        `complete` is the stretch of time of which there are no events but these. Of what lies
        well inside it, matches that are too few to reach a limit are not looked at further.
        """
        if events.is_empty():
            return Aggregated(events, {}, {})
        arrays = Arrays(events)
        accepted = self._selections.rows(events)
        found: dict[Series, Matches] = {}
        sums: dict[timedelta, Sums] = {}
        for window, numbers in self._state.numbers.items():
            mine = {
                number: (series, matched)
                for series, number in numbers.items()
                if (matched := matches(series, arrays, accepted)) is not None
            }
            if complete is not None:
                mine = self._without_few(mine, complete.inside(window), arrays)
            found.update(mine.values())
            if mine:
                sums[window] = summed(Panes.of(window), arrays, mine)
        return Aggregated(events.select(SHOWN), found, sums)

    def _without_few(
        self, mine: Mapping[int, tuple[Series, Matches]], inside: Complete, arrays: Arrays
    ) -> dict[int, tuple[Series, Matches]]:
        """Return the matches of a window without those that can be part of no violation.

        What is left out takes no room, and room decides what is forgotten. All windows that reach
        `inside` have their events in this batch: where it has no more matches than the cap allows
        keys, none of them can overflow, so nothing is forgotten for what is left out.
        """
        if sum(len(matched.row) for _, matched in mine.values()) > self._key_cap:
            return dict(mine)
        left: dict[int, tuple[Series, Matches]] = {}
        for number, (series, matched) in mine.items():
            least = self._state.sparing.get(series, 0)
            kept = spared(matched, least, inside, arrays) if least > 1 else matched
            if kept is not None:
                left[number] = (series, kept)
        return left

    def judge(self, batch: Aggregated, watermark: int | None) -> list[Finding]:
        """Do the light half: add the batch's sums to the state, judge, and close panes."""
        found: list[Finding] = []
        for window, sums in batch.sums.items():
            table = self._state.tables[window]
            table.add(sums)
            if table.crowded:  # what is about to be forgotten must not be told before
                table.unsettled = table.newest
            found += self._judge_open(window, batch)
        if watermark is not None:
            found += self._close(watermark)
        return found

    def finish(self) -> list[Finding]:
        """Close all panes: the input has ended. Returns the runs found by that."""
        return self._close(None)

    def _near(self, window: timedelta) -> list[Rule]:
        """Return the rules of a window of which some key may be near the limit."""
        bounds = self._state.tables[window].bounds() * _NEAR
        rules = (rule for rule in self._rules if rule.window == window)
        return [rule for rule in rules if bounds[self._state.number(rule.series)] >= rule.least]

    def _suspects(self, rule: Rule, *, newest: bool) -> pl.DataFrame:
        """Return the keys that may have half of a rule's limit: SUSPECT_SCHEMA.

        Of those in the batch (`newest`), or of all that had matches in open panes.
        """
        table = self._state.tables[rule.window]
        least = -(-rule.least // _NEAR)
        return table.suspects(self._state.number(rule.series), least, newest=newest)

    def _judge_open(self, window: timedelta, batch: Aggregated) -> list[Finding]:
        """Judge what may be judged at once, and keep evidence of what is near the limit."""
        table = self._state.tables[window]
        found: list[Finding] = []
        for rule in self._near(window):
            if rule.series not in batch.matches:
                continue
            suspects = self._suspects(rule, newest=True)
            if suspects.is_empty():
                continue
            violating: Sequence[int] = ()
            if self._prompt and rule.on_open_panes and not table.crowded:
                violated = self._violations(rule, suspects, END)
                violating = violated["key"].unique(maintain_order=True).to_list()
            nearest = suspects.top_k(_NEAR_LIMIT, by=["bound", "key"])["key"]
            self._keep_evidence(rule, [*violating, *nearest], suspects, batch)
            found += self._findings(rule, violated) if violating else ()
        return found

    def _violations(self, rule: Rule, suspects: pl.DataFrame, until: int) -> pl.DataFrame:
        """Return the violating panes from the first open one up to a time (us)."""
        over = suspects.filter(pl.col("bound") >= rule.least)
        since = self._state.tables[rule.window].closed
        return violations(rule, over, self._state, since, until)

    def _keep_evidence(
        self, rule: Rule, keys: Sequence[int], names: pl.DataFrame, batch: Aggregated
    ) -> None:
        """Keep the first events of the entities that have little evidence so far."""
        entity_of = dict(names.select("key", "entity").iter_rows())
        room = set(self._exhibits.wanting(rule.name, (entity_of[key] for key in keys)))
        wanted = {key: entity_of[key] for key in keys if entity_of[key] in room}
        if not wanted:
            return
        matched = batch.matches[rule.series]
        mask = np.isin(matched.key, np.array(list(wanted), np.uint64))
        rows = pl.DataFrame({"row": matched.row[mask], "key": matched.key[mask]}).sort("row")
        named = pl.col("key").replace_strict(wanted, return_dtype=pl.String()).alias("entity")
        first = rows.select("row", named).filter(
            pl.int_range(pl.len()).over("entity") < EVIDENCE_LIMIT
        )
        shown = batch.events[first["row"]]
        self._exhibits.keep(rule.name, shown.with_columns(first["entity"]))

    def _close(self, watermark: int | None) -> list[Finding]:
        found: list[Finding] = []
        for window, table in self._state.tables.items():
            until = END if watermark is None else table.panes.start(watermark)
            if until <= table.closed:
                continue
            while (end := table.overflow(until)) is not None:
                found += self._settle(window, end, every=True)
                table.evict()
            every = not self._prompt or table.unsettled >= table.closed
            found += self._settle(window, until, every=every)
        return found

    def _settle(self, window: timedelta, until: int, *, every: bool) -> list[Finding]:
        """Close panes up to a time and judge them: of every rule, or of those that must wait."""
        table = self._state.tables[window]
        found: list[Finding] = []
        for rule in self._near(window):
            if every or not rule.on_open_panes:
                suspects = self._suspects(rule, newest=False)
                found += self._findings(rule, self._violations(rule, suspects, until))
        table.closed = until
        table.forget()
        return found

    def _members(self, rule: Rule, violating: pl.DataFrame) -> list[Membership]:
        """Return which clients each violating entity counted in its violating windows."""
        if not rule.counts_clients:
            return []
        stored = self._state.rows(rule.series, violating["key"].unique()).members
        return memberships(violating, stored, rule.panes)

    def _findings(self, rule: Rule, violating: pl.DataFrame) -> list[Finding]:
        if violating.is_empty():
            return []
        evidence = self._exhibits.of(rule.name, violating["entity"].unique(maintain_order=True))
        return reported(rule, violating, self._members(rule, violating), evidence, self.fingerprint)

    def snapshot(self) -> Snapshot:
        """Return the state, from which `restore` goes on as if nothing had happened."""
        return Snapshot(self.fingerprint, self._state.snapshot())

    def restore(self, snapshot: Snapshot) -> list[str]:
        """Take over a snapshot's state; returns the rules that begin anew.

        A rule begins anew if something it counts was not counted, or not so, at the snapshot.
        """
        anew = self._state.restore(snapshot.windows)
        return [rule.name for rule in self._rules if anew.intersection(rule.every_series())]
