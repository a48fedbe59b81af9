"""GET /api/v1/traffic: requests, errors, bytes and durations; what and who is asked for most."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from alerts.access.keys import Role
from alerts.traffic.queries import (
    TrafficRangeError,
    TrafficSeries,
    TrafficService,
    TrafficTops,
    traffic_series,
    traffic_services,
    traffic_tops,
)
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incident_query import Time
from ingest.masking import printable

router = APIRouter(prefix=f"{API_PREFIX}/traffic", tags=["traffic"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "traffic")]

_REFUSED = answers({400: "The time is empty, or too long for such points"})


class WantedTraffic(BaseModel):
    """Whose traffic, and when (event time); unknown parameters are refused.

    Without `service` all services together; `role` is where requests were seen. Without `until`
    up to the newest minute there is, without `since` a day.
    """

    model_config = ConfigDict(extra="forbid")

    service: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    role: Literal["edge", "internal"] = "edge"
    since: Time | None = None
    until: Time | None = None

    @property
    def name(self) -> str | None:
        """The service as it is stored."""
        return None if self.service is None else printable(self.service)


class WantedSeries(WantedTraffic):
    """What `WantedTraffic` says; and `step`, the length of points in seconds, whole minutes.

    Without it as long as it takes for 300 points or fewer.
    """

    step: Annotated[int, Field(ge=60, le=604_800, multiple_of=60)] | None = None


class WantedTops(WantedTraffic):
    """What `WantedTraffic` says; and how many routes and countries."""

    limit: Annotated[int, Field(ge=1, le=30)] = 10


@dataclass(frozen=True, slots=True)
class TrafficAnswer(TrafficSeries):
    """A series, and the services that have one."""

    services: tuple[TrafficService, ...]


@router.get("", responses=_REFUSED)
def series(call: Viewer, wanted: Annotated[WantedSeries, Query()]) -> TrafficAnswer:
    """Tell the traffic of a service or of all, in points of even length: at most 1,500."""
    with _refusing():
        found = traffic_series(
            call.engine,
            service=wanted.name,
            role=wanted.role,
            since=wanted.since,
            until=wanted.until,
            step=wanted.step,
        )
    parts = {name: getattr(found, name) for name in TrafficSeries.__slots__}
    return TrafficAnswer(**parts, services=tuple(traffic_services(call.engine)))


@router.get("/top", responses=_REFUSED)
def top(call: Viewer, wanted: Annotated[WantedTops, Query()]) -> TrafficTops:
    """List the routes and countries with the most requests, by whole hours: at most 31 days."""
    with _refusing():
        return traffic_tops(
            call.engine,
            service=wanted.name,
            role=wanted.role,
            since=wanted.since,
            until=wanted.until,
            limit=wanted.limit,
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer 400 for times that cannot be told."""
    try:
        yield
    except TrafficRangeError as error:
        raise HTTPException(400, str(error)) from error
