"""GET /api/v1/incidents/{id}/points: what detectors counted over time, against their limits."""

from typing import Annotated

from fastapi import APIRouter, HTTPException

from alerts.access.keys import Role
from alerts.actions import why_missing
from alerts.lists.counted import Counted, counted
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incidents import IncidentId

router = APIRouter(prefix=f"{API_PREFIX}/incidents", tags=["incidents"])


@router.get("/{incident_id}/points", responses=answers({404: "No such incident, or it is gone"}))
def points(
    call: Annotated[Call, RequireRole.of(Role.VIEWER, "incidents")], incident_id: IncidentId
) -> tuple[Counted, ...]:
    """Return what was counted in it, by detector: values that went beyond limits, and these."""
    found = counted(call.engine, incident_id)
    if found is None:
        raise HTTPException(404, why_missing(call.engine, incident_id))
    return found
