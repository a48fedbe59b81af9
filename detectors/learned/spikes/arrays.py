"""Named arrays over rows that grow together: what is kept of each series.

The first axis are rows (entities), the last are kinds (what is counted of them).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: Rows and kinds of some series.
Cells = tuple[Ints, Ints]


class Field(NamedTuple):
    """An array: its type, its axes between rows and kinds by their names, and what it begins as."""

    dtype: type
    axes: tuple[str, ...] = ()
    first: float = 0


class Arrays:
    """Arrays by name. Subclasses name theirs in FIELDS; `sizes` are the lengths of their axes."""

    FIELDS: ClassVar[Mapping[str, Field]]

    def __init__(self, kinds: int, sizes: Mapping[str, int]) -> None:
        self._kinds, self._sizes = kinds, sizes
        for name in self.FIELDS:
            setattr(self, name, self._begun(name, 0))

    def _begun(self, name: str, rows: int) -> npt.NDArray[Any]:
        field = self.FIELDS[name]
        between = (self._sizes[axis] for axis in field.axes)
        return np.full((rows, *between, self._kinds), field.first, field.dtype)

    def grow(self, rows: int) -> None:
        """Make room for so many rows."""
        for name in self.FIELDS:
            old = getattr(self, name)
            more = self._begun(name, rows - len(old))
            setattr(self, name, np.concatenate([old, more]))

    def clear(self, row: int, kinds: Sequence[int]) -> None:
        """Begin anew with some series of a row."""
        for name, field in self.FIELDS.items():
            getattr(self, name)[row][..., kinds] = field.first

    def weaken(self, series: Bools, part: float) -> None:
        """Leave a part of the weight of what some series, (rows, kinds), have learned."""
        rows, kinds = np.nonzero(series)
        for _, array in self.each():
            array[rows, ..., kinds] *= part

    def each(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield the arrays, by their names."""
        for name in self.FIELDS:
            yield name, getattr(self, name)
