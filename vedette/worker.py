"""The service's loop: follow the sources, judge what is new, store and announce incidents.

Read a batch; judge it; have the store record findings and, every few seconds, the checkpoint
(input positions, detector state, what was set aside): in what order that reaches the database is
stated in `alerts.storage.store`, and only there. When it is stored: tell Kafka how far we are, take
up new geo data and route templates, and announce.
After a crash the input since the last checkpoint is read again, which changes nothing, since
everything that is stored is absolute. Where the worker begins says `vedette.recovery`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import OperationalError

from alerts.incidents.views import Transition
from alerts.recovery.checkpoint import Checkpoint
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from api.health import HealthReport
from detectors.detection import Detection
from detectors.findings import Finding
from detectors.learned.inventory import EndpointDay
from detectors.snapshot import VERSION, Packer
from detectors.traffic import TrafficSlot, TrafficTop
from ingest.enrichment import Enrichment
from ingest.gaps import Gap
from ingest.live import INTERVAL, LiveSources, by_kind
from ingest.quarantine import QuarantineGroup
from ingest.sources import FileSource, KafkaSource
from ingest.times import iso
from vedette.baselines import TAKEN_UP, Baselines
from vedette.learning import learning_of
from vedette.recovery import KNOWN_UNTIL, Origin, origin_of
from vedette.scan import at
from vedette.source_log import SourceLog
from vedette.vitals import TOO_OLD, Vitals

#: How often positions and state are stored.
CHECKPOINT_EVERY: Final = timedelta(seconds=5)

#: How often what has expired is deleted.
HOUSEKEEP_EVERY: Final = timedelta(hours=1)

#: How often it is worked out how far is learned.
LEARNING_EVERY: Final = timedelta(minutes=1)

#: Wait before a failed transaction is tried again.
_RETRY_SECONDS: Final = 1.0

_log: Final = structlog.get_logger("vedette.worker")


class Worker:
    """Turns what the sources append into stored incidents; one at a time per database.

    `detection` is new: its state is that of the last worker, and what `vedette learn` has learned
    since. `announce` is called with what changed after each transaction, `housekeep` once an hour.
    """

    def __init__(
        self,
        sources: Sequence[FileSource | KafkaSource],
        detection: Detection,
        store: Store,
        *,
        enrichment: Enrichment | None = None,
        routing: Routing | None = None,
        announce: Callable[[Sequence[Transition]], None] = lambda _: None,
        housekeep: Callable[[], object] = lambda: None,
    ) -> None:
        self._detection = detection
        self._store = store
        self._routing = routing
        self._announce = announce
        self._housekeep = housekeep
        self._kept_at = monotonic()
        self._enrichment = enrichment or Enrichment()
        self._watermark: int | None = None
        self._saved = monotonic()
        self._failing = False
        self._vitals = Vitals()
        self._unsaved: list[Finding] = []
        self._set_aside: list[QuarantineGroup] = []
        self._gaps: list[Gap] = []
        self._endpoints: list[EndpointDay] = []
        self._traffic: list[TrafficSlot | TrafficTop] = []
        self._packer = Packer()
        origin = origin_of(store, detection.catalogue)
        self._baselines = Baselines(store, origin)
        self._restore(origin)
        self._known_until = origin.known_until
        self._gaps += origin.gaps
        positions = by_kind(origin.positions)
        self._enrichment.restore(positions["enrichment"])
        self._detection.under(self._enrichment.fingerprint)
        self.learning = learning_of(self._detection.learned)
        self._told_at = monotonic()
        self._live = LiveSources.open(
            sources,
            self._enrichment,
            start=origin.start,
            positions=positions,
            again=origin.again,
        )
        if origin.is_first:  # so that what comes before the first one is not lost in a crash
            self._save([], Event(), checkpoint=True)
        self._source_log = SourceLog(
            _log, sources, known=self.problems, earlier=self._live.detections
        )

    def _restore(self, origin: Origin) -> None:
        """Take up state where the last run left it."""
        learned = self._baselines.take_up(self._detection.learned)
        for remark in self._baselines.remarks:
            _log.warning("what is learned is taken up", remark=remark)
        anew: list[str] = []
        if origin.snapshot is not None:
            anew = self._detection.restore(replace(origin.snapshot, learned=learned))
        elif learned:
            anew = self._detection.learned.restore(learned)
        if anew:
            _log.warning("detectors begin anew, as they changed", rules=anew)

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; then store where it stands. Panes stay open."""
        while not stop.is_set():
            busy = self.step(stop)
            if self._source_log.due():
                self._source_log.look(self.problems, self._live.detections)
            if not busy:
                stop.wait(INTERVAL.total_seconds())
        self._save([], stop, checkpoint=True)
        self.close()

    def close(self) -> None:
        """Let go of the sources; stores nothing."""
        self._live.close()

    def step(self, stop: Event) -> bool:
        """Read, judge and store once; returns whether there was anything to read."""
        batches = self._live.poll()
        found: list[Finding] = []
        for batch in [*batches, *self._live.tick()]:
            found += self._detection.process(batch)
            if batch.watermark is not None:
                self._watermark = batch.watermark
        due = monotonic() - self._saved >= CHECKPOINT_EVERY.total_seconds()
        if found or due:
            self._save(found, stop, checkpoint=due)
        return bool(batches)

    def _save(self, found: Sequence[Finding], stop: Event, *, checkpoint: bool) -> None:
        """Store findings and, if asked, the checkpoint; try until it works or we must stop.

        What could not be stored goes with the next call, so that no checkpoint overtakes it.
        """
        begun = monotonic()
        self._unsaved += found
        if checkpoint:
            self._endpoints += self._detection.endpoints()
            self._traffic += self._detection.traffic.take()
        state = self._checkpoint() if checkpoint else None
        if checkpoint:
            self._set_aside += self._live.tally.quarantine.changed()
            gaps = self._live.take_gaps()
            self._unsaved += self._detection.health.missed(gaps)
            self._gaps += gaps
        while True:
            try:
                changed = self._store.record(
                    self._unsaved,
                    watermark=at(self._watermark),
                    checkpoint=state,
                    routing=self._routing,
                    quarantine=self._set_aside,
                    gaps=self._gaps,
                    endpoints=self._endpoints if checkpoint else (),
                    traffic=self._traffic if checkpoint else (),
                    known_until=self._known_until,
                )
            except OperationalError as error:
                self._failing = True
                _log.error("cannot write to the database; trying again", reason=str(error.orig))
                if stop.wait(_RETRY_SECONDS):
                    return
                continue
            break
        self._failing = False
        self._unsaved = []
        self._vitals.stored(changed)
        if state is not None:
            self._vitals.saved(monotonic() - begun, len(state.state) + state.size)
            self._set_aside, self._gaps, self._endpoints, self._traffic = [], [], [], []
            self._saved = monotonic()
            self._live.commit()
            if self._enrichment.refresh():
                self._detection.under(self._enrichment.fingerprint)
            self._baselines.keep(self._detection.learned, at(self._watermark))
            self._tell_learning()
            self._tidy()
        if changed:
            self._announce(changed)

    def _tell_learning(self) -> None:
        """Work out how far is learned, for who asks from other threads."""
        if monotonic() - self._told_at >= LEARNING_EVERY.total_seconds():
            self.learning = learning_of(self._detection.learned)
            self._told_at = monotonic()

    def _tidy(self) -> None:
        if monotonic() - self._kept_at < HOUSEKEEP_EVERY.total_seconds():
            return
        self._kept_at = monotonic()
        try:
            self._housekeep()
        except OperationalError as error:
            _log.warning("housekeeping failed; trying again in an hour", reason=str(error.orig))

    def _checkpoint(self) -> Checkpoint:
        packed = self._packer.pack(self._detection.snapshot())
        positions: dict[str, Any] = self._live.positions()
        positions["enrichment"] = self._enrichment.state()
        watermark = at(self._watermark)
        positions[TAKEN_UP] = self._baselines.taken_up
        if self._known_until is not None:
            positions[KNOWN_UNTIL] = iso(self._known_until)
        return Checkpoint(
            version=VERSION,
            fingerprint=self._detection.fingerprint,
            watermark=watermark,
            positions=positions,
            state=packed.manifest,
            parts=packed.pieces,
            named=packed.named,
            size=packed.size,
        )

    def health(self) -> HealthReport:
        """Say whether incidents are being stored, and what could not be read."""
        watermark = at(self._watermark)
        problems = self.problems
        tally = self._live.tally
        age = monotonic() - self._saved
        return HealthReport(
            healthy=not self._failing and age <= TOO_OLD,
            details={
                "lines": tally.lines,
                "events": tally.events,
                "set_aside": tally.quarantine.total,
                "ignored": tally.ignored,
                "late": self._live.late,
                "held": max(tally.held, 0),
                "watermark": watermark.isoformat() if watermark else None,
                "checkpoint_age_seconds": round(age, 1),
                "checkpoint_bytes": self._vitals.checkpoint_bytes,
                "source_problems": len(problems),
                "evicted_entities": sum(self._detection.evicted.values()),
            },
            problems=tuple(problems),
            lag=self._live.lag,
            unread=self._live.unread,
            quarantined=dict(tally.quarantine.by_reason().items()),
            silent=self._detection.health.silent,
            opened=dict(self._vitals.opened),
            forgotten=self._detection.learned.evicted,
            watermark=watermark,
            delays=self._vitals.delays.read(),
            checkpoints=self._vitals.checkpoints.read(),
        )

    @property
    def problems(self) -> list[str]:
        """What is wrong with the sources."""
        return [*map(str, self._live.problems), *self._enrichment.problems]
