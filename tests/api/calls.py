"""An application to be called, and what is stored for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from alerts.access.keys import KeyStore, Role, Scope
from alerts.access.sessions import SessionStore
from api.application import ApiOptions, create_api
from api.health import HealthReport
from detectors.findings import Evidence, Finding, Level

NOW = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def finding(minutes: float, entity: str = "203.0.113.7", detector: str = "recon") -> Finding:
    first = NOW + minutes * MINUTE
    return Finding(
        detector,
        "client",
        entity,
        first,
        first + MINUTE,
        43,
        10,
        "distinct missing paths",
        2 * MINUTE,
        Level.HIGH if detector == "burst" else Level.MEDIUM,
        evidence=(Evidence(first, "log", int(minutes * 60), "GET /.env 404", "/.env", 404),),
    )


@dataclass
class Api:
    engine: Engine
    keys: KeyStore
    app: FastAPI
    report: HealthReport
    clock: datetime = NOW
    opened: list[TestClient] = field(default_factory=list)

    def client(self, role: Role | None = Role.VIEWER, *scopes: Scope) -> TestClient:
        """Return a client with a key of its own, or with none."""
        headers = {}
        if role is not None:
            _, secret = self.keys.create_key("test", role, NOW, scopes=scopes)
            headers["Authorization"] = f"Bearer {secret.get_secret_value()}"
        client = TestClient(self.app, headers=headers, raise_server_exceptions=False)
        self.opened.append(client)
        return client

    def code(self, role: Role = Role.ANALYST, name: str = "mia") -> str:
        """Make a key and the code of a log-in link for it."""
        key, _ = self.keys.create_key(name, role, NOW)
        return self.sessions.create_code(key.id, self.clock).get_secret_value()

    @property
    def sessions(self) -> SessionStore:
        """The sessions of the application."""
        sessions: SessionStore = self.app.state.services.sessions
        return sessions


@contextmanager
def application(engine: Engine, folder: Path, options: ApiOptions | None = None) -> Iterator[Api]:
    """Give an application over a database; its report and clock can be set."""
    secret = folder / "secret"
    api: Api
    app = create_api(
        engine, secret, health=lambda: api.report, now=lambda: api.clock, options=options
    )
    report = HealthReport(healthy=True, details={"lag_seconds": 2.5}, lag={"access-0": 7})
    api = Api(engine, KeyStore(engine, secret), app, report)
    yield api
    for client in api.opened:
        client.close()
    app.state.services.audit.close()
