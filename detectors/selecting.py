"""Which events of a batch each part accepts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from detectors.arrays import Rows
from detectors.decoded import with_decoded
from detectors.screening import Screens, either, needs
from detectors.series import Part

#: Candidates are looked at by themselves where they are fewer than this share of a batch.
_FEW: Final = 2


class Selections:
    """Works out the parts of a catalogue over batches, each once.

    A part that looks for texts is tried only on the few events that have one of them.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(dict.fromkeys(parts))
        screens = {
            number: screen
            for number, part in enumerate(self._parts)
            if (screen := either(needs(each) for each in part.conditions)) is not None
        }
        self._screens = Screens(screens.items())
        self._everywhere = [n for n in range(len(self._parts)) if n not in screens]

    def rows(self, events: pl.DataFrame) -> Mapping[Part, Rows]:
        """Return for each part the places (ascending) of the events (BATCH_SCHEMA) it accepts."""
        decoded = with_decoded(events)
        found = self._accepted(decoded, self._everywhere)
        candidates = self._screens.candidates(decoded)
        if candidates:
            every = pl.concat(list(candidates.values())).unique().sort()
            if len(every) * _FEW < events.height:
                some = self._accepted(decoded[every], list(candidates))
                places = every.to_numpy()
                found |= {number: places[rows] for number, rows in some.items()}
            else:
                found |= self._accepted(decoded, list(candidates))
        nothing = np.zeros(0, np.uint32)
        return {part: found.get(number, nothing) for number, part in enumerate(self._parts)}

    def _accepted(self, events: pl.DataFrame, numbers: Sequence[int]) -> dict[int, Rows]:
        expressions = [self._parts[number].expr.alias(str(number)) for number in numbers]
        accepted = events.lazy().select(expressions).collect()
        return {
            number: np.flatnonzero(accepted[str(number)].to_numpy()).astype(np.uint32)
            for number in numbers
        }
