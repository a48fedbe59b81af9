"""The application: routes, errors, middleware."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy import Engine

from alerts.access.audit import AuditLog
from alerts.access.keys import KeyStore, Role
from alerts.access.sessions import SessionStore
from alerts.blocking.blocklist import BlockList
from alerts.blocking.settings import BlockSettings
from alerts.database.times import utc_now
from alerts.routing.routes import Routing
from api import (
    audit,
    blocklist,
    bouncers,
    deliveries,
    detectors,
    endpoints,
    entities,
    exports,
    gaps,
    incidents,
    keys,
    metrics,
    points,
    rules,
    sessions,
    silences,
    status,
    stream,
    traffic,
)
from api.access import RequireRole, unprotected_routes
from api.access_log import AccessLog, LogsAccess
from api.broadcast import Broadcast
from api.description import API_PREFIX, describe
from api.detectors import DetectorAnswer
from api.health import HealthReport
from api.limit_settings import LimitSettings
from api.limits import RateLimits, counted_as
from api.middleware import AddressLimit, KnownHosts, RequestIds, SecurityHeaders, SizeLimits
from api.oidc import TokenVerifier
from api.oidc_settings import OidcSettings
from api.page.parts import PARTS as PAGE_PARTS
from api.problems import install_problems
from api.request_metrics import CountedRequests, RequestCounts
from api.rules import RuleAnswer
from api.services import Services
from ingest.address_ranges import Network

_PARTS: Final = (
    incidents,
    points,
    exports,
    stream,
    entities,
    silences,
    deliveries,
    detectors,
    rules,
    endpoints,
    traffic,
    gaps,
    blocklist,
    bouncers,
    keys,
    audit,
    sessions,
    status,
    metrics,
    *PAGE_PARTS,
)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the settings say, and what other parts of the program offer.

    `routing` says who is told when a person ends an incident, `changed` is called after changes
    that somebody may have to be told, `detectors` are those switched on, `rules` all that are
    known, `version` is the program's. Without `hosts` any Host is answered. `protected` networks
    are never on the block list.
    Tokens are taken of the issuer in `oidc`.
    """

    limits: LimitSettings = field(default_factory=LimitSettings)
    hosts: tuple[str, ...] = ()
    blocklist: BlockSettings = field(default_factory=BlockSettings)
    protected: tuple[Network, ...] = ()
    oidc: OidcSettings | None = None
    routing: Routing | None = None
    changed: Callable[[], None] = lambda: None
    detectors: Callable[[], Sequence[DetectorAnswer]] = tuple
    rules: Callable[[], Sequence[RuleAnswer]] = tuple
    version: str | None = None
    access_log: Path | None = None


def create_api(
    engine: Engine,
    secret_path: Path,
    *,
    health: Callable[[], HealthReport],
    now: Callable[[], datetime] = utc_now,
    options: ApiOptions | None = None,
) -> FastAPI:
    """Return the API over a database and the keys made under the secret.

    `health` is asked at each readiness probe and must be quick. Close `app.state.services.audit`
    when it is not needed any more. Raises alerts.access.secret.SecretError.
    """
    options = options or ApiOptions()
    app = FastAPI(
        title="Vedette",
        description="Incidents found in API access logs",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would name the host that the caller claims
    )
    services = Services(
        engine=engine,
        keys=KeyStore(engine, secret_path),
        sessions=SessionStore(engine, secret_path),
        audit=AuditLog(engine),
        limits=RateLimits(options.limits),
        broadcast=Broadcast(engine),
        blocklist=BlockList(engine, options.blocklist, options.protected),
        pulls={},
        requests=RequestCounts(),
        health=health,
        now=now,
        routing=options.routing,
        tokens=None if options.oidc is None else TokenVerifier(options.oidc),
        changed=options.changed,
        detectors=options.detectors,
        rules=options.rules,
        version=options.version,
    )
    app.state.services = services
    for part in _PARTS:
        app.include_router(part.router)
    app.include_router(_description_router())
    install_problems(app)

    def charge(address: str | None) -> Mapping[str, str] | None:
        allowance = services.limits.charge("address", counted_as(address))
        return None if allowance.allowed else allowance.headers

    # The last added is the outermost.
    app.add_middleware(SizeLimits)
    app.add_middleware(AddressLimit, charge=charge)
    app.add_middleware(KnownHosts, hosts=options.hosts)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountedRequests, counts=services.requests)
    if options.access_log is not None:
        app.add_middleware(LogsAccess, log=AccessLog(options.access_log))
    app.add_middleware(RequestIds)
    refuse_unprotected(app)
    return app


def refuse_unprotected(app: FastAPI) -> None:
    """Raise RuntimeError if some route under /api/v1 asks for no role."""
    paths = unprotected_routes(app)
    if paths:
        raise RuntimeError(f"routes without a role: {', '.join(sorted(paths))}")


def _description_router() -> APIRouter:
    router = APIRouter(prefix=API_PREFIX, dependencies=[Depends(RequireRole(Role.VIEWER))])

    @router.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        app: FastAPI = request.app
        return describe(app)

    return router
