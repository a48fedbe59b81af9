"""What the rules have counted for one entity, pane by pane, and what they make of it.

The sums are those that the kernel adds up, kept for one entity; whether a window violates is asked
of the function that the kernel asks. Only the numbers beside the verdict are worked out here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import polars as pl

from detectors.aggregate import Sums
from detectors.evaluate import violations
from detectors.fields import ENTITY_TYPES
from detectors.findings import EntityType
from detectors.rules import Comparison, Rule
from detectors.series import Series
from detectors.snapshot import Snapshot
from detectors.state import State
from detectors.table import END

#: Two comparisons of which one holds always.
_ALWAYS: Final[tuple[Comparison, ...]] = ("gte", "lt")


@dataclass(frozen=True, slots=True)
class Counter:
    """What one rule counted for an entity over the window that ends with a pane.

    `since` and `until` bound the window (us since 1970). `over` is the engine's verdict: whether
    that window violates. `limit` is the rule's own, grown for shared addresses and tiers. `why`
    says what else would have to be, where the value reaches the limit and it does not violate;
    `notes` what made the limit or the level what they are. `peak` is the greatest value of all
    windows that are known, in the one that ends with the pane that starts at `peak_at`. Without
    any match `value` is 0 and the times are those of the time asked for.
    """

    rule: Rule
    value: int
    limit: int
    since: int
    until: int
    over: bool
    why: str = ""
    notes: tuple[str, ...] = ()
    peak: int = 0
    peak_at: int | None = None


class Probe:
    """Keeps what is counted for one entity by the rules that watch its type.

    `rules` are all those of the kernel whose sums are added, in its order. With a `time` (us) what
    others did is kept only where it can be compared with what the entity did then.
    """

    def __init__(
        self, rules: Sequence[Rule], kind: EntityType, entity: str, time: int | None = None
    ) -> None:
        self.rules = tuple(rule for rule in rules if rule.entity_type == kind)
        self.entity = entity
        self._time = time
        self._state = State(rules, END)
        self._own: dict[timedelta, list[int]] = {}
        self._whole: dict[timedelta, list[int]] = {}
        compared = {series for rule in self.rules for series in _compared(rule)}
        for window, numbers in self._state.numbers.items():
            self._own[window] = [n for s, n in numbers.items() if _watches(s, kind)]
            self._whole[window] = [n for s, n in numbers.items() if s in compared]

    def add(self, sums: Mapping[timedelta, Sums]) -> None:
        """Take in what a batch adds to each window (`kernel.Aggregated.sums`)."""
        for window, every in sums.items():
            if window in self._state.tables:
                self._state.tables[window].add(self._kept(window, every))

    def _kept(self, window: timedelta, sums: Sums) -> Sums:
        """Return the rows of the entity, and those of what it is compared with."""
        series, entity = pl.col("series"), pl.col("entity")
        whole = series.is_in(self._whole[window])
        mine = sums.keys.filter((series.is_in(self._own[window]) & entity.eq(self.entity)) | whole)
        keys = mine.select("series", "key").unique()
        frames = (frame.join(keys, on=["series", "key"], how="semi") for frame in sums.frames())
        if self._time is None:
            return Sums(*frames)
        panes = self._state.tables[window].panes
        since, until = self._time - 2 * panes.span, self._time + panes.length
        near = pl.col("pane").is_between(since, until) | series.is_in(self._own[window])
        some, values, members, named = frames
        return Sums(some.filter(near), values.filter(near), members.filter(near), named)

    def counters(self, time: int) -> list[Counter]:
        """Return what each rule that watches the entity's type counted at a time (us).

        Judged is the pane that holds the time; if nothing matched in it, the last one before it
        of which the window still holds it.
        """
        return [self._counter(rule, time) for rule in self.rules]

    def restore(self, snapshot: Snapshot) -> list[str]:
        """Take over what a kernel has stored; returns the rules that it tells nothing about."""
        anew = self._state.restore(snapshot.windows)
        return [rule.name for rule in self.rules if anew.intersection(rule.every_series())]

    def verdicts(self, rule: Rule) -> pl.DataFrame:
        """Return every violating pane of the entity: VIOLATION_SCHEMA."""
        return violations(rule, self._suspects(rule), self._state, -END, END)

    def _suspects(self, rule: Rule) -> pl.DataFrame:
        number = self._state.number(rule.series)
        table = self._state.tables[rule.window]
        frames = [segment.of_series(number).keys for segment in table.segments]
        if not frames:
            return pl.DataFrame(
                schema={
                    "key": pl.UInt64(),
                    "entity": pl.String(),
                    "group": pl.UInt64(),
                    "bound": pl.Int64(),
                }
            )
        return (
            pl.concat(frames)
            .filter(pl.col("entity") == self.entity)
            .unique("key", keep="first", maintain_order=True)
            .select("key", "entity", "group", pl.lit(END, pl.Int64).alias("bound"))
            .sort("key")
        )

    def _counter(self, rule: Rule, time: int) -> Counter:
        panes = rule.panes
        end = panes.start(time) + panes.length
        suspects = self._suspects(rule)
        every = _measured(rule, suspects, self._state)
        in_window = every.filter(pl.col("pane") < end, pl.col("pane") >= end - panes.span)
        if in_window.is_empty():
            there = self._partly(rule, suspects, end)
            return _with_peak(there, every)
        last = in_window.filter(pl.col("pane") == pl.col("pane").max())
        row = last.sort("value", "key", descending=[True, False]).row(0, named=True)
        pane = int(row["pane"])
        judged = violations(rule, suspects, self._state, pane, pane + panes.length)
        over = not judged.is_empty()
        if over:
            row = judged.sort("value", "key", descending=[True, False]).row(0, named=True)
        own = suspects.filter(pl.col("key") == row["key"])
        counter = Counter(
            rule=rule,
            value=int(row["value"]),
            limit=int(row["limit"]),
            since=pane + panes.length - panes.span,
            until=pane + panes.length,
            over=over,
            notes=tuple(self._notes(rule, row, suspects.height)),
        )
        if not over and _reaches(rule, counter.value, counter.limit):
            counter = replace(counter, why=self._missing(rule, own, pane, counter.value))
        return _with_peak(counter, every)

    def _partly(self, rule: Rule, suspects: pl.DataFrame, end: int) -> Counter:
        """Return how far a sequence came, of which the last step is still missing; else nothing."""
        since = end - rule.panes.span
        none = Counter(rule, 0, rule.threshold, since, end, over=False)
        if rule.measure != "in_order" or suspects.is_empty():
            return none
        stored = self._state.rows(rule.series, suspects["key"])
        inside = stored.panes.filter(pl.col("pane") < end, pl.col("pane") >= since)
        if inside.is_empty():
            return none
        matched = int(inside["count"].sum())
        first = rule.series.sources[0].part.name
        last = rule.series.sources[-1].part.name
        told = f"{matched} matches of {first} ... {last}, but not in that order or not all"
        return replace(none, why=told)

    def _notes(self, rule: Rule, row: Mapping[str, object], groups: int) -> Iterable[str]:
        own = rule.threshold
        limit = row["limit"]
        if rule.tiers and (tier := max(rule.tiers, key=lambda t: self._times(rule, t.name))):
            times = rule.times(self.entity)
            if times > 1:
                yield f"the limit is {times} times {own:,}, as the tier {tier.name} says"
        elif isinstance(limit, int) and limit > own:
            yield f"the limit is grown from {own:,}: several people share the address"
        if rule.raised is not None and row.get("raised"):
            yield f"a match of what raises the level to {rule.raised.level.label} is in it"
        if groups > 1:
            told = ", ".join(rule.series.sources[0].keys[1:])
            yield f"the highest of {groups} counts, one for each {told}"

    def _times(self, rule: Rule, name: str) -> int:
        holding = (t for t in rule.tiers if t.holds(rule.entity_type, self.entity))
        return max((tier.times for tier in holding if tier.name == name), default=0)

    def _missing(self, rule: Rule, own: pl.DataFrame, pane: int, value: int) -> str:
        """Return what else would have to be for a window at its limit to violate."""
        told: list[str] = []
        if rule.matches is not None:
            matched = self._sum(rule.matches, own["key"], rule, pane)
            if matched < rule.least_matches:
                told.append(f"an average of {matched} matches; it needs {rule.least_matches}")
        if rule.share is not None:
            told.append(self._share(rule, own, pane))
        if rule.outlier is not None:
            told.append(self._outlier(rule, own, pane, value))
        return "; ".join(told)

    def _share(self, rule: Rule, own: pl.DataFrame, pane: int) -> str:
        share = rule.share
        if share is None:
            return ""
        counts = self._appearances if share.of.judged_by_values else self._sum
        part = counts(rule.series, own["key"], rule, pane)
        whole = counts(share.of, None if share.over_all else own["key"], rule, pane)
        percent = 100 * part / whole if whole else 100.0
        return (
            f"{part:,} are {percent:.3g} % of {whole:,} {share.of.sources[0].part.name}; "
            f"it needs {'more than ' if share.exceeds else ''}{share.percent} %"
        )

    def _outlier(self, rule: Rule, own: pl.DataFrame, pane: int, value: int) -> str:
        outlier = rule.outlier
        if outlier is None:
            return ""
        group = own["group"]
        if rule.measure == "average":
            total = self._sum(rule.series, own["key"], rule, pane)
            count = self._sum(
                rule.series if rule.matches is None else rule.matches, own["key"], rule, pane
            )
            peers = self._sum(outlier.peers, group, rule, pane) - count
        else:
            total, peers = value, self._distinct(outlier.peers, group, rule, pane) - 1
        if peers <= 0:
            return "there is nobody to compare it with"
        several = rule.measure in {"distinct", "neighbours"}
        counts = self._distinct if several else self._sum
        rest = counts(outlier.everything, group, rule, pane) - total
        others = "answers of others" if rule.measure == "average" else "others"
        return (
            f"the {peers:,} {others} have {rest / peers:,.3g} on average; it needs"
            f" {outlier.factor} times that"
        )

    def _window(self, frame: pl.DataFrame, rule: Rule, pane: int) -> pl.DataFrame:
        return frame.filter(pl.col("pane") <= pane, pl.col("pane") > pane - rule.panes.span)

    def _sum(self, series: Series, keys: pl.Series | None, rule: Rule, pane: int) -> int:
        stored = self._state.rows(series, keys).panes
        return int(self._window(stored, rule, pane)["count"].sum())

    def _appearances(self, series: Series, keys: pl.Series | None, rule: Rule, pane: int) -> int:
        return self._window(self._state.rows(series, keys).values, rule, pane).height

    def _distinct(self, series: Series, keys: pl.Series | None, rule: Rule, pane: int) -> int:
        stored = self._state.rows(series, keys).values
        return self._window(stored, rule, pane)["value"].n_unique()


def _watches(series: Series, kind: EntityType) -> bool:
    if series.entity is None:
        return kind == "all"
    return ENTITY_TYPES.get(series.entity) == kind


def _compared(rule: Rule) -> Iterable[Series]:
    """Yield what a rule counts for others than its entity."""
    if rule.share is not None and rule.share.over_all:
        yield rule.share.of
    if rule.outlier is not None:
        yield from (rule.outlier.everything, rule.outlier.peers)


def _measured(rule: Rule, suspects: pl.DataFrame, state: State) -> pl.DataFrame:
    """Return value and limit of every pane with matches, whatever the limit (VIOLATION_SCHEMA).

    A limit is either reached or not, so two opposite comparisons have all panes between them. Of
    sequences only those that are complete are there.
    """
    bare = replace(rule, share=None, outlier=None, raised=None, least_matches=1)
    if rule.consecutive is not None:
        bare = replace(bare, consecutive=1)
    both = [
        violations(replace(bare, comparison=each), suspects, state, -END, END) for each in _ALWAYS
    ]
    return pl.concat(frame.cast({"value": pl.Int64(), "limit": pl.Int64()}) for frame in both)


def _reaches(rule: Rule, value: int, limit: int) -> bool:
    return {
        "gte": value >= limit,
        "gt": value > limit,
        "lte": value <= limit,
        "lt": value < limit,
        "eq": value == limit,
        "neq": value != limit,
    }[rule.comparison]


def _with_peak(counter: Counter, every: pl.DataFrame) -> Counter:
    if every.is_empty():
        return counter
    row = every.sort("value", "pane", descending=[True, False]).row(0, named=True)
    return replace(counter, peak=int(row["value"]), peak_at=int(row["pane"]))
