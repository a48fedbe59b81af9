"""Which events of a batch each part accepts."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from detectors.arrays import Rows
from detectors.decoded import with_decoded
from detectors.series import Part


class Selections:
    """Works out the parts of a catalogue over batches, each once."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(dict.fromkeys(parts))

    def rows(self, events: pl.DataFrame) -> Mapping[Part, Rows]:
        """Return for each part the places (ascending) of the events (BATCH_SCHEMA) it accepts."""
        numbered = [part.expr.alias(str(number)) for number, part in enumerate(self._parts)]
        accepted = with_decoded(events).lazy().select(numbered).collect()
        return {
            part: np.flatnonzero(accepted[str(number)].to_numpy()).astype(np.uint32)
            for number, part in enumerate(self._parts)
        }
