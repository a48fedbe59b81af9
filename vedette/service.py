"""The service put together: lease, duty and API over one database, until told to stop."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Final

import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from alerts.access.keys import KeyStore, Role
from alerts.database.opening import open_database
from alerts.incidents.views import Transition
from alerts.recovery.lease import LENGTH, Lease, LeaseLostError, Term
from api.application import ApiOptions, create_api
from api.server import ApiServer, ServerError, Tls, serve
from vedette import __version__
from vedette.duty import Duty
from vedette.failures import StartError, expected_errors
from vedette.log_lines import log_to_stderr
from vedette.login_link import login_link, login_name, page_address
from vedette.memory import return_large_blocks
from vedette.notifying import routing_of
from vedette.orders import orders
from vedette.own_log import own_log
from vedette.reload import Reload
from vedette.settings import Settings
from vedette.sources import proxies_of

_log: Final = structlog.get_logger("vedette.service")


@dataclass(frozen=True, slots=True)
class Ready:
    """What people need to know when the service has begun, and when its role changes.

    `standby_for` names who does the work (host:pid) while this process stands by, and is None
    once it does the work itself. `login` is a link that logs into the page, once.
    """

    api_url: str | None
    first_key: SecretStr | None
    problems: Sequence[str]
    standby_for: str | None = None
    login: SecretStr | None = None


def run_until_stopped(
    settings: Settings,
    secret_file: Path,
    *,
    announce: Callable[[Sequence[Transition]], None],
    ready: Callable[[Ready], None],
    limit: timedelta | None = None,
    log_level: int = logging.DEBUG,
    lease_length: timedelta = LENGTH,
    anew: Callable[[], Settings] | None = None,
) -> None:
    """Run the service until SIGINT, SIGTERM or the limit.

    Nothing below `log_level` is logged, nor what the settings leave out. One process works on a
    database, the others stand by; `ready` is called when this one begins either. `anew` reads the
    settings again after SIGHUP: with those that work the service begins anew, otherwise it goes on
    as before. Raises DatabaseError, StartError, RuleError, UnknownDetectorError,
    DetectorSettingsError, SettingsError, SecretError, GeoError, RouteDocumentError.
    """
    return_large_blocks()
    ended = Event()
    reload = None if anew is None else Reload(anew, secret_file)
    before: Settings | None = None

    def begun(state: Ready) -> None:
        nonlocal before
        before = None
        ready(state)

    try:
        with orders(limit, ended, None if reload is None else reload.ask) as given:
            while True:
                wanted = logging.getLevelNamesMapping()[settings.log.level.upper()]
                log_to_stderr(max(log_level, wanted), as_json=settings.log.format == "json")
                try:
                    _run(
                        settings,
                        secret_file,
                        given.stop,
                        announce=announce,
                        ready=begun,
                        lease_length=lease_length,
                    )
                except expected_errors() as error:
                    if before is None:
                        raise
                    _log.error("the new settings do not work, back to those before", why=str(error))
                    settings, before = before, None
                    continue
                if given.for_good or reload is None:
                    break
                given.renewed()  # before they are taken: who asks again meanwhile is heard
                if (taken := reload.take()) is not None:
                    settings, before = taken, settings
    finally:
        ended.set()


def _run(
    settings: Settings,
    secret_file: Path,
    stop: Event,
    *,
    announce: Callable[[Sequence[Transition]], None],
    ready: Callable[[Ready], None],
    lease_length: timedelta,
) -> None:
    """Run with these settings until told to stop."""
    with ExitStack() as opened:
        engine = open_database(settings.store.url.get_secret_value())
        opened.callback(engine.dispose)
        duty = Duty(engine, settings, secret_file, announce)
        lease = Lease(engine, length=lease_length)
        options = _options(settings, duty, own_log(secret_file))
        application = create_api(engine, secret_file, health=duty.health, options=options)
        opened.callback(application.state.services.audit.close)
        api = _Api(settings, application)
        opened.callback(api.stop)
        if not api.start() and not lease.is_held():
            raise StartError(api.problem)
        key = first_key(KeyStore(engine, secret_file))
        for term in _terms(lease, duty, stop, lambda holder: ready(api.ready(key, holder))):
            api.start()
            _work(duty, term, stop, lambda problems: ready(api.ready(key, None, problems)))


def _options(settings: Settings, duty: Duty, log: Path) -> ApiOptions:
    return ApiOptions(
        limits=settings.api.limits,
        hosts=settings.api.known_hosts,
        oidc=settings.api.oidc,
        blocklist=settings.blocklist,
        protected=proxies_of(settings),
        routing=routing_of(settings),
        changed=duty.wake,
        detectors=lambda: duty.detectors,
        rules=lambda: duty.rules,
        version=__version__,
        access_log=log if settings.api.access_log else None,
    )


def _terms(
    lease: Lease, duty: Duty, stop: Event, standing_by: Callable[[str], None]
) -> Iterator[Term]:
    """Yield the lease whenever it is ours, until told to stop; keep it until asked for another."""

    def stand_by(holder: str) -> None:
        _log.info("standing by", active=holder)
        duty.stand_by(holder)
        standing_by(holder)

    while (term := lease.wait(stop, stand_by)) is not None:
        with lease.kept(term):
            _log.info("active", process=term.holder.name, epoch=term.epoch)
            yield term


def _work(duty: Duty, term: Term, stop: Event, begun: Callable[[Sequence[str]], None]) -> None:
    try:
        duty.work(term, stop, begun)
    except LeaseLostError as error:
        _log.error("the lease is lost, nothing more is written", reason=str(error))


class _Api:
    """The API's server. Who stands by beside the active process finds its port taken by that."""

    def __init__(self, settings: Settings, application: FastAPI) -> None:
        self.problem = ""
        self._settings = settings
        self._application = application
        self._server: ApiServer | None = None
        self._login: SecretStr | None = None

    def start(self) -> bool:
        """Serve, if that is wanted and not done yet; returns whether all is as it should be."""
        if self._server is not None:
            return True
        try:
            self._server = _server(self._settings, self._application)
        except StartError as error:
            self.problem = str(error)
            _log.warning("the API is not served by this process", reason=self.problem)
            return False
        return True

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.stop()

    def ready(
        self, key: SecretStr | None, standby_for: str | None, problems: Sequence[str] = ()
    ) -> Ready:
        """Return what people need to know."""
        url = self._server.url if self._server else None
        return Ready(url, key, problems, standby_for, self._login_link())

    def _login_link(self) -> SecretStr | None:
        """Return a link to the page, made the first time; None while it is not served."""
        if self._login is None and self._server is not None:
            services = self._application.state.services
            api = self._settings.api
            self._login = login_link(
                services.keys,
                services.sessions,
                page_address(api, self._server.port) or self._server.url,
                name=login_name(),
                role=Role.ANALYST,
                now=datetime.now(UTC),
            )
        return self._login


def _server(settings: Settings, application: FastAPI) -> ApiServer | None:
    if not settings.api.enabled:
        return None
    api = settings.api
    try:
        tls = Tls(api.tls.certificate, api.tls.key) if api.tls else None
        return serve(
            application,
            api.host,
            api.port,
            behind_proxy=api.behind_proxy,
            proxies=api.proxies,
            tls=tls,
        )
    except ServerError as error:
        raise StartError(str(error)) from error


def first_key(keys: KeyStore) -> SecretStr | None:
    """Make the first key if there is none; it is returned this once."""
    if keys.list_keys():
        return None
    _, text = keys.create_key("first", Role.ADMIN, datetime.now(UTC))
    return text
