"""Which events of a batch each part accepts."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Final

import numpy as np
import polars as pl

from detectors.arrays import Rows
from detectors.screening import SHORTEST, Screen, Screens, Signs, either, needs
from detectors.series import Part
from detectors.texts import Facts, Texts

#: Texts that more events than this share of a batch have are not worth looking for.
_COMMON: Final = 50


class Selections:
    """Works out the parts of a catalogue over batches, each once.

    A part that looks for texts is tried only on the few events that have one of them; one that
    looks for patterns with short texts, on the events that have such a text. Others are tried
    everywhere, what they ask of paths and queries once for each distinct one. Which way is taken
    changes how long it takes, nothing else.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        known = dict.fromkeys(parts)
        self._pairs = tuple(part for part in known if part.both is not None)
        single = [part for part in known if part.both is None]
        single += [part for pair in self._pairs for part in pair.both or ()]
        self._parts = tuple(dict.fromkeys(single))
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
        everywhere = [n for n in range(len(self._parts)) if n not in sought]
        self._facts = Facts()
        self._everywhere = {n: _by_facts(self._parts[n], self._facts) for n in everywhere}

    def rows(self, events: pl.DataFrame) -> Mapping[Part, Rows]:
        """Return for each part the places (ascending) of the events (BATCH_SCHEMA) it accepts."""
        texts = Texts(events)
        decoded = events.hstack(texts.decoded())
        told = decoded.hstack(self._facts.of(texts))
        found = _accepted(told, self._everywhere) | self._with_texts(decoded, texts)
        nothing = np.zeros(0, np.uint32)
        rows = {part: found.get(number, nothing) for number, part in enumerate(self._parts)}
        for pair in self._pairs:
            one, other = (rows[part] for part in pair.both or ())
            rows[pair] = np.intersect1d(one, other, assume_unique=True)
        return rows

    def _with_texts(self, events: pl.DataFrame, texts: Texts) -> dict[int, Rows]:
        """Return what the parts accept that look for texts."""
        some = self._texts.candidates(events, texts)
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
        some_sign = _accepted(few, {number: signs.there for number, signs in self._signs.items()})
        for number, rows in some_sign.items():
            found |= self._among(few, pl.Series(rows), [number])
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


def _by_facts(part: Part, facts: Facts) -> pl.Expr:
    """Return what a part accepts, over events with the facts."""
    if not part.conditions:
        return part.expr
    accepts = reduce(pl.Expr.or_, [facts.compiled(each) for each in part.conditions])
    return accepts if part.also is None else accepts & part.also
