"""The last panes of each series: as many as the longest window has."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Field, Ints
from detectors.learned.spikes.tails import Floats


class Rings(Arrays):
    """Panes by their place in the ring; `odd` are those that were out of the ordinary.

    `excess` is how far p-values were in the tail (`extremes`), by window and side.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "counted": Field(float, ("reach",)),
        "out_of": Field(float, ("reach",)),
        "expected": Field(float, ("reach",)),
        "odd": Field(bool, ("reach",)),
        "excess": Field(float, ("reach", "windows", "sides")),
    }
    counted: Floats
    out_of: Floats
    expected: Floats
    odd: Bools
    excess: Floats

    def put(self, slot: int, counted: Floats, out_of: Floats, expected: Floats) -> None:
        """Put a pane in the place of the oldest."""
        self.counted[:, slot] = counted
        self.out_of[:, slot] = out_of
        self.expected[:, slot] = expected
        self.odd[:, slot] = False

    def sums(self, slot: int, windows: Sequence[int]) -> tuple[Floats, Floats]:
        """Return what was counted and expected in the windows that end in a place."""
        places = [self.places(slot, panes) for panes in windows]
        counted = [self.counted[:, each].sum(axis=1) for each in places]
        expected = [self.expected[:, each].sum(axis=1) for each in places]
        return np.stack(counted, axis=1), np.stack(expected, axis=1)

    def places(self, slot: int, panes: int) -> Ints:
        """Return the places of the panes of a window that ends in a place."""
        found: Ints = (slot - np.arange(panes)) % self._sizes["reach"]
        return found
