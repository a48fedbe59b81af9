"""The page on a socket, over a database of its own."""

from dataclasses import dataclass

from alerts.access.keys import Role
from alerts.lists.queries import IncidentFilter, list_incidents
from alerts.storage.store import Store
from api.server import ApiServer
from tests.api.calls import Api, finding


@dataclass
class Site:
    """The application that is served, and what stores incidents as the worker does."""

    api: Api
    server: ApiServer
    store: Store

    def link(self, name: str = "mia") -> str:
        return f"{self.server.url}/login#code={self.api.code(Role.ANALYST, name)}"

    def number(self, entity: str) -> int:
        """Return the incident about an entity."""
        (incident,) = list_incidents(self.api.engine, IncidentFilter(entity=entity)).items
        return incident.id

    def record(self, entity: str, minutes: float = 0, detector: str = "recon") -> int:
        """Store an incident, as the worker does."""
        found = finding(minutes, entity, detector)
        self.store.record([found], watermark=None)
        return self.number(entity)
