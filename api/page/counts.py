"""/incidents/{id}/chart: what an incident's detectors counted, to be drawn."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from alerts.actions import why_missing
from alerts.lists.counted import counted
from api.access import Call
from api.incidents import IncidentId
from api.page.access import PageViewer
from api.page.charts import Charts, of_incident
from api.page.faults import PageRoute

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/incidents/{incident_id}/chart")
def chart(
    call: Annotated[Call, Depends(PageViewer("incidents"))], incident_id: IncidentId
) -> Charts:
    """Return the points of an incident as charts."""
    found = counted(call.engine, incident_id)
    if found is None:
        raise HTTPException(404, why_missing(call.engine, incident_id))
    return of_incident(found)
