"""Around every request: an id, a limit of length, and headers that keep browsers strict."""

import re
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: Bytes of path and query together.
TARGET_LIMIT: Final = 4_096

_SCOPE_KEY: Final = "vedette.request_id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """Return the id of the request, given by the caller or made here."""
    request_id: str = scope.get(_SCOPE_KEY, "")
    return request_id


class RequestIds:
    """Takes X-Request-Id if it is harmless, else makes one; sends it back."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the request's id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex
        scope[_SCOPE_KEY] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with strict headers."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_strictly)


class TargetLimit:
    """Refuses requests whose path and query are longer than TARGET_LIMIT."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 414."""
        if scope["type"] == "http":
            length = len(scope.get("raw_path") or scope["path"].encode())
            if length + len(scope["query_string"]) > TARGET_LIMIT:
                await _too_long(scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _too_long(scope: Scope) -> JSONResponse:
    content = {
        "type": "about:blank",
        "title": "URI Too Long",
        "status": 414,
        "request_id": request_id_of(scope),
        "detail": f"path and query may have {TARGET_LIMIT} bytes",
    }
    return JSONResponse(content, 414, media_type="application/problem+json")
