"""Files in, findings out, once: the reader works beside the detectors, findings are stored."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from alerts.store import Store
from detectors.catalogue import Catalogue
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from ingest.events import Batch
from ingest.reader import LogReader
from vedette.prefetch import prefetch

#: Findings that wait in memory at most before they are stored.
PENDING_LIMIT: Final = 5_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def at(watermark: int | None) -> datetime | None:
    """Return a watermark (us since 1970) as a time."""
    return None if watermark is None else _EPOCH + timedelta(microseconds=watermark)


def findings(batches: Iterator[Batch], kernel: RuleKernel) -> Iterator[list[Finding]]:
    """Yield, batch by batch, what is found; last what the end of the input closes.

    The heavy half works ahead in a thread, beside the light one.
    """
    ahead = prefetch(((kernel.aggregate(batch.events), batch.watermark) for batch in batches), 1)
    for aggregated, watermark in ahead:
        yield kernel.judge(aggregated, watermark)
    yield kernel.finish()


def scan(
    reader: LogReader,
    catalogue: Catalogue,
    store: Store,
    on_batch: Callable[[], None] = lambda: None,
) -> None:
    """Read everything, store every incident; `on_batch` is called as the work goes on."""
    pending: list[Finding] = []
    for found in findings(reader.batches(), RuleKernel(catalogue)):
        pending = merge_runs(pending, found) if found else pending
        if len(pending) >= PENDING_LIMIT:
            store.record(pending, watermark=None)
            pending = []
        on_batch()
    store.record(pending, watermark=at(reader.newest))
