"""What the routes work with; one for each application."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from alerts.access.audit import AuditLog
from alerts.access.keys import KeyStore
from alerts.access.sessions import SessionStore
from alerts.blocking.blocklist import BlockList
from alerts.routing.routes import Routing
from api.broadcast import Broadcast
from api.health import HealthReport
from api.limits import RateLimits
from api.oidc import TokenVerifier
from api.request_metrics import RequestCounts

if TYPE_CHECKING:
    from api.detectors import DetectorAnswer
    from api.rules import RuleAnswer


@dataclass(frozen=True, slots=True)
class Services:
    """The database and what is kept in it, the worker's health, limits and the clock.

    `changed` is called after something changed that somebody may have to be told; `detectors` are
    those switched on, `rules` all that are known; `version` is Vedette's. `pulls` are when each
    bouncer last asked, by key. Without `tokens` only keys and sessions are known.
    """

    engine: Engine
    keys: KeyStore
    sessions: SessionStore
    audit: AuditLog
    limits: RateLimits
    broadcast: Broadcast
    blocklist: BlockList
    pulls: dict[str, datetime]
    requests: RequestCounts
    health: Callable[[], HealthReport]
    now: Callable[[], datetime]
    routing: Routing | None = None
    tokens: TokenVerifier | None = None
    changed: Callable[[], None] = lambda: None
    detectors: Callable[[], Sequence["DetectorAnswer"]] = tuple
    rules: Callable[[], Sequence["RuleAnswer"]] = tuple
    version: str | None = None


async def services_of(request: Request) -> Services:
    """Return the services of the application that answers the request.

    Async, as are other dependencies that wait for nothing: each that is not takes a thread, and
    may wait for its turn there.
    """
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(services_of)]
