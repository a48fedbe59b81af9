"""Files in, findings out, once: the reader works beside the detectors, findings are stored."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.catalogue import Catalogue
from detectors.findings import Finding, merge_runs
from detectors.gathering import gathered
from detectors.health import SourceHealth
from detectors.kernel import Aggregated, RuleKernel
from ingest.events import Batch
from ingest.reader import LogReader
from ingest.times import moment
from vedette.prefetch import Prefetch

if TYPE_CHECKING:
    from alerts.store import Store

#: Findings that wait in memory at most before they are stored.
PENDING_LIMIT: Final = 5_000

#: Batches after which panes are closed: to judge the panes of several costs hardly more than to
#: judge those of one. The findings of a scan are the same, however it is cut.
CLOSE_EVERY: Final = 4


def at(watermark: int | None) -> datetime | None:
    """Return a watermark (us since 1970) as a time."""
    return None if watermark is None else moment(watermark)


def scan(
    reader: LogReader,
    catalogue: Catalogue,
    open_store: "Callable[[], Store]",
    on_batch: Callable[[], None] = lambda: None,
    health: SourceHealth | None = None,
    *,
    batches: Iterable[Batch] | None = None,
) -> None:
    """Read everything, store every incident; `on_batch` is called as the work goes on.

    `health` watches the sources, as the settings want it; by default as it does without settings.
    `batches` are those of the reader, where they are read ahead already.

    The heavy half works ahead in a thread, beside the light one, and from the first moment on:
    the store is opened while the first lines are read.
    """
    watch = health or SourceHealth()
    kernel = RuleKernel(catalogue.under(watch.signature))
    watch.fingerprint = kernel.fingerprint
    sums = _summed(kernel, reader.batches() if batches is None else batches)
    with Prefetch(sums, 1) as ahead:
        store = open_store()
        pending: list[Finding] = []
        for number, (aggregated, watermark, readings) in enumerate(ahead, start=1):
            found = kernel.judge(aggregated, None if number % CLOSE_EVERY else watermark)
            pending = _joined(pending, found + watch.judge(readings))
            if len(pending) >= PENDING_LIMIT:
                store.record(pending, watermark=None)
                pending = []
            on_batch()
    newest = at(reader.newest)
    store.record(
        _joined(pending, kernel.finish() + watch.finish()),
        watermark=newest,
        quarantine=reader.tally.quarantine.changed(),
    )
    if newest is not None:
        store.calm_down(newest)


def _summed(
    kernel: RuleKernel, batches: Iterable[Batch]
) -> Iterator[tuple[Aggregated, int | None, pl.DataFrame]]:
    """Do the heavy half: yields it with each batch's watermark and readings.

    A batch is let go of before the next one is read: it is the most there is in memory.
    """
    for each in gathered(batches):
        aggregated = kernel.aggregate(each.batch.events, each.complete)
        watermark, readings = each.batch.watermark, each.batch.readings
        del each
        yield aggregated, watermark, readings
        del aggregated


def _joined(pending: list[Finding], found: list[Finding]) -> list[Finding]:
    return merge_runs(pending, found) if found else pending
