"""What rules count over a whole log, kept so that other limits can be held against it.

A rule runs with a low limit, and the panes that violate that are kept: few rows, and no event. Only
then is a limit compared with what was measured in a window; shares, outliers and raised levels do
not depend on it. So the panes that violate a higher limit are among these, with the same values,
and many limits cost hardly more than one.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from detectors.aggregate import MEMBER_SCHEMA
from detectors.catalogue import Catalogue
from detectors.evaluate import VIOLATION_SCHEMA, over_limit, violations
from detectors.findings import Finding
from detectors.kernel import Aggregated, RuleKernel
from detectors.members import memberships
from detectors.reported import reported
from detectors.rules import Rule
from detectors.table import KEY_CAP

#: Which clients an entity counted in a pane: MEMBER_SCHEMA of one series.
CLIENT_SCHEMA: Final = pl.Schema({name: MEMBER_SCHEMA[name] for name in ("key", "pane", "member")})

#: Measures whose limit is not a number to be tuned: all rules of a sequence must match.
_FIXED: Final = frozenset({"all_of", "in_order"})


class LimitTooLowError(ValueError):
    """A limit below the one that was counted with: the log has to be counted again."""


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """The panes of one rule that violate the limit `floor`, or all with matches if it is None.

    `panes` has VIOLATION_SCHEMA; `clients` (CLIENT_SCHEMA) are those that such panes counted, of
    rules that count clients.
    """

    floor: int | None
    panes: pl.DataFrame = field(repr=False)
    clients: pl.DataFrame = field(repr=False)

    def serves(self, rule: Rule) -> bool:
        """Whether the rule's limit can be judged."""
        return self.floor is None or rule.threshold >= self.floor


def shape_of(rule: Rule) -> str:
    """Return a hash of all that decides what is counted for a rule, and how it is judged.

    All but the limit and what people read: two rules of one shape differ in nothing else.
    """
    told = (
        [series.signature for series in rule.every_series()],
        rule.measure,
        rule.comparison,
        rule.window,
        rule.least_matches,
        rule.steps,
        rule.consecutive,
        rule.shared_address,
        None if rule.share is None else (rule.share.percent, rule.share.exceeds),
        None if rule.share is None else rule.share.over_all,
        None if rule.outlier is None else rule.outlier.factor,
        rule.raised is None,
        [tier.signature for tier in rule.tiers],
        rule.threshold if rule.measure in _FIXED else None,
        rule.entity_type,
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]


def with_limit(rule: Rule, limit: int) -> Rule:
    """Return the rule with another limit, as settings would have it.

    A sequence has none to be set, unless its first rule must match so often.
    """
    if rule.measure == "in_order":
        many = rule.consecutive is not None
        return replace(rule, threshold=limit, consecutive=limit) if many else rule
    return replace(rule, threshold=limit)


def lowered(rule: Rule, floor: int) -> Rule:
    """Return the rule as it is counted: under the name of its shape, with a limit that is lower.

    Where a limit is no lower bound, or none to be tuned, it is not `floor` but none, or its own.
    """
    named = replace(rule, name=shape_of(rule))
    if rule.measure in _FIXED:
        return named
    if rule.comparison not in {"gte", "gt"}:
        return replace(named, comparison="gte", threshold=0)
    return replace(named, threshold=min(floor, rule.threshold))


class CountingKernel(RuleKernel):
    """Counts what `lowered` rules count; findings are made of its counts later."""

    def __init__(self, rules: Iterable[Rule], *, key_cap: int = KEY_CAP) -> None:
        self._low = tuple(rules)
        super().__init__(Catalogue(self._low, ""), key_cap=key_cap, prompt=False)
        self._panes: dict[str, list[pl.DataFrame]] = {rule.name: [] for rule in self._low}
        self._clients: dict[str, list[pl.DataFrame]] = {rule.name: [] for rule in self._low}

    def counts(self) -> Mapping[str, RuleCounts]:
        """Return what was counted up to the last pane that is closed, by shape."""
        return {
            rule.name: RuleCounts(
                _floor(rule),
                _together(self._panes[rule.name], VIOLATION_SCHEMA),
                _together(self._clients[rule.name], CLIENT_SCHEMA).unique(),
            )
            for rule in self._low
        }

    def _judge_open(self, window: object, batch: Aggregated) -> list[Finding]:
        """Nothing is found, so there is no evidence to keep."""
        del window, batch
        return []

    def _violations(self, rule: Rule, suspects: pl.DataFrame, until: int) -> pl.DataFrame:
        over = suspects.filter(pl.col("bound") >= max(rule.least, 1))
        since = self._state.tables[rule.window].closed
        return violations(rule, over, self._state, since, until)

    def _findings(self, rule: Rule, violating: pl.DataFrame) -> list[Finding]:
        if not violating.is_empty():
            self._panes[rule.name].append(violating)
            if rule.counts_clients:
                stored = self._state.rows(rule.series, violating["key"].unique()).members
                self._clients[rule.name].append(stored.select(*CLIENT_SCHEMA))
        return []


def judged(rule: Rule, counts: RuleCounts, fingerprint: str = "") -> list[Finding]:
    """Return the final findings of a rule over what was counted: those of a scan, bar evidence.

    Raises LimitTooLowError for a limit that is lower than what was counted with.
    """
    if not counts.serves(rule):
        raise LimitTooLowError(
            f"{rule.name}: a limit of {rule.threshold} cannot be judged by counts that begin at"
            f" {counts.floor}"
        )
    violating = over_limit(rule, counts.panes)
    if violating.is_empty():
        return []
    members = memberships(violating, counts.clients, rule.panes) if rule.counts_clients else []
    return reported(rule, violating, members, {}, fingerprint)


def _floor(rule: Rule) -> int | None:
    return None if rule.threshold == 0 else rule.threshold


def _together(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)
