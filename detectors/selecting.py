"""Which events of a batch each part accepts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from detectors.arrays import Rows
from detectors.decoded import with_decoded
from detectors.screening import SHORTEST, Screen, Screens, Signs, either, needs
from detectors.series import Part

#: Candidates are looked at by themselves where they are fewer than this share of a batch.
_FEW: Final = 2

#: Parts whose candidates are fewer than this share of a batch are tried on all of theirs at once.
_RARE: Final = 20


class Selections:
    """Works out the parts of a catalogue over batches, each once.

    A part that looks for texts is tried only on the few events that have one of them; one that
    looks for patterns with short texts, on the events that have any such text.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        known = dict.fromkeys(parts)
        self._pairs = tuple(part for part in known if part.both is not None)
        single = [part for part in known if part.both is None]
        single += [part for pair in self._pairs for part in pair.both or ()]
        self._parts = tuple(dict.fromkeys(single))
        every = range(len(self._parts))
        screens = {n: screen for n in every if (screen := self._screen(n, SHORTEST)) is not None}
        signs = {
            n: screen
            for n in every
            if n not in screens and (screen := self._screen(n, 1)) is not None
        }
        self._screens = Screens(screens.items())
        self._signs = Signs(signs.values())
        self._signed = {number: Signs([screen]) for number, screen in signs.items()}
        self._everywhere = [n for n in every if n not in screens and n not in signs]

    def _screen(self, number: int, shortest: int) -> Screen | None:
        return either(needs(each, shortest) for each in self._parts[number].conditions)

    def rows(self, events: pl.DataFrame) -> Mapping[Part, Rows]:
        """Return for each part the places (ascending) of the events (BATCH_SCHEMA) it accepts."""
        decoded = with_decoded(events)
        found = self._accepted(decoded, self._everywhere)
        found |= self._with_signs(decoded)
        candidates = self._screens.candidates(decoded)
        rare = {n: rows for n, rows in candidates.items() if len(rows) * _RARE < events.height}
        if rare:
            some = pl.concat(list(rare.values())).unique().sort()
            found |= self._among(decoded, some, list(rare))
        for number in candidates.keys() - rare.keys():
            found |= self._among(decoded, candidates[number], [number])
        nothing = np.zeros(0, np.uint32)
        rows = {part: found.get(number, nothing) for number, part in enumerate(self._parts)}
        for pair in self._pairs:
            one, other = (rows[part] for part in pair.both or ())
            rows[pair] = np.intersect1d(one, other, assume_unique=True)
        return rows

    def _with_signs(self, events: pl.DataFrame) -> dict[int, Rows]:
        """Return what the parts accept that look for short texts."""
        if not self._signed:
            return {}
        some = self._signs.candidates(events)
        few, places = events[some], some.to_numpy()
        found: dict[int, Rows] = {}
        for number, signs in self._signed.items():
            accepted = self._among(few, signs.candidates(few), [number])
            found |= {number: places[rows] for number, rows in accepted.items()}
        return found

    def _among(
        self, events: pl.DataFrame, candidates: pl.Series, numbers: Sequence[int]
    ) -> dict[int, Rows]:
        """Return what some parts accept, of which all is among the candidates (rows, in order)."""
        if len(candidates) * _FEW >= events.height:
            return self._accepted(events, numbers)
        if candidates.is_empty():
            return {}
        places = candidates.to_numpy()
        found = self._accepted(events[candidates], numbers)
        return {number: places[rows] for number, rows in found.items()}

    def _accepted(self, events: pl.DataFrame, numbers: Sequence[int]) -> dict[int, Rows]:
        expressions = [self._parts[number].expr.alias(str(number)) for number in numbers]
        accepted = events.lazy().select(expressions).collect()
        return {
            number: np.flatnonzero(accepted[str(number)].to_numpy()).astype(np.uint32)
            for number in numbers
        }
