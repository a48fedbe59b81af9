"""/traffic: how much is asked and answered, and how Vedette itself fares."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from alerts.access.keys import Scope
from alerts.traffic.queries import (
    FIRST,
    TrafficSeries,
    traffic_known,
    traffic_series,
    traffic_services,
    traffic_tops,
)
from api.access import Call
from api.page.access import PageViewer, is_fragment
from api.page.charts import Charts, of_traffic
from api.page.faults import PageRoute
from api.page.rendering import render
from api.storage import storage_report
from ingest.masking import printable

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Viewer = Annotated[Call, Depends(PageViewer("traffic"))]

#: Times that can be chosen; without one the shortest that has all there is, a day at most.
_PERIODS: Final = {
    "1h": ("the last hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
_DAY: Final = "24h"

#: Parts of the view that keys for parts of the API may not see.
_PARTS: Final[tuple[Scope, ...]] = ("metrics", "deliveries", "gaps", "detectors")

#: Between service and role in what is chosen; names have no control characters.
_APART: Final = "|"


@router.get("/traffic")
def traffic(call: Viewer) -> Response:
    """Show the traffic of all services or one, the detectors, and how the program fares."""
    series, period, chosen = _series(call)
    tops = traffic_tops(
        call.engine,
        service=series.service,
        role=series.role,
        since=series.since,
        until=series.until,
        limit=10,
    )
    values: dict[str, Any] = {
        "series": series,
        "tops": tops,
        "period": period,
        "chosen": chosen,
        "total": sum(point.requests for point in series.points),
        "refused": sum(point.refused for point in series.points),
        "client_errors": sum(point.client_errors for point in series.points),
        "server_errors": sum(point.server_errors for point in series.points),
        "query": call.request.url.query,
    }
    if is_fragment(call.request):
        return render(call, "_traffic.html", **values)
    return render(call, "traffic.html", **values, **_choices(call), **_health(call))


@router.get("/traffic/chart")
def chart(call: Viewer) -> Charts:
    """Return the series that /traffic shows, as charts."""
    series = _series(call)[0]
    return of_traffic(series, traffic_known(call.engine, series.role))


@router.get("/traffic/health")
def health(call: Viewer) -> Response:
    """Return the part of /traffic that says how the program fares."""
    return render(call, "_health.html", **_health(call))


def _series(call: Call) -> tuple[TrafficSeries, str, str]:
    """Return the series that is asked for, its period, and what was chosen."""
    service, role = _whose(call.request)
    chosen = "" if service is None and role == "edge" else f"{service or ''}{_APART}{role}"
    period = call.request.query_params.get("period", "")
    until = traffic_known(call.engine, role)

    def series(key: str) -> TrafficSeries:
        since = max(until - _PERIODS[key][1], FIRST)
        return traffic_series(call.engine, service=service, role=role, since=since, until=until)

    if period in _PERIODS:
        return series(period), period, chosen
    day = series(_DAY)
    first = next((each.at for each in day.points if each.requests), until)
    period = next((key for key, (_, long) in _PERIODS.items() if until - first <= long), _DAY)
    return day if period == _DAY else series(period), period, chosen


def _whose(request: Request) -> tuple[str | None, str]:
    name, _, role = request.query_params.get("service", "").rpartition(_APART)
    return printable(name) or None, "internal" if role == "internal" else "edge"


def _choices(call: Call) -> dict[str, Any]:
    services = {
        f"{each.service or ''}{_APART}{each.role}": (each.service or "All services")
        + (", behind the edge" if each.role == "internal" else "")
        for each in traffic_services(call.engine)
        if each.service is not None or each.role == "internal"
    }
    return {
        "services": {"": "All services"} | services,
        "periods": {key: name for key, (name, _) in _PERIODS.items()},
    }


def _health(call: Call) -> dict[str, Any]:
    detectors = sorted(call.services.detectors(), key=lambda each: each.name)
    learning = [each for each in detectors if each.learning is not None]
    return {
        "may": {part: call.caller.may(part) for part in _PARTS},
        "report": call.services.health(),
        "storage": storage_report(call.engine, call.now()),
        "now": call.now(),
        "detectors": detectors,
        "learning": learning,
    }
