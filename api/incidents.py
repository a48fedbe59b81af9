"""GET /api/v1/incidents and below: the list, one with everything, and what people decide."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, HTTPException, Path, Query, Response

from alerts.access.keys import Role
from alerts.actions import (
    Change,
    IllegalChangeError,
    NoSuchIncidentError,
    VersionConflictError,
    change_incident,
    why_missing,
)
from alerts.lists.details import IncidentDetail, Telling
from alerts.lists.queries import CursorError, get_incident, list_incidents
from alerts.lists.related import Related
from api.access import Call, RequireRole
from api.answers import IncidentAnswer, IncidentPage
from api.changes import CommentBody, IncidentChange
from api.description import API_PREFIX, answers
from api.incident_query import IncidentQuery
from api.versions import etag, same_version, wanted_version

#: Members that each incident of a list names; one asked for by its number names more.
MEMBERS_LISTED: Final = 10

router = APIRouter(prefix=f"{API_PREFIX}/incidents", tags=["incidents"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "incidents")]
Analyst = Annotated[Call, RequireRole.of(Role.ANALYST, "incidents")]
IncidentId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]
IfMatch = Annotated[str | None, Header(max_length=256, examples=['"1-3"'])]

_MISSING: Final = {404: "No such incident, or it is gone"}
_CHANGING: Final = {
    **_MISSING,
    409: "The change does not fit the incident as it is",
    412: "Somebody else changed it meanwhile",
}


@router.get("", response_model=IncidentPage, responses=answers({400: "Unknown cursor"}))
def list_all(
    call: Viewer,
    query: Annotated[IncidentQuery, Query()],
) -> IncidentPage:
    """List incidents, the last active first; the Link header leads to the next page.

    An incident that is part of one about many clients is listed only if asked for.
    """
    try:
        page = list_incidents(call.engine, query.filter(), query.cursor, query.limit)
    except CursorError as error:
        raise HTTPException(400, str(error)) from error
    if page.next_cursor is not None:
        onwards = call.request.url.include_query_params(cursor=page.next_cursor)
        call.response.headers["Link"] = f'<{onwards.path}?{onwards.query}>; rel="next"'
    items = tuple(replace(item, members=item.members[:MEMBERS_LISTED]) for item in page.items)
    return IncidentPage(items, page.next_cursor)


@router.get(
    "/{incident_id}",
    response_model=IncidentAnswer,
    responses=answers({304: "Not changed", **_MISSING}),
)
def read_one(
    call: Viewer,
    incident_id: IncidentId,
    if_none_match: Annotated[str | None, Header(max_length=256)] = None,
) -> Any:  # noqa: ANN401 - the model above, or 304 without a body
    """Return one incident with findings, evidence and timeline."""
    detail = _detail(call, incident_id, surroundings=False)
    tag = etag(incident_id, detail.version)
    if if_none_match and same_version(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    call.response.headers["ETag"] = tag
    return detail.to_dict()


@router.patch(
    "/{incident_id}",
    response_model=IncidentAnswer,
    responses=answers({**_CHANGING, 428: "If-Match is missing"}),
)
def change_one(
    call: Analyst,
    incident_id: IncidentId,
    body: IncidentChange,
    if_match: IfMatch = None,
) -> Any:  # noqa: ANN401 - the model above
    """Change status, resolution, assignee or labels of the version that If-Match names."""
    version = wanted_version(if_match, incident_id)
    return _changed(call, incident_id, body.change(), version)


@router.post(
    "/{incident_id}/comments",
    response_model=IncidentAnswer,
    status_code=201,
    responses=answers(_CHANGING),
)
def comment(
    call: Analyst,
    incident_id: IncidentId,
    body: CommentBody,
) -> Any:  # noqa: ANN401 - the model above
    """Add a comment; whatever version the incident has by now."""
    change = Change(comment=body.text)
    return _changed(call, incident_id, change, None)


@router.get("/{incident_id}/related", responses=answers(_MISSING))
def related(call: Viewer, incident_id: IncidentId) -> tuple[Related, ...]:
    """Return incidents that have to do with it, and why; the closest first."""
    return _detail(call, incident_id).related


@router.get("/{incident_id}/deliveries", responses=answers(_MISSING))
def deliveries(call: Viewer, incident_id: IncidentId) -> tuple[Telling, ...]:
    """Return who was told of it when, or why not; the oldest first."""
    return _detail(call, incident_id).deliveries


def _detail(call: Call, identity: int, *, surroundings: bool = True) -> IncidentDetail:
    detail = get_incident(call.engine, identity, surroundings=surroundings)
    if detail is None:
        raise HTTPException(404, why_missing(call.engine, identity))
    return detail


def _changed(call: Call, identity: int, change: Change, version: int | None) -> dict[str, Any]:
    try:
        detail = change_incident(
            call.engine,
            identity,
            change,
            actor=call.caller.name,
            version=version,
            now=call.now(),
            routing=call.services.routing,
        )
    except NoSuchIncidentError as error:
        raise HTTPException(404, str(error)) from error
    except VersionConflictError as error:
        tag = etag(identity, error.current)
        raise HTTPException(412, str(error), {"ETag": tag}) from error
    except IllegalChangeError as error:
        raise HTTPException(409, str(error)) from error
    call.record(f"incident {identity}", {"version": detail.version})
    call.services.changed()
    call.response.headers["ETag"] = etag(identity, detail.version)
    return detail.to_dict()
