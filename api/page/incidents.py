"""/: the incidents, the last active first, live."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response

from alerts.incidents.views import IncidentView
from alerts.lists.filters import IncidentFilter
from alerts.lists.queries import CursorError, Page, list_incidents, versions_of
from api.access import Call
from api.page import incident_filters
from api.page.access import PageViewer, is_fragment
from api.page.faults import PageRoute
from api.page.incident_filters import PAGE, Chosen, FilterError
from api.page.rendering import render
from api.versions import etag

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_NOTHING: Final[Page[IncidentView]] = Page((), None)


@router.get("/")
def incidents(call: Annotated[Call, Depends(PageViewer("incidents"))]) -> Response:
    """Show a page of incidents, and what to choose them by."""
    chosen = Chosen.of(call.request.query_params)
    page, wrong = _page(call, chosen)
    versions = versions_of(call.engine, page.items)
    # No incident has the version 0: what changed while the list was read is read anew first.
    etags = {each.id: etag(each.id, versions.get(each.id, 0)) for each in page.items}
    values: dict[str, Any] = {"chosen": chosen, "page": page, "wrong": wrong, "etags": etags}
    if is_fragment(call.request):
        return render(call, "_incidents.html", **values)
    detectors = sorted(each.name for each in call.services.detectors())
    return render(call, "incidents.html", **values, detectors=detectors, choices=incident_filters)


def _page(call: Call, chosen: Chosen) -> tuple[Page[IncidentView], str | None]:
    """Return what to list; nothing, and why, if it was chosen as nothing can be."""
    try:
        wanted: IncidentFilter = chosen.filter(call.caller.name, call.now())
        return list_incidents(call.engine, wanted, chosen.cursor, PAGE), None
    except (CursorError, FilterError) as error:
        return _NOTHING, str(error)
