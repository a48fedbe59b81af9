"""Puts events through the detectors as the service would, and notes when it would have known.

Findings do not depend on how a stream is cut, so it is cut finely where an attack is going on
and not yet found, and coarsely elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.catalogue import Catalogue
from detectors.findings import Finding, merge_runs
from detectors.kernel import RuleKernel
from ingest.events import Batch
from ingest.times import microseconds, moment
from vedette.evaluation.episodes import Episode
from vedette.evaluation.matching import Alarm, Detection, Matched, match, overlaps

if TYPE_CHECKING:
    from alerts.store import Store
    from alerts.views import IncidentView

#: An attack is looked at so many times while it lasts, within these bounds (us).
LOOKS: Final = 20
SHORTEST_STEP, LONGEST_STEP = 1_000_000, 60_000_000

#: And so long (s) after its last request, while panes close.
AFTERWARDS: Final = (1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300)

#: Findings that wait in memory at most before they are stored.
_PENDING: Final = 5_000

Times = npt.NDArray[np.int64]


class Trial:
    """One run of a catalogue over batches, in order, that keeps what was reported and when.

    `lateness` is that of the sources: how far the watermark stays behind the newest event.
    """

    def __init__(
        self, catalogue: Catalogue, episodes: Sequence[Episode], lateness: timedelta
    ) -> None:
        self.episodes = tuple(episodes)
        self._kernel = RuleKernel(catalogue)
        self._reports: dict[tuple[str, str, str], list[Detection]] = {}
        self._waiting = [(episode, _looks(episode)) for episode in episodes if episode.attack]
        self._lateness = lateness // timedelta(microseconds=1)
        self._newest: int | None = None
        self.first: int | None = None
        self.events = 0

    @property
    def days(self) -> float:
        """Days of event time from the first event to the newest."""
        if self.first is None or self._newest is None:
            return 0.0
        return (self._newest - self.first) / 86_400e6

    @property
    def newest(self) -> datetime | None:
        """The newest event time so far."""
        return None if self._newest is None else moment(self._newest)

    def take(self, batch: Batch) -> list[Finding]:
        """Put a batch through the detectors; return the runs found."""
        found: list[Finding] = []
        self.events += batch.events.height
        for events, newest, is_last in self._slices(batch.events):
            self._newest = newest
            watermark = batch.watermark
            if watermark is not None and not is_last:
                watermark = min(watermark, newest - self._lateness)
            found += self._noted(self._kernel.process(events, watermark))
        self._drop_found()
        return found

    def finish(self) -> list[Finding]:
        """Say that the input has ended; return the runs found by that."""
        return self._noted(self._kernel.finish())

    def detections(self) -> list[Detection]:
        """Return every finding as it is in the end, without evidence."""
        return [report for reports in self._reports.values() for report in reports]

    def _slices(self, events: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, int, bool]]:
        """Yield parts of a batch, the newest time after each, and whether it is the last."""
        if events.is_empty():
            if self._newest is not None:
                yield events, self._newest, True
            return
        times = events["effective_time"].to_physical().to_numpy()
        if self.first is None:
            self.first = int(times.min())
        newest = np.maximum.accumulate(np.maximum(times, self._newest or times[0]))
        cuts = [*self._cuts(newest), len(newest)]
        for first, last in zip([0, *cuts[:-1]], cuts, strict=True):
            yield events[first:last], int(newest[last - 1]), last == cuts[-1]

    def _cuts(self, newest: Times) -> list[int]:
        """Return the rows at which to cut, so that a look comes just after its time."""
        marks = [looks[(looks > newest[0]) & (looks < newest[-1])] for _, looks in self._waiting]
        if not marks:
            return []
        places = np.searchsorted(newest, np.unique(np.concatenate(marks)), side="right")
        return [int(place) for place in np.unique(places) if 0 < place < len(newest)]

    def _noted(self, runs: Iterable[Finding]) -> list[Finding]:
        """Remember runs with the time of the first report; return them."""
        found = list(runs)
        now = moment(self._newest or 0)
        for run in merge_runs([], found):
            bare = Detection(replace(run, evidence=()), now)
            known = self._reports.get(run.key, [])
            touched = [report for report in known if report.finding.touches(run)]
            apart = [report for report in known if not report.finding.touches(run)]
            self._reports[run.key] = [*apart, reduce(_joined, touched, bare)]
        return found

    def _drop_found(self) -> None:
        """Stop looking for what was found, and for what is long over."""
        newest = self._newest or 0
        by_entity: dict[tuple[str, str], list[Finding]] = {}
        for report in self.detections():
            if report.finding.mode == "alert":
                by_entity.setdefault(report.entity, []).append(report.finding)
        self._waiting = [
            (episode, looks)
            for episode, looks in self._waiting
            if looks[-1] > newest
            and not any(
                overlaps(episode, finding.first, finding.last, finding.window)
                for entity in episode.entities
                for finding in by_entity.get(entity, ())
            )
        ]


def _joined(one: Detection, other: Detection) -> Detection:
    earliest = min(one.reported_at, other.reported_at)
    return Detection(one.finding.absorb(other.finding), earliest)


def _looks(episode: Episode) -> Times:
    """Return the times (us) at which to look whether an attack is found yet."""
    first, last = microseconds(episode.started_at), microseconds(episode.ended_at)
    step = min(max((last - first) // LOOKS, SHORTEST_STEP), LONGEST_STEP)
    tail = last + np.asarray(AFTERWARDS, dtype=np.int64) * 1_000_000
    return np.concatenate([np.arange(first, last + 1, step, dtype=np.int64), tail])


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

    Incidents are those that `vedette scan` would have found.
    """
    pending: list[Finding] = []
    for batch in batches:
        pending = merge_runs(pending, trial.take(batch))
        if len(pending) >= _PENDING:
            book.store.record(pending, watermark=None)
            pending = []
        on_batch()
    book.store.record(merge_runs(pending, trial.finish()), watermark=trial.newest)
    detections = trial.detections()
    alarms = _alarms(book.listed(), detections)
    return match(trial.episodes, alarms, detections, trial.days)


def _alarms(
    incidents: "Iterable[IncidentView]", detections: Iterable[Detection]
) -> Iterator[Alarm]:
    findings: dict[tuple[str, str], list[Finding]] = {}
    for detection in detections:
        findings.setdefault(detection.entity, []).append(detection.finding)
    for incident in incidents:
        entity = incident.entity_type, incident.entity
        windows = [
            finding.window
            for finding in findings.get(entity, ())
            if finding.first <= incident.last_at and finding.last >= incident.started_at
        ]
        yield Alarm(
            entity=entity,
            detectors=incident.detectors,
            started_at=incident.started_at,
            last_at=incident.last_at,
            window=max(windows, default=timedelta(0)),
            members=frozenset(incident.members),
            child=getattr(incident, "parent_id", None) is not None,
        )
