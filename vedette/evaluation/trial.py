"""Puts events through the detectors as the service would, and notes when it would have known.

Batches are large, for speed. Where one brings the first report of an attack, it is read again by
the detectors that reported, from the state before it, in small steps: findings do not depend on
how a stream is cut, but the time of the first report does.
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
from detectors.health import SourceHealth
from detectors.kernel import RuleKernel
from detectors.snapshot import Snapshot
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
    `health` watches the sources; by default as it does without settings.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        episodes: Sequence[Episode],
        lateness: timedelta,
        health: SourceHealth | None = None,
    ) -> None:
        self._health = health or SourceHealth()
        self.episodes = tuple(episodes)
        self.events = 0
        self.first: int | None = None
        self._catalogue = catalogue
        self._kernel = RuleKernel(catalogue)
        self._reports: dict[tuple[str, str, str], list[Detection]] = {}
        self._waiting = [(episode, _looks(episode)) for episode in episodes if episode.attack]
        self._lateness = lateness // timedelta(microseconds=1)
        self._newest: int | None = None

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
        newest = self._newest_times(batch.events)
        waiting = self._waited_for(newest)
        before = self._kernel.snapshot() if waiting else None
        found = self._kernel.process(batch.events, batch.watermark)
        found += self._health.judge(batch.readings)
        timed: list[Detection] = []
        if before is not None:
            first = [(e, looks) for e, looks in waiting if _reporting(e, found)]
            timed = self._in_steps(batch, newest, before, first, found) if first else []
        self.events += batch.events.height
        if len(newest):
            self.first = int(newest[0]) if self.first is None else self.first
            self._newest = int(newest[-1])
        self._note(found, timed)
        return found

    def finish(self) -> list[Finding]:
        """Say that the input has ended; return the runs found by that."""
        found = self._kernel.finish() + self._health.finish()
        self._note(found, [])
        return found

    def detections(self) -> list[Detection]:
        """Return every finding as it is in the end, without evidence."""
        return [report for reports in self._reports.values() for report in reports]

    def _newest_times(self, events: pl.DataFrame) -> Times:
        """Return the newest time (us) up to each row."""
        times = events["effective_time"].to_physical().to_numpy()
        return np.maximum.accumulate(
            times if self._newest is None else np.maximum(times, self._newest)
        )

    def _waited_for(self, newest: Times) -> list[tuple[Episode, Times]]:
        """Return the attacks that this batch may tell of for the first time."""
        if not len(newest):
            return []
        return [(e, looks) for e, looks in self._waiting if looks[0] <= newest[-1]]

    def _in_steps(
        self,
        batch: Batch,
        newest: Times,
        before: Snapshot,
        attacks: Sequence[tuple[Episode, Times]],
        found: Sequence[Finding],
    ) -> list[Detection]:
        """Return the first reports of the attacks with their times, from the state before."""
        left = [episode for episode, _ in attacks]
        names = {run.detector for episode in left for run in _reporting(episode, found)}
        rules = tuple(rule for rule in self._catalogue.rules if rule.name in names)
        kernel = RuleKernel(replace(self._catalogue, rules=rules))
        kernel.restore(before)
        timed: list[Detection] = []
        cuts = [*_cuts(newest, [looks for _, looks in attacks]), len(newest)]
        for begin, end in zip([0, *cuts[:-1]], cuts, strict=True):
            now = int(newest[end - 1])
            watermark = batch.watermark
            if watermark is not None and end < len(newest):
                watermark = min(watermark, now - self._lateness)
            runs = kernel.process(batch.events[begin:end], watermark)
            timed += [Detection(run, moment(now)) for run in runs]
            left = [episode for episode in left if not _reporting(episode, runs)]
            if not left:
                break
        return timed

    def _note(self, found: Iterable[Finding], timed: Sequence[Detection]) -> None:
        """Remember runs with the time of the first report, and wait no more for those attacks."""
        now = moment(self._newest or 0)
        for run in merge_runs([], found):
            times = [report.reported_at for report in timed if report.finding.touches(run)]
            bare = Detection(replace(run, evidence=()), min(times, default=now))
            known = self._reports.get(run.key, [])
            touched = [report for report in known if report.finding.touches(run)]
            apart = [report for report in known if not report.finding.touches(run)]
            self._reports[run.key] = [*apart, reduce(_joined, touched, bare)]
            if self._waiting and run.mode == "alert":
                self._waiting = [w for w in self._waiting if not _reporting(w[0], [run])]


def _reporting(episode: Episode, runs: Iterable[Finding]) -> list[Finding]:
    """Return the runs that tell people of an episode."""
    return [
        run
        for run in runs
        if run.mode == "alert"
        and (run.entity_type, run.entity) in episode.entities
        and overlaps(episode, run.first, run.last, run.window)
    ]


def _cuts(newest: Times, looks: Sequence[Times]) -> list[int]:
    """Return the rows at which to cut, so that a look comes just after its time."""
    marks = np.unique(np.concatenate(looks))
    inside = marks[(marks > newest[0]) & (marks < newest[-1])]
    places = np.unique(np.searchsorted(newest, inside, side="right"))
    return [int(place) for place in places if 0 < place < len(newest)]


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
            child=incident.parent_id is not None,
        )
