"""Batches joined to larger ones, where nobody waits for each: that spares the detectors work."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from detectors.aggregate import Complete
from ingest.events import Batch

#: Events that are detected in at once.
EVENTS: Final = 100_000

_BEGINNING: Final = -(2**61)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Batches as one, and the stretch of time of which these are all events."""

    batch: Batch
    complete: Complete | None


def gathered(batches: Iterable[Batch], events: int = EVENTS) -> Iterator[Gathered]:
    """Yield the batches in their order, joined so that each has so many events at least."""
    waiting: list[Batch] = []
    newest = _BEGINNING
    for batch in batches:
        waiting.append(batch)
        del batch
        if sum(each.events.height for each in waiting) >= events:
            joined = _joined(waiting, newest)
            newest = max(newest, _newest(joined.batch.events))
            waiting = []
            yield joined
            del joined  # not to be held while the next ones are read
    if waiting:
        yield _joined(waiting, newest)


def _joined(batches: list[Batch], newest: int) -> Gathered:
    # The end of input has neither events nor a watermark, and takes none back.
    watermark = next((b.watermark for b in reversed(batches) if not _ends(b)), None)
    if len(batches) > 1:
        events = pl.concat([batch.events for batch in batches], rechunk=True)
        readings = pl.concat([batch.readings for batch in batches])
        batches = [Batch(events, watermark, readings)]
    complete = None if watermark is None else Complete(newest, watermark)
    return Gathered(batches[0], complete)


def _ends(batch: Batch) -> bool:
    return batch.watermark is None and batch.events.is_empty()


def _newest(events: pl.DataFrame) -> int:
    if events.is_empty():
        return _BEGINNING
    return int(events["effective_time"].to_physical().to_numpy().max())
