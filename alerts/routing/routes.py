"""Who is told of an incident: routes, in their order, as in Alertmanager."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from alerts.routing.matchers import FIELDS, Matchers

if TYPE_CHECKING:
    from alerts.incidents.views import IncidentView

#: What rows may be bundled by, beside the fields of matchers: each incident by itself.
INCIDENT: Final = "incident"

#: All that rows may be bundled by.
GROUP_FIELDS: Final = (INCIDENT, *FIELDS)


@dataclass(frozen=True, slots=True)
class Route:
    """Incidents that `targets` are told of, how soon, how bundled, and how often.

    Without `proceed` no later route is asked about an incident that matches.
    """

    name: str
    targets: tuple[str, ...]
    match: Matchers = field(default_factory=Matchers)
    proceed: bool = False
    group_by: tuple[str, ...] = (INCIDENT,)
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(0)
    repeat_interval: timedelta | None = None
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What became of an incident at one route, and why.

    `taken`: its targets are told, and later routes are asked only if it goes on; `passed`: its
    matchers do not match; `not asked`: an earlier route was the last one.
    """

    route: Route
    outcome: Literal["taken", "passed", "not asked"]
    reason: str


class Routing:
    """All routes. An incident that none matches is stored, and nobody is told."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._by_name = {route.name: route for route in routes}

    @classmethod
    def everything_to(cls, *targets: str) -> "Routing":
        """Return the routing that tells these targets of every incident, at once."""
        return cls([Route("all", targets)]) if targets else cls([])

    def targets(self, incident: "IncidentView") -> list[tuple[str, str]]:
        """Return the targets to tell, each once, with the name of the first route to it."""
        named: dict[str, str] = {}
        for route in self.matching(incident):
            for target in route.targets:
                named.setdefault(target, route.name)
        return list(named.items())

    def matching(self, incident: "IncidentView") -> Iterator[Route]:
        """Give the routes that an incident takes, in their order."""
        for route in self.routes:
            if route.match.matches(incident):
                yield route
                if not route.proceed:
                    return

    def explain(self, incident: "IncidentView") -> list[Step]:
        """Return for every route, in their order, whether the incident takes it, and why."""
        steps: list[Step] = []
        last: Route | None = None
        for route in self.routes:
            if last is not None:
                steps.append(Step(route, "not asked", f"{last.name} was the last one"))
                continue
            mismatch = route.match.mismatch(incident)
            if mismatch is not None:
                steps.append(Step(route, "passed", mismatch))
                continue
            goes_on = "continues" if route.proceed else "the last one"
            steps.append(Step(route, "taken", f"{route.match} matches; {goes_on}"))
            last = None if route.proceed else route
        return steps

    def route(self, name: str) -> Route:
        """Return the route of a name; one that is gone waits for nothing and bundles nothing."""
        return self._by_name.get(name, Route(name, ()))
