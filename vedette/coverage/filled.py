"""Which columns of events a log really fills, and how many of its events have each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from detectors.needs import EDGE
from ingest.events import EVENT_SCHEMA, Batch

#: Columns that say where a line was, not what it says; and what is there only of requests that
#: nobody can read, of which a log may well have none.
_LEFT_OUT: Final = frozenset({"partition", "position", "request_raw"})


@dataclass(frozen=True, slots=True)
class Filled:
    """How many events there are, and how many of them have each column.

    EDGE counts as a column: events that are seen where clients arrive.
    """

    events: int
    counts: Mapping[str, int] = field(repr=False)

    @property
    def missing(self) -> frozenset[str]:
        """The columns that no event has."""
        return frozenset(name for name, count in self.counts.items() if not count)

    def share(self, column: str) -> float:
        """Return which part of the events has a column, from 0 to 1; 1 where that says nothing."""
        return self.counts.get(column, self.events) / self.events if self.events else 0.0


def filled_by(batches: Iterable[Batch], limit: int | None = None) -> Filled:
    """Count what the events of some batches have; stops after `limit` events or a few more."""
    names = [name for name in EVENT_SCHEMA if name not in _LEFT_OUT]
    counts, events = dict.fromkeys([*names, EDGE], 0), 0
    for batch in batches:
        events += batch.events.height
        row = batch.events.select(*(pl.col(name).count() for name in names), pl.col("edge").sum())
        for name, count in row.row(0, named=True).items():
            counts[EDGE if name == "edge" else name] += count
        if limit is not None and events >= limit:
            break
    return Filled(events, counts)
