"""Files in, findings out, once: the reader works beside the detectors, findings are stored."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from detectors.detection import Detection, Summed
from detectors.findings import Finding, merge_runs
from detectors.gathering import gathered
from ingest.events import Batch
from ingest.reader import LogReader
from ingest.times import moment
from vedette.prefetch import Prefetch

if TYPE_CHECKING:
    from alerts.storage.store import Store

#: Findings that wait in memory at most before they are stored.
PENDING_LIMIT: Final = 5_000

#: Minutes and hours of traffic that wait in memory at most before they are stored.
TRAFFIC_LIMIT: Final = 20_000

#: Batches after which panes are closed: to judge the panes of several costs hardly more than to
#: judge those of one. The findings of a scan are the same, however it is cut.
CLOSE_EVERY: Final = 4


def at(watermark: int | None) -> datetime | None:
    """Return a watermark (us since 1970) as a time."""
    return None if watermark is None else moment(watermark)


def scan(
    reader: LogReader,
    detection: Detection,
    open_store: "Callable[[], Store]",
    on_batch: Callable[[], None] = lambda: None,
    *,
    batches: Iterable[Batch] | None = None,
) -> None:
    """Read everything, store every incident; `on_batch` is called as the work goes on.

    `batches` are those of the reader, where they are read ahead already.

    The heavy half works ahead in a thread, beside the light one, and from the first moment on:
    the store is opened while the first lines are read.
    """
    sums = summed(detection, reader.batches() if batches is None else batches)
    with Prefetch(sums, 1) as ahead:
        store = open_store()
        pending: list[Finding] = []
        for number, each in enumerate(ahead, start=1):
            close = detection.crowded or not number % CLOSE_EVERY
            found = detection.judge(each, each.watermark if close else None)
            pending = _joined(pending, found)
            if len(pending) >= PENDING_LIMIT or detection.traffic.waiting >= TRAFFIC_LIMIT:
                store.record(pending, watermark=None, traffic=detection.traffic.take())
                pending = []
            on_batch()
    newest = at(reader.newest)
    pending = _joined(pending, detection.finish())
    store.record(
        pending,
        watermark=newest,
        quarantine=reader.tally.quarantine.changed(),
        endpoints=detection.endpoints(),
        traffic=detection.traffic.take(),
    )
    if newest is not None:
        store.calm_down(newest)


def summed(detection: Detection, batches: Iterable[Batch]) -> Iterator[Summed]:
    """Do the heavy half of batches.

    A batch is let go of before the next one is read: it is the most there is in memory.
    """
    for each in gathered(batches):
        sums = detection.aggregate(each.batch, each.complete)
        del each
        yield sums
        del sums


def _joined(pending: list[Finding], found: list[Finding]) -> list[Finding]:
    return merge_runs(pending, found) if found else pending
