"""The state of all rules: a table for each window, and the numbers of the series in it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from detectors.aggregate import Sums
from detectors.arrays import Bools, Ints
from detectors.panes import Panes
from detectors.rules import Rule
from detectors.series import Series
from detectors.snapshot import WindowState
from detectors.table import END, Table

_MICROSECOND = timedelta(microseconds=1)


class State:
    """What the rules have counted. Rules that count the same share a series."""

    def __init__(self, rules: Sequence[Rule], key_cap: int) -> None:
        self._rules = rules
        self.numbers: dict[timedelta, dict[Series, int]] = {}
        for rule in rules:
            for series in rule.every_series():
                mine = self.numbers.setdefault(series.window, {})
                mine.setdefault(series, len(mine))
        self.sparing = _sparing(rules)
        self.tables = {
            window: _table(window, numbers, rules, key_cap)
            for window, numbers in self.numbers.items()
        }

    def every_series(self) -> Iterable[Series]:
        """Yield every series once."""
        for numbers in self.numbers.values():
            yield from numbers

    def number(self, series: Series) -> int:
        """Return the number of a series within its window."""
        return self.numbers[series.window][series]

    def rows(self, series: Series, keys: pl.Series | None) -> Sums:
        """Return what is stored of a series: of some keys, or of all (None)."""
        number = self.number(series)
        return self.tables[series.window].rows(number, keys)

    def evicted(self, series: Series) -> int:
        """How many keys of a series had to leave because of the cap."""
        return self.tables[series.window].evicted.get(self.number(series), 0)

    def snapshot(self) -> dict[int, WindowState]:
        """Return all of it as plain data, by window (us)."""
        return {
            window // _MICROSECOND: WindowState(
                closed=table.closed,
                unsettled=table.unsettled,
                series={n: series.signature for series, n in self.numbers[window].items()},
                evicted=dict(table.evicted),
                segments=tuple(segment.sums for segment in table.segments),
            )
            for window, table in self.tables.items()
        }

    def restore(self, windows: dict[int, WindowState]) -> set[Series]:
        """Take over what a snapshot has; returns the series that begin anew.

        All that a rule compares begins anew together, or a part would be held against nothing.
        """
        anew = self._unknown(windows)
        for window, numbers in self.numbers.items():
            stored = windows.get(window // _MICROSECOND)
            if stored is None:
                continue
            old = {signature: number for number, signature in stored.series.items()}
            known = {
                old[series.signature]: number
                for series, number in numbers.items()
                if series not in anew
            }
            table = self.tables[window]
            table.closed, table.unsettled = stored.closed, stored.unsettled
            table.take_up([_renumbered(sums, known) for sums in stored.segments])
            table.evicted = {known[n]: c for n, c in stored.evicted.items() if n in known}
        return anew

    def _unknown(self, windows: dict[int, WindowState]) -> set[Series]:
        """Return the series that are not in a snapshot, and those compared with such ones."""
        anew: set[Series] = set()
        for window, numbers in self.numbers.items():
            stored = windows.get(window // _MICROSECOND)
            there = set(stored.series.values()) if stored else set()
            anew.update(series for series in numbers if series.signature not in there)
        groups = [frozenset(rule.every_series()) for rule in self._rules]
        while more := {s for group in groups if group & anew for s in group} - anew:
            anew |= more
        return anew


def _sparing(rules: Sequence[Rule]) -> dict[Series, int]:
    """Return the series of which fewer matches than so many in a window tell nothing."""
    least: dict[Series, int] = {}
    compared: set[Series] = set()
    for rule in rules:
        first, *others = rule.every_series()
        compared.update(others)
        counts = rule.measure in {"count", "distinct", "neighbours"}
        own = rule.least if counts and first.weight is None else 0
        least[first] = min(own, least.get(first, own))
    return {series: n for series, n in least.items() if series not in compared}


def _table(
    window: timedelta, numbers: dict[Series, int], rules: Sequence[Rule], key_cap: int
) -> Table:
    """Return the table of a window.

    What is only compared with has the limit of its rule, so that both leave together.
    """
    limits: Ints = np.full(len(numbers), END, np.int64)
    for rule in rules:
        for series in rule.every_series():
            if series.window == window:
                number = numbers[series]
                limits[number] = min(limits[number], rule.least)
    distinct: Bools = np.array([series.judged_by_values for series in numbers], np.bool_)
    return Table(Panes.of(window), limits, distinct, key_cap=key_cap)


def _renumbered(sums: Sums, known: dict[int, int]) -> Sums:
    """Return the rows of the known series, under their new numbers."""
    there = pl.col("series").is_in(list(known))
    renamed = pl.col("series").replace_strict(known, return_dtype=pl.UInt16())
    panes, values, members, keys = (
        frame.filter(there).with_columns(renamed)
        for frame in (sums.panes, sums.values, sums.members, sums.keys)
    )
    return Sums(panes, values, members, keys)
