"""Around every request: an id, limits of size and number, known hosts, and strict headers."""

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

#: Sent over TLS: browsers are not to come without it for two years.
STRICT_TRANSPORT: Final = "max-age=63072000; includeSubDomains"

#: Bytes of path and query together, of the body, and of header names and values.
TARGET_LIMIT: Final = 4_096
BODY_LIMIT: Final = 65_536
HEADER_LIMIT: Final = 16_384

#: Headers and parameters of a query.
HEADERS: Final = 100
PARAMETERS: Final = 100

_SCOPE_KEY: Final = "vedette.request_id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BODY: Final = f"a body may have {BODY_LIMIT} bytes"
_PROBLEM: Final = "application/problem+json"


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

        with bound_contextvars(request_id=request_id):  # whatever is logged for it says so
            await self.app(scope, receive, send_with_id)


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with strict headers."""
        strict = dict(SECURITY_HEADERS)
        if scope.get("scheme") == "https":
            strict["Strict-Transport-Security"] = STRICT_TRANSPORT

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in strict.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_strictly)


class KnownHosts:
    """Refuses requests for other hosts: a page of somebody's may point its name at this address.

    Without hosts all are known.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self.app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 421."""
        if scope["type"] == "http" and self._hosts:
            given = _hostname(Headers(scope=scope).get("host", ""))
            if given not in self._hosts:
                why = "this host is not one of api.hosts in the settings"
                await _refused(scope, 421, "Misdirected Request", why)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class SizeLimits:
    """Refuses what is longer than anything that is asked here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 413, 414 or 431; a body without a length is cut off at its limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _oversized(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_LIMIT:
                raise HTTPException(413, _BODY)
            return message

        await self.app(scope, counted, send)


class AddressLimit:
    """Refuses requests of an address beyond its limit, before anything is done for them.

    `charge` counts one and returns the headers of a refusal, None while it is allowed.
    """

    def __init__(
        self, app: ASGIApp, charge: Callable[[str | None], Mapping[str, str] | None]
    ) -> None:
        self.app = app
        self._charge = charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 429."""
        if scope["type"] == "http":
            client = scope.get("client")
            headers = self._charge(client[0] if client else None)
            if headers is not None:
                refusal = _refused(
                    scope, 429, "Too Many Requests", "too many requests from this address", headers
                )
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _oversized(scope: Scope) -> JSONResponse | None:
    length = len(scope.get("raw_path") or scope["path"].encode())
    if length + len(scope["query_string"]) > TARGET_LIMIT:
        return _refused(scope, 414, "URI Too Long", f"path and query may have {TARGET_LIMIT} bytes")
    if scope["query_string"].count(b"&") >= PARAMETERS:
        return _refused(scope, 414, "URI Too Long", f"a query may have {PARAMETERS} parameters")
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > HEADERS or size > HEADER_LIMIT:
        why = f"at most {HEADERS} headers and {HEADER_LIMIT} bytes of them"
        return _refused(scope, 431, "Request Header Fields Too Large", why)
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdigit() and int(declared) > BODY_LIMIT:
        return _refused(scope, 413, "Content Too Large", _BODY)
    return None


def _refused(
    scope: Scope, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    content = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "request_id": request_id_of(scope),
        "detail": detail,
    }
    return JSONResponse(content, status, headers, _PROBLEM)


def _hostname(host: str) -> str:
    """Return a Host header without its port, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
