"""Who may ask: a caller of sufficient role on every route under /api/v1.

A caller is the holder of an API key (Authorization: Bearer, or X-API-Key) or of a token of the
settings' issuer (Authorization: Bearer), or somebody at the page with a session (cookie), who must
bring the session's token for whatever changes something: other sites can make a browser send the
cookie, but not that header. Every refusal is audited, and addresses that fail to authenticate too
often are not tried any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hmac import compare_digest
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine

from alerts.access.audit import Deed
from alerts.access.keys import Role, Scope
from api.description import GUARDED
from api.limits import LimitClass, counted_as
from api.middleware import request_id_of
from api.oidc import IssuerSilentError, TokenError, is_token
from api.services import Services, WithServices

#: The cookie of a session. Over TLS its name begins with __Host-, which browsers guard.
COOKIE: Final = "vedette_session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"

#: What requests of a session must bring that change something.
CSRF_HEADER: Final = "X-CSRF-Token"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="vedette"'}

_NEEDED: Final = (401, "a valid API key, token or session is needed")

#: Where a request keeps why its caller, who is known, may do nothing at all.
_NO_ROLE: Final = "vedette.no_role"

_log: Final = structlog.get_logger(__name__)

_bearer: Final = HTTPBearer(auto_error=False, description="An API key, or a token (api.oidc)")
_header: Final = APIKeyHeader(name="X-API-Key", auto_error=False)
_cookie: Final = APIKeyCookie(
    name=COOKIE, auto_error=False, description="A session of the page; changes need X-CSRF-Token"
)

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Header = Annotated[str | None, Security(_header)]
_Cookie = Annotated[str | None, Security(_cookie)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `id` of the key, session or subject, `name` as the timeline shows it.

    Without `scopes` all that the role may do. `csrf` is what changes of a session must bring.
    """

    kind: Literal["key", "session", "oidc"]
    id: str
    name: str
    role: Role
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    csrf: str | None = None

    def may(self, scope: Scope | None) -> bool:
        """Whether a part of the API is open to them; None is no part of its own."""
        return scope is None or not self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class Call:
    """A request by somebody who may make it, and what to answer it with."""

    request: Request
    response: Response
    services: Services
    caller: Caller

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.services.engine

    def now(self) -> datetime:
        """Return the time."""
        return self.services.now()

    def record(self, subject: str, detail: Mapping[str, Any] | None = None) -> None:
        """Audit a change that was made, and log it; `subject` is as "incident 17"."""
        deed = _deed(self.request, self.services, self.caller, 200)
        done = replace(deed, outcome="done", subject=subject, detail=dict(detail or {}))
        self.services.audit.done(done)
        kind, _, name = subject.rpartition(" ")
        _log.info(
            "change over the API",
            request_id=done.request_id,
            actor=done.actor,
            caller=done.caller,
            request=done.action,
            subject=subject,
            **({"incident": name} if kind == "incident" else {}),
        )


def presented_caller(
    request: Request, services: WithServices, bearer: _Bearer, header: _Header, cookie: _Cookie
) -> Caller | None:
    """Return who asks, None if nothing came with the request or it does not work.

    Raises 429 where an address failed too often: then no key is tried. Sessions that are over do
    not count: the tabs of somebody who slept would lock out all of an office. Raises 503 for a
    token while its issuer does not answer and has not for long.
    """
    key = bearer.credentials if bearer is not None else header
    if not key:
        # Over TLS only the cookie that browsers guard: neighbours may plant the other.
        secure = request.url.scheme == "https"
        token = request.cookies.get(SECURE_COOKIE) if secure else cookie
        return _of_session(services, token) if token else None
    address = may_try(request, services)
    is_ours = bearer is None or not is_token(key)
    caller = _of_key(services, key) if is_ours else _of_token(request, services, key)
    if caller is None and _NO_ROLE not in request.scope:
        services.limits.charge("authentication", address)
    return caller


PresentedCaller = Annotated[Caller | None, Depends(presented_caller)]


class RequireRole:
    """A dependency: lets in callers of this role and above, within scope and limits."""

    def __init__(
        self, role: Role, scope: Scope | None = None, limit: LimitClass | None = None
    ) -> None:
        self.role = role
        self.scope = scope
        self.limit = limit

    @classmethod
    def of(cls, role: Role, scope: Scope | None = None, limit: LimitClass | None = None) -> Any:  # noqa: ANN401 - what FastAPI takes in Annotated
        """Return the dependency for an annotation."""
        return Depends(cls(role, scope, limit))

    async def __call__(
        self, request: Request, response: Response, services: WithServices, caller: PresentedCaller
    ) -> Call:
        """Raise 401 without a caller, 403 for one who may not, 429 for one who asks too often."""
        if caller is None:
            raise self.stranger(request, services)
        self._check(request, services, caller)
        kind = self.limit or ("read" if request.method in _SAFE else "write")
        allowance = services.limits.charge(kind, f"{caller.kind}:{caller.id}")
        if not allowance.allowed:
            refuse(request, services, caller, 429)
            raise HTTPException(429, f"too many requests of class {kind}", allowance.headers)
        response.headers.update(allowance.headers)
        return Call(request, response, services, caller)

    def stranger(self, request: Request, services: Services) -> HTTPException:
        """Return what to answer to whom we do not know; the refusal is audited."""
        status, why = request.scope.get(_NO_ROLE, _NEEDED)
        refuse(request, services, None, status)
        return HTTPException(status, why, _CHALLENGE)

    def _check(self, request: Request, services: Services, caller: Caller) -> None:
        wrong = None
        if caller.role < self.role:
            wrong = f"role {self.role.label} is needed"
        elif not caller.may(self.scope):
            wrong = f"scope {self.scope} is needed"
        elif caller.csrf is not None and request.method not in _SAFE:
            given = request.headers.get(CSRF_HEADER, "")
            if not compare_digest(given.encode(), caller.csrf.encode()):
                wrong = f"{CSRF_HEADER} is missing or not that of this session"
        if wrong is not None:
            refuse(request, services, caller, 403)
            raise HTTPException(403, wrong)


def may_try(request: Request, services: Services) -> str:
    """Return what the request's address counts as; raises 429 if it failed too often."""
    address = counted_as(address_of(request))
    exhausted = services.limits.exhausted("authentication", address)
    if exhausted is not None:
        refuse(request, services, None, 429)
        raise HTTPException(429, "too many failed attempts from here", exhausted.headers)
    return address


def address_of(request: Request) -> str | None:
    """Return where a request comes from; behind a proxy, who the proxy says."""
    return None if request.client is None else request.client.host


def refuse(request: Request, services: Services, caller: Caller | None, status: int) -> None:
    """Audit a refusal."""
    services.audit.refused(_deed(request, services, caller, status))


def _deed(request: Request, services: Services, caller: Caller | None, status: int) -> Deed:
    path = getattr(request.scope.get("route"), "path", None) or "?"
    return Deed(
        at=services.now(),
        actor=None if caller is None else caller.name,
        caller=None if caller is None else f"{caller.kind}:{caller.id}",
        action=f"{request.method} {path}",
        subject=None,
        outcome="refused",
        status=status,
        address=address_of(request),
        request_id=request_id_of(request.scope),
        detail={},
    )


def unprotected_routes(app: FastAPI) -> list[str]:
    """Return the paths of the API and of bouncers that ask for no role; there must be none."""
    return [
        context.path
        for context in iter_route_contexts(app.routes)
        if context.path is not None
        and context.path.startswith(GUARDED)
        and not _asks_for_role(getattr(context, "dependant", None))
    ]


def _asks_for_role(dependant: Dependant | None) -> bool:
    return dependant is not None and (
        isinstance(dependant.call, RequireRole)
        or any(_asks_for_role(part) for part in dependant.dependencies)
    )


def _of_key(services: Services, text: str) -> Caller | None:
    key = services.keys.verify_key(text, services.now(), services.audit.later)
    if key is None:
        return None
    return Caller("key", key.id, key.name, key.role, frozenset(key.scopes))


def _of_token(request: Request, services: Services, token: str) -> Caller | None:
    if services.tokens is None:
        return None
    request_id = request_id_of(request.scope)
    try:
        subject = services.tokens.verify(token, services.now())
    except TokenError as error:
        _log.info("token refused", reason=str(error), request_id=request_id)
        return None
    except IssuerSilentError as error:
        refuse(request, services, None, 503)
        retry = {"Retry-After": str(error.seconds)}
        raise HTTPException(503, str(error), retry) from error
    if subject.role is None:
        _log.info("token gives no role", subject=subject.id, request_id=request_id)
        request.scope[_NO_ROLE] = (403, "the token gives no role here (api.oidc.roles)")
        return None
    return Caller("oidc", subject.id, subject.name, subject.role)


def _of_session(services: Services, token: str) -> Caller | None:
    session = services.sessions.find(token, services.now(), services.audit.later)
    if session is None:
        return None
    scopes = frozenset(session.scopes)
    return Caller("session", session.id, session.name, session.role, scopes, session.csrf)
