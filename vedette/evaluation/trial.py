"""Puts batches through the detectors, keeps the incidents, holds both against the truth."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.aggregate import Complete
from detectors.detection import Detection, Summed
from detectors.findings import Finding, merge_runs
from detectors.gathering import gathered
from ingest.events import Batch
from ingest.times import moment
from vedette.evaluation.episodes import Episode
from vedette.evaluation.matching import Alarm, Matched, match
from vedette.prefetch import Prefetch

if TYPE_CHECKING:
    from alerts.incidents.views import IncidentView
    from alerts.storage.store import Store

#: Findings that wait in memory at most before they are stored.
_PENDING: Final = 5_000


class Trial:
    """One run of all detectors over batches, in order.

    Findings are to be the final ones, so the detection is not prompt: they wait until their panes
    are closed, which changes only when they are told here, not what they say of the time at which
    they could be known.
    """

    def __init__(self, detection: Detection, episodes: Sequence[Episode]) -> None:
        self.episodes = tuple(episodes)
        self.events = 0
        self.findings: list[Finding] = []
        self._detection = detection
        self._first: int | None = None
        self._newest: int | None = None

    @property
    def days(self) -> float:
        """Days of event time from the first event to the newest."""
        if self._first is None or self._newest is None:
            return 0.0
        return (self._newest - self._first) / 86_400e6

    @property
    def oldest(self) -> datetime | None:
        """The oldest event time so far."""
        return None if self._first is None else moment(self._first)

    @property
    def newest(self) -> datetime | None:
        """The newest event time so far."""
        return None if self._newest is None else moment(self._newest)

    def aggregate(self, batch: Batch, complete: Complete | None = None) -> tuple[Batch, Summed]:
        """Do the heavy half of a batch; a thread may do it ahead of time."""
        return batch, self._detection.aggregate(batch, complete)

    def judge(self, batch: Batch, summed: Summed) -> list[Finding]:
        """Do the light half; return the findings that are final now."""
        self._see(batch.events)
        return self._kept(self._detection.judge(summed, batch.watermark))

    def finish(self) -> list[Finding]:
        """Say that the input has ended; return the findings that are final by that."""
        return self._kept(self._detection.finish())

    def _see(self, events: pl.DataFrame) -> None:
        self.events += events.height
        if events.is_empty():
            return
        times = events["effective_time"].to_physical().to_numpy()
        first, last = int(times.min()), int(times.max())
        self._first = first if self._first is None else min(first, self._first)
        self._newest = last if self._newest is None else max(last, self._newest)

    def _kept(self, found: list[Finding]) -> list[Finding]:
        """Remember findings, without evidence."""
        if found:
            bare = [replace(finding, evidence=()) for finding in found]
            self.findings = merge_runs(self.findings, bare)
        return found


@dataclass(frozen=True, slots=True)
class Book:
    """Where a trial's incidents are kept: an empty store, and how to list what is in it."""

    store: "Store"
    listed: "Callable[[], Sequence[IncidentView]]"


def run_trial(
    trial: Trial,
    batches: Iterable[Batch],
    book: Book,
    on_batch: Callable[[], None] = lambda: None,
) -> Matched:
    """Put all batches through the detectors, store incidents, hold them against the episodes.

    Incidents are those that `vedette scan` would have found. The heavy half works ahead in a
    thread.
    """
    pending: list[Finding] = []
    sums = (trial.aggregate(each.batch, each.complete) for each in gathered(batches))
    with Prefetch(sums, 1) as ahead:
        for batch, summed in ahead:
            pending = merge_runs(pending, trial.judge(batch, summed))
            if len(pending) >= _PENDING:
                book.store.record(pending, watermark=None)
                pending = []
            on_batch()
    book.store.record(merge_runs(pending, trial.finish()), watermark=trial.newest)
    if trial.newest is not None:
        book.store.calm_down(trial.newest)
    alarms = _alarms(book.listed(), trial.findings)
    return match(trial.episodes, alarms, trial.findings, trial.days)


def _alarms(incidents: "Iterable[IncidentView]", findings: Iterable[Finding]) -> Iterator[Alarm]:
    theirs: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        theirs.setdefault((finding.entity_type, finding.entity), []).append(finding)
    for incident in incidents:
        entity = incident.entity_type, incident.entity
        windows = [
            finding.window
            for finding in theirs.get(entity, ())
            if finding.first <= incident.last_at and finding.last >= incident.started_at
        ]
        yield Alarm(
            entity=entity,
            detectors=incident.detectors,
            started_at=incident.started_at,
            last_at=incident.last_at,
            window=max(windows, default=timedelta(0)),
            members=frozenset(incident.members),
            child=incident.parent_id is not None,
        )
