"""Vedette's own access log: who is refused, what is not there, and who logs in, as lines of JSON.

The service reads it like any other log, so whoever guesses keys or looks for routes becomes an
incident. What is answered is left out: nothing that a page, a dashboard or a bouncer asks for in
its ordinary way is a line, so that reading incidents makes none. Nor are user agents: who changes
theirs with each request would look like many people behind one address.
"""

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts.database.times import utc_now
from api.middleware import request_id_of
from ingest.masking import mask, printable
from ingest.times import iso

#: What it is called in its folder; the one before it ends in .1, older ones are deleted.
FILE: Final = "vedette.ndjson"

#: Bytes of a file.
FILE_LIMIT: Final = 8 << 20

#: Lines of one second; further ones are left out: that there are many is known by then.
SECOND_LIMIT: Final = 200

#: Characters of a path, and of a query.
TEXT_LIMIT: Final = 2_000

#: Answers that say that somebody was refused, or asked for what is not there.
_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 413, 414, 421, 429, 431})
_LOGIN: Final = ("POST", "/login")

_PRIVATE: Final = 0o600
_FOLDER: Final = 0o700

_log: Final = structlog.get_logger(__name__)


class AccessLog:
    """Lines in a folder, whose files are for its owner alone. One thread writes it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, and a file that can be followed at once; raises OSError."""
        folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        self.path = folder / FILE
        os.close(self._opened())
        self._second = 0.0
        self._left = SECOND_LIMIT
        self._told = False

    def write(self, line: dict[str, Any]) -> None:
        """Write a line, unless there are too many this second or the disk takes none."""
        second = monotonic() // 1
        if second != self._second:
            self._second, self._left = second, SECOND_LIMIT
        if self._left <= 0:
            return
        self._left -= 1
        try:
            self._append(json.dumps(line).encode() + b"\n")
        except OSError as error:
            if not self._told:
                _log.warning("the access log cannot be written", reason=error.strerror)
            self._told = True
        else:
            self._told = False

    def _append(self, line: bytes) -> None:
        file = self._opened()
        try:
            os.write(file, line)
            size = os.fstat(file).st_size
        finally:
            os.close(file)
        if size >= FILE_LIMIT:
            with suppress(FileNotFoundError):
                self.path.replace(self.path.with_name(f"{FILE}.1"))

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        return os.open(self.path, flags, _PRIVATE)


class LogsAccess:
    """Writes a line for each request that is refused, finds nothing, or logs in."""

    def __init__(self, app: ASGIApp, log: AccessLog) -> None:
        self.app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then write."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, noted)
        if status in _REFUSED or (scope["method"], scope["path"]) == _LOGIN:
            taken = round((perf_counter() - began) * 1_000_000)
            self._log.write(line_of(scope, status, taken, utc_now()))


def line_of(scope: Scope, status: int, duration_us: int, now: datetime) -> dict[str, Any]:
    """Return what is written of a request: masked, and of bounded length."""
    client = scope.get("client")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return {
        "timestamp": iso(now),
        "client_ip": client[0] if client else None,
        "method": printable(scope["method"])[:TEXT_LIMIT],
        "path": mask(printable(path))[:TEXT_LIMIT],
        "query": mask(printable(scope["query_string"].decode("latin-1")))[:TEXT_LIMIT] or None,
        "status": status,
        "duration_us": duration_us,
        "request_id": request_id_of(scope),
    }
