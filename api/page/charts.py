"""Numbers as page.js draws them: one x (seconds since 1970) for several series. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from alerts.incidents.summary import duration
from alerts.lists.counted import Counted
from alerts.traffic.queries import TrafficPoint, TrafficSeries

#: How a series is drawn.
Drawn = Literal["value", "other", "warning", "error", "limit", "expected"]

_MILLISECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A series: a value for each x, None where there is none."""

    label: str
    role: Drawn
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one time."""

    title: str
    unit: str
    x: list[float]
    series: list[Line]


@dataclass(frozen=True, slots=True)
class Charts:
    """Several charts, one below the other."""

    charts: list[Chart]


def of_incident(counts: Sequence[Counted]) -> Charts:
    """Return what each detector counted, against its limit and what it expected."""
    return Charts([_counted(each) for each in counts])


def of_traffic(series: TrafficSeries, known: datetime) -> Charts:
    """Return requests, errors and durations.

    Without the empty time before the first request, and what is not wholly `known` yet.
    """
    step = timedelta(seconds=series.step)
    over = [point for point in series.points if point.at + step <= known]
    points = _from_first(over) or _from_first(series.points)
    if not points:
        return Charts([])
    each = f"in {duration(step)}"
    x = [point.at.timestamp() for point in points]
    requests = [_line("requests", "value", [point.requests for point in points])]
    errors = [
        _line("401 and 403", "other", [point.refused for point in points]),
        _line("other 4xx", "warning", [point.client_errors for point in points]),
        _line("5xx", "error", [point.server_errors for point in points]),
    ]
    charts: list[Chart] = [
        Chart(f"Requests {each}", "requests", x, requests),
        Chart(f"Errors {each}", "answers", x, errors),
    ]
    if any(point.p95_us is not None for point in points):
        lasted = [
            _line("95th percentile", "value", [_ms(point.p95_us) for point in points]),
            _line("median", "other", [_ms(point.p50_us) for point in points]),
        ]
        charts.append(Chart("How long answers took", "ms", x, lasted))
    return Charts(charts)


def _counted(counted: Counted) -> Chart:
    points = counted.points
    window = f" within {duration(timedelta(seconds=counted.window_seconds))}"
    lines = [
        _line("counted", "value", [point.value for point in points]),
        _line("limit", "limit", [point.threshold for point in points]),
    ]
    if any(point.expected is not None for point in points):
        lines.append(_line("expected", "expected", [point.expected for point in points]))
    title = f"{counted.detector}: {counted.unit}{window if counted.window_seconds else ''}"
    return Chart(title, counted.unit, [point.at.timestamp() for point in points], lines)


def _line(label: str, role: Drawn, values: Sequence[float | None]) -> Line:
    return Line(label, role, list(values))


def _from_first(points: Sequence[TrafficPoint]) -> Sequence[TrafficPoint]:
    first = next((at for at, point in enumerate(points) if point.requests), len(points))
    return points[max(first - 1, 0) :] if first < len(points) else ()


def _ms(micros: int | None) -> float | None:
    return None if micros is None else round(micros / _MILLISECOND, 1)
