"""/login and /api/v1/session: from a single-use code to a session of the page, and out again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.access.keys import Role
from api.access import COOKIE, SECURE_COOKIE, Call, Caller, RequireRole, may_try, refuse
from api.description import API_PREFIX, answers
from api.services import WithServices

router = APIRouter(tags=["session"])


class Login(BaseModel):
    """The code of a log-in link. It comes in the body: addresses end in logs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"code": "the part after #code="}]}
    )

    code: Annotated[str, Field(min_length=1, max_length=128)]


@dataclass(frozen=True, slots=True)
class SessionAnswer:
    """Who is logged in. `csrf` goes into X-CSRF-Token with whatever changes something."""

    name: str
    role: str
    kind: str
    csrf: str | None
    expires_at: datetime | None = None


@router.post("/login", responses=answers({403: "The code does not work, or not any more"}))
def log_in(
    request: Request, response: Response, services: WithServices, body: Login
) -> SessionAnswer:
    """Begin a session with the code of a log-in link, which is used up by that."""
    address = may_try(request, services)
    begun = services.sessions.begin(body.code, services.now())
    if begun is None:
        services.limits.charge("authentication", address)
        refuse(request, services, None, 403)
        raise HTTPException(403, "the link was used or is too old: make one with `vedette login`")
    session, token = begun
    secure = request.url.scheme == "https"
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        token.get_secret_value(),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    scopes = frozenset(session.scopes)
    caller = Caller("session", session.id, session.name, session.role, scopes, session.csrf)
    Call(request, response, services, caller).record(f"session {session.id}")
    return SessionAnswer(
        session.name, session.role.label, "session", session.csrf, session.expires_at
    )


@router.get(f"{API_PREFIX}/session")
def who(call: Annotated[Call, RequireRole.of(Role.VIEWER)]) -> SessionAnswer:
    """Say who asks: the key or the session."""
    return SessionAnswer(
        call.caller.name, call.caller.role.label, call.caller.kind, call.caller.csrf
    )


@router.delete(f"{API_PREFIX}/session", status_code=204)
def log_out(
    call: Annotated[Call, RequireRole.of(Role.VIEWER)],
) -> None:
    """End the session at once. A key goes on working."""
    if call.caller.kind == "session":
        call.services.sessions.end(call.caller.id)
        call.record(f"session {call.caller.id}")
    for name in (COOKIE, SECURE_COOKIE):
        call.response.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True)
