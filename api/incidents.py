"""GET /api/v1/incidents: the list, and one with everything."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from alerts.keys import Role
from alerts.lifecycle import Status
from alerts.queries import PAGE_LIMIT, CursorError, IncidentFilter, get_incident, list_incidents
from api.access import API_PREFIX, RequireRole
from api.answers import IncidentAnswer, IncidentPage
from api.services import WithServices
from detectors.findings import EntityType, Level

#: Members that each incident of a list names; one asked for by its number names more.
MEMBERS_LISTED: Final = 10

router = APIRouter(
    prefix=f"{API_PREFIX}/incidents",
    tags=["incidents"],
    dependencies=[Depends(RequireRole(Role.VIEWER))],
)


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


_Time = Annotated[AwareDatetime, AfterValidator(_utc)]


class IncidentQuery(BaseModel):
    """Filters of the list; unknown ones are refused. Times need a zone, best Z."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    severity_min: Literal["informational", "low", "medium", "high", "critical"] | None = None
    entity_type: EntityType | None = None
    entity: Annotated[str, Field(max_length=512)] | None = None
    detector: Annotated[str, Field(max_length=128)] | None = None
    since: _Time | None = None
    until: _Time | None = None
    mode: Literal["alert", "monitor", "any"] = "alert"
    parent: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    include_members: bool = False
    cursor: Annotated[str, Field(max_length=256)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50

    def wanted(self) -> IncidentFilter:
        """Return the filters as the queries take them."""
        return IncidentFilter(
            statuses=(self.status,) if self.status else (),
            severity_min=Level[self.severity_min.upper()] if self.severity_min else None,
            entity_type=self.entity_type,
            entity=self.entity,
            detector=self.detector,
            since=self.since,
            until=self.until,
            mode=self.mode,
            parent=self.parent,
            include_members=self.include_members,
        )


@router.get("", response_model=IncidentPage)
def list_all(
    request: Request,
    response: Response,
    services: WithServices,
    query: Annotated[IncidentQuery, Query()],
) -> IncidentPage:
    """List incidents, the last active first; the Link header leads to the next page.

    An incident that is part of one about many clients is listed only if asked for.
    """
    try:
        page = list_incidents(services.engine, query.wanted(), query.cursor, query.limit)
    except CursorError as error:
        raise HTTPException(400, str(error)) from error
    if page.next_cursor is not None:
        onwards = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{onwards.path}?{onwards.query}>; rel="next"'
    items = tuple(replace(item, members=item.members[:MEMBERS_LISTED]) for item in page.items)
    return IncidentPage(items, page.next_cursor)


@router.get(
    "/{incident_id}",
    response_model=IncidentAnswer,
    responses={304: {"description": "Not changed"}, 404: {"description": "No such incident"}},
)
def read_one(
    response: Response,
    services: WithServices,
    incident_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    if_none_match: Annotated[str | None, Header(max_length=256)] = None,
) -> Any:  # noqa: ANN401 - the model above, or 304 without a body
    """Return one incident with findings, evidence and timeline."""
    detail = get_incident(services.engine, incident_id)
    if detail is None:
        raise HTTPException(404, "there is no such incident")
    etag = f'"{incident_id}-{detail.version}"'
    if if_none_match and etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return detail.to_dict()
