"""The service put together: worker, sender and API over one database, until told to stop."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import FrameType

import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.engine import Engine

from alerts.database import open_database
from alerts.gaps import expire_gaps
from alerts.keys import KeyStore, Role
from alerts.quarantine import QuarantineStore
from alerts.retention import prune
from alerts.secret import server_secret
from alerts.sender import Sender
from alerts.store import Store
from alerts.target import TargetError
from alerts.times import utc_now
from alerts.tombstones import Tombstones
from alerts.views import Transition
from api.application import create_api
from api.server import ApiServer, ServerError, Tls, serve
from detectors.health import SourceHealth
from vedette.failures import StartError
from vedette.memory import return_large_blocks
from vedette.notifying import muting_of, routing_of, targets_of
from vedette.rules import catalogue_of
from vedette.settings import Settings, SettingsError
from vedette.sources import enrichment_of
from vedette.worker import Worker


@dataclass(frozen=True, slots=True)
class Ready:
    """What people need to know when the service has begun."""

    api_url: str | None
    first_key: SecretStr | None
    problems: Sequence[str]


def run_until_stopped(
    settings: Settings,
    secret_file: Path,
    *,
    announce: Callable[[Sequence[Transition]], None],
    ready: Callable[[Ready], None],
    limit: timedelta | None = None,
    log_level: int = logging.INFO,
) -> None:
    """Run the service until SIGINT, SIGTERM or the limit.

    Raises DatabaseError, StartError, RuleError, UnknownDetectorError, DetectorSettingsError,
    SettingsError, SecretError, GeoError, RouteDocumentError.
    """
    log_to_stderr(log_level)
    return_large_blocks()
    catalogue = catalogue_of(settings)
    health = SourceHealth(settings.detectors)
    with ExitStack() as opened:
        engine = open_database(settings.store.url.get_secret_value())
        opened.callback(engine.dispose)
        keys = KeyStore(engine, secret_file)
        secret = server_secret(secret_file)
        tombstones = Tombstones(secret)
        sender = _sender(engine, settings)
        worker = Worker(
            settings.sources,
            catalogue,
            Store(engine, notify_max_age=settings.notify.max_age, tombstones=tombstones),
            enrichment=enrichment_of(settings, secret, learn=True),
            health=health,
            routing=routing_of(settings),
            announce=_and_wake(announce, sender),
            housekeep=lambda: _tidy(engine, settings, tombstones),
        )
        opened.callback(worker.close)
        server = _server(settings, create_api(engine, secret_file, health=worker.health))
        if server is not None:
            opened.callback(server.stop)
        with stopping(limit) as stop:
            opened.callback(sender.stop)
            sender.start()
            ready(Ready(server.url if server else None, first_key(keys), worker.problems))
            worker.run(stop)


def _tidy(engine: Engine, settings: Settings, tombstones: Tombstones) -> None:
    """Delete what has been kept long enough."""
    now = utc_now()
    QuarantineStore(engine).expire(now, settings.quarantine.keep)
    kept = settings.retention
    expire_gaps(engine, now, kept.incidents)
    prune(
        engine,
        now,
        tombstones=tombstones,
        incidents=kept.incidents,
        deliveries=kept.deliveries,
    )


def _server(settings: Settings, application: FastAPI) -> ApiServer | None:
    if not settings.api.enabled:
        return None
    api = settings.api
    try:
        tls = Tls(api.tls.certificate, api.tls.key) if api.tls else None
        return serve(application, api.host, api.port, behind_proxy=api.behind_proxy, tls=tls)
    except ServerError as error:
        raise StartError(str(error)) from error


def _sender(engine: Engine, settings: Settings) -> Sender:
    try:
        return Sender(
            engine,
            targets_of(settings),
            routing=routing_of(settings),
            muting=muting_of(settings),
            link=settings.notify.link,
        )
    except TargetError as error:
        raise SettingsError(f"notify.url or targets: {error}") from error


def _and_wake(
    announce: Callable[[Sequence[Transition]], None], sender: Sender
) -> Callable[[Sequence[Transition]], None]:
    """Return what announces changes and lets the sender look at the outbox at once."""

    def announced(transitions: Sequence[Transition]) -> None:
        sender.wake()
        announce(transitions)

    return announced


def first_key(keys: KeyStore) -> SecretStr | None:
    """Make the first key if there is none; it is returned this once."""
    if keys.list_keys():
        return None
    _, text = keys.create_key("first", Role.ADMIN, datetime.now(UTC))
    return text


@contextmanager
def stopping(limit: timedelta | None) -> Iterator[Event]:
    """Give an event that SIGINT, SIGTERM and the limit set; put the handlers back after.

    A handler runs in the thread that waits for the event, and may find it holding the event's
    lock: setting it there would wait for itself. So the handler only puts a word into a queue,
    which is safe at any moment, and a thread that listens sets the event.
    """
    stop = Event()
    told: SimpleQueue[None] = SimpleQueue()
    seconds = None if limit is None else limit.total_seconds()

    def listen() -> None:
        with suppress(Empty):
            told.get(timeout=seconds)
        stop.set()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        told.put(None)

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    listener = Thread(target=listen, name="stopping", daemon=True)
    listener.start()
    try:
        yield stop
    finally:
        told.put(None)
        listener.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr(level: int) -> None:
    """Write the program's own log to stderr, a line each; the renderer escapes values."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
