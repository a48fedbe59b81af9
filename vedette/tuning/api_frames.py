"""The incident API as pandas frames, and a service over simulated data to ask.

Uses HTTP as anybody would, so it works with your own service. pandas is imported when it is used.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import structlog
from pydantic import SecretStr

if TYPE_CHECKING:
    import pandas as pd

#: Seconds that an answer may take.
_TIMEOUT: Final = 30

_START: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
_TIMES: Final = ("started_at", "last_at", "first", "last", "time", "at")


class ApiError(Exception):
    """The API refused; the message is its own."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a service: its address, as https://vedette.example:8787, and a key for it."""

    url: str
    key: SecretStr = field(repr=False)

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - whatever JSON says
        """Return an answer of /api/v1, as plain data; raises ApiError."""
        return self._ask("GET", path, query)

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401
        """Send something to /api/v1 and return the answer; raises ApiError."""
        return self._ask("POST", path, {}, json.dumps(body).encode())

    def every(self, path: str, **query: object) -> "pd.DataFrame":
        """Return all pages of a list as a frame, a row an item; times are times."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.get(path, **query, **more)
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return frame(items)

    def _ask(
        self, method: str, path: str, query: dict[str, object], body: bytes | None = None
    ) -> Any:  # noqa: ANN401
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise ApiError(f"{self.url}: an address begins with https:// or http://")
        asked = {name: value for name, value in query.items() if value is not None}
        told = f"?{urlencode(asked, doseq=True)}" if asked else ""
        request = Request(  # noqa: S310 - the scheme is looked at above
            f"{self.url}/api/v1{path}{told}",
            data=body,
            method=method,
            headers={
                "Authorization": f"Bearer {self.key.get_secret_value()}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                return json.loads(answer.read() or "null")
        except HTTPError as error:
            problem = json.loads(error.read() or "{}")
            reason = problem.get("detail") or problem.get("title") or error.reason
            raise ApiError(f"{path}: {error.code} {reason}") from error


def frame(items: list[dict[str, Any]]) -> "pd.DataFrame":
    """Return objects of the API as a frame, a row each; times are times (UTC)."""
    import pandas as pd

    found = pd.DataFrame(items)
    for name in _TIMES:
        if name in found:
            found[name] = pd.to_datetime(found[name], utc=True, format="ISO8601")
    return found


@contextmanager
def simulated_service(seed: int = 5, hours: float = 1.0) -> Iterator[Api]:
    """Give the API of a service on loopback that has read some hours of a simulated shop.

    Everything is in a folder of its own, which is gone afterwards.
    """
    from vedette.tuning.exploring import SCENARIOS

    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="vedette-")))
        from vedette.simulation import lines, simulate

        run = simulate(
            seed, _START, timedelta(hours=hours), requests_per_second=1.0, scenarios=SCENARIOS
        )
        log = folder / "access.json"
        log.write_text("".join(f"{line}\n" for line in lines(run, "json")), encoding="utf-8")
        yield opened.enter_context(service_over([str(log)], folder))


@contextmanager
def service_over(logs: list[str], folder: Path, config: str | Path | None = None) -> Iterator[Api]:
    """Give the API of a service on loopback over the incidents of some logs.

    Its database and secret are kept in the folder.
    """
    from alerts.access.keys import KeyStore, Role
    from alerts.database.opening import open_database
    from alerts.storage.store import Store
    from api.application import create_api
    from api.health import HealthReport
    from api.server import serve
    from ingest.reader import LogReader
    from vedette.detecting import detection_of
    from vedette.folders import sqlite_url
    from vedette.one_run import secret_for_files
    from vedette.rules import catalogue_of
    from vedette.scan import scan
    from vedette.settings import load_settings
    from vedette.sources import enrichment_of, sources_for

    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet)  # what is told of changes is no part of a notebook
    settings = load_settings(None if config is None else Path(config))
    sources = sources_for(logs, settings, "auto")
    reader = LogReader(sources, enrichment=enrichment_of(settings, secret_for_files()))
    with ExitStack() as opened:
        engine = open_database(sqlite_url(folder / "incidents.db"))
        opened.callback(engine.dispose)
        scan(reader, detection_of(settings, catalogue_of(settings)), lambda: Store(engine))
        secret = folder / "server.secret"
        application = create_api(engine, secret, health=lambda: HealthReport(healthy=True))
        opened.callback(application.state.services.audit.close)
        _, key = KeyStore(engine, secret).create_key("notebook", Role.ANALYST, datetime.now(UTC))
        server = serve(application, port=0)
        opened.callback(server.stop)
        yield Api(server.url, key)
