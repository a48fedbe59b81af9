"""GET /api/v1/endpoints: what answers, since when, how much, and to whom."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from alerts.access.keys import Role
from alerts.lists.filters import TEXT_LIMIT
from alerts.traffic.endpoints import (
    EndpointQuery,
    NoSuchEndpointError,
    StoredEndpoint,
    list_endpoints,
)
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incident_query import Name, Number, Time
from ingest.masking import printable

router = APIRouter(prefix=f"{API_PREFIX}/endpoints", tags=["endpoints"])


class WantedEndpoints(BaseModel):
    """Filters of endpoints, and which page of them; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    service: Name | None = None
    method: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] | None = None
    state: (
        Literal["declared", "deprecated", "undeclared", "undeclared method", "unknown"] | None
    ) = None
    caller: Literal["user", "api_key", "none"] | None = None
    role: Literal["edge", "internal"] | None = None
    since: Time | None = None
    new_since: Time | None = None
    days: Annotated[int, Field(ge=1, le=400)] | None = None
    after: Number | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    def query(self) -> EndpointQuery:
        """Return the filters as the query takes them."""
        return EndpointQuery(
            service=None if self.service is None else printable(self.service),
            method=None if self.method is None else printable(self.method),
            text=None if self.text is None else printable(self.text),
            role=self.role,
            standing=self.state,
            authentication=self.caller,
            since=self.since,
            new_since=self.new_since,
        )


@dataclass(frozen=True, slots=True)
class EndpointPage:
    """Endpoints by service, path and method; `next_after` asks for more, null after the last."""

    items: tuple[StoredEndpoint, ...]
    next_after: int | None


@router.get("", responses=answers({400: "The endpoint after which the page begins is gone"}))
def list_all(
    call: Annotated[Call, RequireRole.of(Role.VIEWER, "endpoints")],
    wanted: Annotated[WantedEndpoints, Query()],
) -> EndpointPage:
    """List the endpoints that answered, with the counts of the last `days`, or of all."""
    try:
        found = list_endpoints(
            call.engine,
            wanted.query(),
            days=wanted.days,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
    except NoSuchEndpointError as error:
        raise HTTPException(400, f"{error}; begin again without after") from error
    items = tuple(found[: wanted.limit])
    more = len(found) > wanted.limit
    return EndpointPage(items, items[-1].id if more else None)
