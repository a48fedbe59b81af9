"""What rules find, worked out slowly and by their definition, an event at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import polars as pl

from detectors.decoded import with_decoded
from detectors.fields import field
from detectors.rules import Comparison, Rule
from detectors.series import Series

from .streams import EPOCH, Claim, micros

Key = tuple[Any, ...]

_COMPARE: dict[Comparison, Callable[[int, int], bool]] = {
    "gte": lambda value, limit: value >= limit,
    "gt": lambda value, limit: value > limit,
    "lte": lambda value, limit: value <= limit,
    "lt": lambda value, limit: value < limit,
    "eq": lambda value, limit: value == limit,
    "neq": lambda value, limit: value != limit,
}


@dataclass(frozen=True)
class Match:
    """One match of a series."""

    key: Key
    group: Key
    entity: str
    pane: int
    time: int
    place: int
    weight: int
    value: Any
    row: dict[str, Any]


def matches_of(series: Series, events: pl.DataFrame, length: int) -> list[Match]:
    """Every match of a series, by the definition."""
    found: dict[tuple[int, Any], Match] = {}
    decoded = with_decoded(events)
    for place, source in enumerate(series.sources):
        accepted = decoded.select(source.part.expr.alias("accepted")).to_series().to_list()
        excepted = [False] * events.height
        for exception in series.exceptions:
            some = events.select(exception.expression().alias("some")).to_series().to_list()
            excepted = [a or b for a, b in zip(excepted, some, strict=True)]
        numbers = {
            name: events.select(field(name).expr.alias("n")).to_series().to_list()
            for name in {series.weight, *series.values} - {None}
            if name is not None
        }
        for index, row in enumerate(events.iter_rows(named=True)):
            if not accepted[index] or excepted[index]:
                continue
            if (not row["windowed"] and not series.windowless) or (series.edge and not row["edge"]):
                continue
            keys = tuple(row[name] for name in source.keys)
            if not series.watches_all and keys[0] is None:
                continue
            values = tuple(numbers[name][index] for name in series.values)
            if None in values and not series.values_optional:
                continue
            if series.kept in {"rule", "time"}:
                values = (place,)
            weight = 1 if series.weight is None else numbers[series.weight][index]
            if weight is None:
                continue
            time = micros(row["effective_time"])
            apart = place if series.kept in {"rule", "time"} else source.keys
            found[index, apart] = Match(
                key=keys,
                group=keys if series.watches_all else keys[1:],
                entity="all" if series.watches_all else str(keys[0]),
                pane=time // length * length,
                time=time,
                place=place,
                weight=weight,
                value=values[0] if len(values) == 1 else values,
                row=row,
            )
    return list(found.values())


class Window:
    """The matches of a series, of some key, in the window that ends with a pane."""

    def __init__(self, rule: Rule, events: pl.DataFrame) -> None:
        self._rule, self._events = rule, events
        self._matches: dict[Series, dict[Key | None, list[Match]]] = {}

    def __call__(self, series: Series, key: Key | None, pane: int) -> list[Match]:
        """Return them; every key for None."""
        if series not in self._matches:
            by_key: dict[Key | None, list[Match]] = defaultdict(list)
            for match in matches_of(series, self._events, self._rule.panes.length):
                by_key[match.key].append(match)
                by_key[None].append(match)
            self._matches[series] = by_key
        since = pane - self._rule.panes.span
        return [m for m in self._matches[series].get(key, ()) if since < m.pane <= pane]


def expected(rule: Rule, events: pl.DataFrame) -> list[Claim]:
    """The final claims of a rule over events."""
    window = Window(rule, events)
    every = matches_of(rule.series, events, rule.panes.length)
    spans: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for key, entity, group, pane in {(m.key, m.entity, m.group, m.pane) for m in every}:
        violation = _violation(rule, window, key, entity, group=group, pane=pane)
        if violation is not None:
            spans[entity].append(violation)
    return sorted(_claims(rule, spans), key=lambda claim: (claim[1], claim[0]))


def _violation(
    rule: Rule, window: Window, key: Key, entity: str, *, group: Key, pane: int
) -> tuple[int, int, int, int] | None:
    inside = window(rule.series, key, pane)
    if rule.measure == "in_order":
        return _sequence(rule, inside, pane)
    if rule.matches is not None and len(inside) < rule.least_matches:
        return None
    value = _value(rule, inside)
    limit = rule.threshold
    if rule.shared_address is not None:
        shared = rule.shared_address
        agents = len({match.value for match in inside})
        agents = min(max(agents, shared.agents), shared.agents * shared.cap)
        limit = rule.threshold * agents // shared.agents
    limit *= rule.times(entity)
    if not _COMPARE[rule.comparison](value, limit):
        return None
    if rule.share is not None:
        all_of = window(rule.share.of, None if rule.share.over_all else key, pane)
        whole, part = len(all_of), 100 * len(inside)
        if rule.share.of.judged_by_values:  # each value once a pane
            whole = len({(match.pane, match.value) for match in all_of})
            part = 100 * len({(match.pane, match.value) for match in inside})
        least = whole * rule.share.percent
        if part < least or (rule.share.exceeds and part == least):
            return None
    if rule.outlier is not None and not _stands_out(
        rule, window, value, inside, group=group, pane=pane
    ):
        return None
    first = min(match.time for match in inside)
    last = max(match.time for match in inside if match.pane == pane)
    return first, last, value, limit


def _value(rule: Rule, inside: list[Match]) -> int:
    values = {match.value for match in inside}
    if rule.measure in {"count", "sum"}:
        return sum(match.weight for match in inside)
    if rule.measure in {"distinct", "all_of"}:
        return len(values)
    if rule.measure == "neighbours":
        return len([value for value in values if value - 1 in values])
    return sum(match.weight for match in inside) // len(inside)


def _stands_out(
    rule: Rule, window: Window, value: int, inside: list[Match], *, group: Key, pane: int
) -> bool:
    outlier = rule.outlier
    assert outlier is not None
    everything = window(outlier.everything, group, pane)
    peers = window(outlier.peers, group, pane)
    if rule.measure == "average":
        others = len(peers) - len(inside)
        own = sum(match.weight for match in inside)
        rest = sum(match.weight for match in everything) - own
    else:
        others = len({match.value for match in peers}) - 1
        counted = (
            len({match.value for match in everything})
            if rule.measure in {"distinct", "neighbours"}
            else sum(match.weight for match in everything)
        )
        rest = counted - value
    return others > 0 and value * others >= rest * outlier.factor


def _sequence(rule: Rule, inside: list[Match], pane: int) -> tuple[int, int, int, int] | None:
    """The sequences that end in the pane: tried one after the other."""
    ordered = sorted(inside, key=lambda match: (match.time, match.place))
    found: list[tuple[int, int, int]] = []
    for index, end in enumerate(ordered):
        if end.pane != pane or end.place != rule.steps - 1:
            continue
        before = ordered[:index]
        if rule.consecutive is not None:
            row: list[Match] = []
            for match in reversed(before):
                if match.place == 1:
                    break
                row.append(match)
            if len(row) >= rule.consecutive:
                found.append((row[-1].time, end.time, len(row)))
            continue
        if _latest_begin(before, rule.steps - 1) is not None:
            begin = min(match.time for match in inside if match.place == 0)
            found.append((begin, end.time, rule.steps))
    if not found:
        return None
    value = max(value for _, _, value in found)
    return min(f for f, _, _ in found), max(end for _, end, _ in found), value, rule.threshold


def _latest_begin(before: list[Match], steps: int) -> int | None:
    begins: list[int | None] = [None] * steps
    for match in before:
        if match.place == 0:
            begins[0] = match.time
        elif match.place < steps and begins[match.place - 1] is not None:
            begins[match.place] = begins[match.place - 1]
    return begins[steps - 1]


def _claims(rule: Rule, spans: dict[str, list[tuple[int, int, int, int]]]) -> Iterable[Claim]:
    """Join spans whose gaps are no longer than the window."""
    gap = rule.window // timedelta(microseconds=1)
    for entity, found in spans.items():
        runs: list[tuple[int, int, int, int]] = []
        for first, last, value, limit in sorted(found):
            if not runs or first > runs[-1][1] + gap:
                runs.append((first, last, value, limit))
                continue
            begun, ended, greatest, beside = runs[-1]
            if (value, -limit) > (greatest, -beside):
                greatest, beside = value, limit
            runs[-1] = (begun, max(ended, last), greatest, beside)
        for first, last, value, limit in runs:
            begin, end = (EPOCH + timedelta(microseconds=time) for time in (first, last))
            yield (rule.name, rule.entity_type, entity), begin, end, value, limit


def sensitive(rule: Rule, divisor: int = 6) -> Rule:
    """The same rule with a limit that small streams reach."""
    least = max(2, rule.threshold // divisor)
    if rule.measure == "in_order" and rule.consecutive is None:
        return rule
    changed = replace(rule, threshold=min(rule.threshold, least))
    if rule.consecutive is not None:
        changed = replace(changed, consecutive=changed.threshold)
    return changed
