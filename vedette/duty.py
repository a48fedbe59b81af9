"""What the active process does: a worker and a sender over one database, fenced by its lease."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event

from sqlalchemy.engine import Engine

from alerts.access.audit import expire_deeds
from alerts.access.secret import server_secret
from alerts.blocking.blocklist import expire_blocks
from alerts.database.times import utc_now
from alerts.deletion.retention import prune
from alerts.incidents.views import Transition
from alerts.quarantine.gaps import expire_gaps
from alerts.quarantine.groups import QuarantineStore
from alerts.recovery.lease import Term
from alerts.routing.target import TargetError
from alerts.sending.sender import Sender
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from alerts.traffic.counts import expire_traffic
from alerts.traffic.endpoints import expire_endpoints
from api.detectors import DetectorAnswer
from api.health import HealthReport
from api.learning import LearningAnswer
from vedette.described import described, described_rules
from vedette.detecting import detection_of
from vedette.notifying import check_detectors, muting_of, routing_of, targets_of
from vedette.own_log import own_log, own_sources
from vedette.rules import catalogue_of, detector_names
from vedette.screen import options
from vedette.settings import Settings, SettingsError
from vedette.sources import enrichment_of
from vedette.worker import Worker

#: Seconds that messages in flight get when the process stops or has lost its lease.
_SENDER_SECONDS = 3.0


class Duty:
    """The work that one process at a time does, and what this one says of itself meanwhile."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        secret_file: Path,
        announce: Callable[[Sequence[Transition]], None],
    ) -> None:
        """Check that the work could begin, so that who stands by can do it when it has to.

        Raises RuleError, UnknownDetectorError, DetectorSettingsError, SettingsError, SecretError,
        GeoError, RouteDocumentError.
        """
        self._engine = engine
        self._settings = settings
        self._announce = announce
        self._secret = server_secret(secret_file)
        self._own_log = own_log(secret_file)
        self._catalogue = catalogue_of(settings)
        check_detectors(settings, detector_names(settings, self._catalogue))
        self._tombstones = Tombstones(self._secret)
        self._report: Callable[[], HealthReport] = _starting
        self._learning: Callable[[], Mapping[str, LearningAnswer]] = dict
        self._sending: Sender | None = None
        self._described = described(self._catalogue, settings.detectors)
        self.rules = described_rules(self._catalogue, settings.detectors, settings.rules.folders)
        self._sender(engine)
        detection_of(settings, self._catalogue)
        enrichment_of(settings, self._secret, learn=True)

    @property
    def detectors(self) -> tuple[DetectorAnswer, ...]:
        """What is watched for, and how far is learned if this process does the work."""
        learning = self._learning()
        return tuple(replace(each, learning=learning.get(each.name)) for each in self._described)

    def health(self) -> HealthReport:
        """Say what this process does and how it fares."""
        return self._report()

    def wake(self) -> None:
        """Let the sender look at once, if this process has one."""
        if self._sending is not None:
            self._sending.wake()

    def stand_by(self, holder: str) -> None:
        """Say from now on that another process does the work."""
        report = HealthReport(healthy=True, role="standby", details={"active": holder})
        self._report = lambda: report

    def work(self, term: Term, stop: Event, begun: Callable[[Sequence[str]], None]) -> None:
        """Work until `stop` is set; `begun` is called with what is wrong with the sources.

        Raises LeaseLostError: then nothing more is written, and the work can begin anew with
        another term.
        """
        self._report = _starting
        engine = term.fence(self._engine)
        with ExitStack() as opened:
            opened.callback(self._report_starting)
            sender = self._sender(engine)
            worker = self._worker(engine, sender)
            opened.callback(worker.close)
            self._report = worker.health
            self._learning = lambda: worker.learning
            opened.callback(sender.stop, _SENDER_SECONDS)
            sender.start()
            self._sending = sender
            opened.callback(self._send_no_more)
            begun(worker.problems)
            worker.run(stop)

    def _send_no_more(self) -> None:
        self._sending = None

    def _report_starting(self) -> None:
        self._report = _starting
        self._learning = dict

    def _worker(self, engine: Engine, sender: Sender) -> Worker:
        settings = self._settings

        def announced(transitions: Sequence[Transition]) -> None:
            sender.wake()
            self._announce(transitions)

        return Worker(
            (*settings.sources, *own_sources(settings, self._own_log)),
            detection_of(settings, self._catalogue),
            Store(engine, notify_max_age=settings.notify.max_age, tombstones=self._tombstones),
            enrichment=enrichment_of(settings, self._secret, learn=True),
            routing=routing_of(settings),
            announce=announced,
            housekeep=lambda: _tidy(engine, settings, self._tombstones),
        )

    def _sender(self, engine: Engine) -> Sender:
        settings = self._settings
        try:
            return Sender(
                engine,
                targets_of(settings),
                routing=routing_of(settings),
                muting=muting_of(settings),
                link=settings.notify.link,
                options=options(config=settings.file),
            )
        except TargetError as error:
            raise SettingsError(f"notify.url or targets: {error}") from error


def _starting() -> HealthReport:
    return HealthReport(healthy=False, role="starting")


def _tidy(engine: Engine, settings: Settings, tombstones: Tombstones) -> None:
    """Delete what has been kept long enough."""
    now = utc_now()
    QuarantineStore(engine).expire(now, settings.quarantine.keep)
    kept = settings.retention
    expire_gaps(engine, now, kept.incidents)
    expire_deeds(engine, now, kept.audit)
    expire_blocks(engine, now)
    expire_endpoints(engine, now, kept.endpoints)
    expire_traffic(engine, now)
    prune(
        engine,
        now,
        tombstones=tombstones,
        incidents=kept.incidents,
        deliveries=kept.deliveries,
    )
