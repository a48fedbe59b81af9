"""/: the incidents, the last active first, live."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from alerts.queries import list_incidents
from api.access import Call
from api.page.access import PageViewer, is_fragment
from api.page.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/")
def incidents(call: Annotated[Call, Depends(PageViewer("incidents"))]) -> Response:
    """Show a page of incidents."""
    page = list_incidents(call.engine)
    template = "_incidents.html" if is_fragment(call.request) else "incidents.html"
    return render(call, template, page=page)
