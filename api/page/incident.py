"""/incidents/{id}: what happened, how much of it, what was done, and what to do."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from alerts.actions import why_missing
from alerts.exports.written import FORMATS
from alerts.incidents.decisions import LEGAL
from alerts.lists.queries import get_incident
from api.access import Call
from api.incidents import IncidentId
from api.page.access import PageViewer, is_fragment
from api.page.claims import claims
from api.page.faults import PageRoute
from api.page.history import history
from api.page.rendering import render, render_missing
from api.versions import etag

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/incidents/{incident_id}")
def incident(
    call: Annotated[Call, Depends(PageViewer("incidents"))], incident_id: IncidentId
) -> Response:
    """Show one incident with all that is kept about it."""
    detail = get_incident(call.engine, incident_id)
    if detail is None:
        return render_missing(call, f"{why_missing(call.engine, incident_id)}.")
    view = detail.incident
    known = {each.name: each for each in call.services.detectors()}
    return render(
        call,
        "_incident.html" if is_fragment(call.request) else "incident.html",
        detail=detail,
        incident=view,
        etag=etag(view.id, detail.version),
        claims=claims(detail.findings, known),
        history=history(detail),
        may_become=LEGAL[view.status],  # type: ignore[index] # a stored status is one of these
        formats=FORMATS,
    )
