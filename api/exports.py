"""GET /api/v1/incidents/{id}/export: an incident for other programs, as a file."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from alerts.access.keys import Role
from alerts.actions import why_missing
from alerts.exports.written import MEDIA_TYPES, ExportFormat, exported
from alerts.lists.queries import get_incident
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incidents import IncidentId

#: How files are called in the end.
_ENDINGS: Final[dict[ExportFormat, str]] = {"json": "json", "ocsf": "ocsf.json", "csv": "csv"}

router = APIRouter(prefix=f"{API_PREFIX}/incidents", tags=["incidents"])


@router.get(
    "/{incident_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The incident as a file",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}}
                for kind in MEDIA_TYPES.values()
            },
            "headers": {
                "Content-Disposition": {
                    "schema": {"type": "string"},
                    "description": "what a file of it is called",
                }
            },
        },
        **answers({404: "No such incident, or it is gone"}),
    },
)
def export_one(
    call: Annotated[Call, RequireRole.of(Role.VIEWER, "incidents", "export")],
    incident_id: IncidentId,
    format: Annotated[ExportFormat, Query()] = "json",  # noqa: A002 - the parameter's name
) -> Response:
    """Return one incident as JSON (everything), OCSF Detection Finding or CSV."""
    detail = get_incident(call.engine, incident_id)
    if detail is None:
        raise HTTPException(404, why_missing(call.engine, incident_id))
    name = f"incident-{incident_id}.{_ENDINGS[format]}"
    headers = {**call.response.headers, "Content-Disposition": f'attachment; filename="{name}"'}
    text = "".join(exported([detail], format, call.services.version))
    return Response(text, 200, headers, MEDIA_TYPES[format])
