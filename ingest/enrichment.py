"""Enrichment: what all sources share beyond a line's own text: geo data, routes, pseudonyms."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ingest.geo import GeoData
from ingest.pseudonyms import Pseudonyms
from ingest.route_documents import RouteDocument
from ingest.route_learning import RouteLearner
from ingest.routes import RouteTemplates


@dataclass
class Enrichment:
    """Geo data, route templates and pseudonyms; they change in `refresh` only.

    `learner` watches accepted events for route templates, None if it shall not.
    """

    geo: GeoData | None = None
    documents: Sequence[RouteDocument] = ()
    pseudonyms: Pseudonyms | None = None
    learner: RouteLearner | None = None
    routes: RouteTemplates = field(init=False)
    _unreadable: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.routes = RouteTemplates(self.documents)

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same lines could become other events."""
        parts = [self.geo.fingerprint if self.geo else "", self.routes.fingerprint]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def pseudonymises(self) -> bool:
        """Whether people are kept as pseudonyms."""
        return self.pseudonyms is not None and self.pseudonyms.pseudonymises

    def observe(self, events: pl.DataFrame) -> None:
        """Learn from accepted events of EVENT_SCHEMA."""
        if self.learner is not None:
            self.learner.observe(events)

    def refresh(self) -> bool:
        """Take up replaced geo data and learned routes; only at a snapshot. True if it changed."""
        before = self.fingerprint
        if self.geo is not None:
            self.geo.reload()
        if self.learner is not None:
            self._adopt(self.learner.proposals())
        return self.fingerprint != before

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON."""
        return {} if self.learner is None else {"routes": self.learner.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with what was learned before; what cannot be read is among the problems."""
        if self.learner is None or "routes" not in state:
            return
        try:
            self.learner.restore(state["routes"])
        except ValueError as error:
            self._unreadable = [f"learned routes: {error}; learning begins anew"]
        self._adopt(self.learner.proposals())

    def _adopt(self, proposals: Sequence[str]) -> None:
        if tuple(sorted(proposals)) != self.routes.learned:
            self.routes = RouteTemplates(self.documents, proposals)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the geo data, or with what was learned before."""
        return [*self._unreadable, *([] if self.geo is None else self.geo.problems)]
