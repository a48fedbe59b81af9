"""Which events of a batch each part accepts."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Final

import numpy as np
import polars as pl

from detectors.arrays import Rows
from detectors.conditions import compile_condition
from detectors.decoded import with_decoded
from detectors.screening import SHORTEST, Screen, Screens, Signs, either, needs, quick
from detectors.series import Part

#: Some events are looked at by themselves where they are fewer than this share of a batch.
_FEW: Final = 3

#: Texts that more events than this share of a batch have are not worth looking for.
_COMMON: Final = 50


class Selections:
    """Works out the parts of a catalogue over batches, each once.

    A part that looks for texts is tried only on the few events that have one of them; one that
    looks for patterns with short texts, on the events that have such a text. Others are tried on
    what passes their quick conditions. Which way is taken changes how long it takes, nothing else.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        known = dict.fromkeys(parts)
        self._pairs = tuple(part for part in known if part.both is not None)
        single = [part for part in known if part.both is None]
        single += [part for pair in self._pairs for part in pair.both or ()]
        self._parts = tuple(dict.fromkeys(single))
        self._quick = [_quick(part) for part in self._parts]
        long = {n: _screen(part, SHORTEST) for n, part in enumerate(self._parts)}
        short = {n: _screen(part, 1) for n, part in enumerate(self._parts) if long[n] is None}
        self._look_for(
            {n: screen for n, screen in long.items() if screen is not None},
            {n: screen for n, screen in short.items() if screen is not None},
        )

    def _look_for(self, screens: Mapping[int, Screen], signs: Mapping[int, Screen]) -> None:
        """Look for the texts of some parts, and try the others everywhere."""
        self._sought = screens, signs
        self._texts = Signs([*screens.values(), *signs.values()])
        self._screens = Screens(screens.items())
        self._signs = {number: Signs([screen]) for number, screen in signs.items()}
        sought = screens.keys() | signs.keys()
        self._everywhere = [n for n in range(len(self._parts)) if n not in sought]

    def rows(self, events: pl.DataFrame) -> Mapping[Part, Rows]:
        """Return for each part the places (ascending) of the events (BATCH_SCHEMA) it accepts."""
        decoded = with_decoded(events)
        found = self._tried_everywhere(decoded) | self._with_texts(decoded)
        nothing = np.zeros(0, np.uint32)
        rows = {part: found.get(number, nothing) for number, part in enumerate(self._parts)}
        for pair in self._pairs:
            one, other = (rows[part] for part in pair.both or ())
            rows[pair] = np.intersect1d(one, other, assume_unique=True)
        return rows

    def _tried_everywhere(self, events: pl.DataFrame) -> dict[int, Rows]:
        quick = {n: expr for n in self._everywhere if (expr := self._quick[n]) is not None}
        passing = _accepted(events, quick)
        few = {n: rows for n, rows in passing.items() if len(rows) * _FEW < events.height}
        found = self._accepted(events, [n for n in self._everywhere if n not in few])
        for number, rows in few.items():
            found |= self._among(events, pl.Series(rows), [number])
        return found

    def _with_texts(self, events: pl.DataFrame) -> dict[int, Rows]:
        """Return what the parts accept that look for texts."""
        some = self._texts.candidates(events)
        if some.is_empty():
            return {}
        few, places = events[some], some.to_numpy()
        candidates = self._screens.candidates(few)
        common = {n for n, rows in candidates.items() if len(rows) * _COMMON > events.height}
        rare = [n for n in candidates if n not in common]
        found = self._accepted(few, common)
        if rare:
            united = pl.concat([candidates[n] for n in rare]).unique().sort()
            found |= self._among(few, united, rare)
        for number, signs in self._signs.items():
            found |= self._among(few, signs.candidates(few), [number])
        if common:
            screens, signed = self._sought
            self._look_for({n: s for n, s in screens.items() if n not in common}, signed)
        return {number: places[rows] for number, rows in found.items()}

    def _among(
        self, events: pl.DataFrame, candidates: pl.Series, numbers: Sequence[int]
    ) -> dict[int, Rows]:
        """Return what some parts accept, of which all is among the candidates (rows, in order)."""
        if candidates.is_empty():
            return {}
        places = candidates.to_numpy()
        found = self._accepted(events[candidates], numbers)
        return {number: places[rows] for number, rows in found.items()}

    def _accepted(self, events: pl.DataFrame, numbers: Iterable[int]) -> dict[int, Rows]:
        return _accepted(events, {number: self._parts[number].expr for number in numbers})


def _accepted(events: pl.DataFrame, expressions: Mapping[int, pl.Expr]) -> dict[int, Rows]:
    named = [expression.alias(str(number)) for number, expression in expressions.items()]
    accepted = events.lazy().select(named).collect()
    return {n: accepted[str(n)].arg_true().to_numpy() for n in expressions}


def _screen(part: Part, shortest: int) -> Screen | None:
    return either(needs(each, shortest) for each in part.conditions)


def _quick(part: Part) -> pl.Expr | None:
    """Return what is quickly told of the events that a part accepts; None if nothing is."""
    if len(part.conditions) != 1:
        return None
    known = [compile_condition(node) for node in quick(part.conditions[0])]
    return reduce(pl.Expr.and_, known) if known else None
