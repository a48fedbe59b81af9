"""What is counted of requests to the API: how many, how they were answered, how long it took.

Routes are counted by their template, so that whoever asks cannot make the numbers many.
"""

from collections.abc import Iterator, Mapping
from threading import Lock
from time import perf_counter
from typing import Final, NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.histogram import Histogram
from api.middleware import request_id_of

#: Seconds until an answer begins.
DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

#: What a request counts as that is for no route, or of a method that is none of these.
NO_ROUTE: Final = "none"
OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: Answers of probes say how the service fares; that they do is no failure.
_PROBES: Final = frozenset({"/readyz"})

_FAILED: Final = 500

_log: Final = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """What was asked: a method and the template of a route."""

    method: str
    route: str


class RequestCounts:
    """Counts requests of all threads since the start."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[tuple[Asked, int], int] = {}
        self._durations: dict[Asked, Histogram] = {}

    def note(self, asked: Asked, status: int, seconds: float) -> None:
        """Count a request that was answered with a status after so many seconds."""
        with self._lock:
            answer = asked, status
            self._answers[answer] = self._answers.get(answer, 0) + 1
            durations = self._durations.setdefault(asked, Histogram(DURATIONS))
        durations.observe(seconds)

    @property
    def answers(self) -> Mapping[tuple[Asked, int], int]:
        """How many requests were answered with each status."""
        with self._lock:
            return dict(self._answers)

    @property
    def durations(self) -> Mapping[Asked, Histogram]:
        """How long answers took."""
        with self._lock:
            return dict(self._durations)


class RequestCollector(Collector):
    """The counts as metrics."""

    def __init__(self, counts: RequestCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        answers = CounterMetricFamily(
            "vedette_api_requests", "Requests answered", labels=["method", "route", "status"]
        )
        for (asked, status), count in self._counts.answers.items():
            answers.add_metric([*asked, str(status)], count)
        yield answers
        durations = HistogramMetricFamily(
            "vedette_api_request_duration_seconds",
            "From a request until its answer begins",
            labels=["method", "route"],
        )
        for asked, histogram in self._counts.durations.items():
            taken = histogram.read()
            durations.add_metric([*asked], taken.buckets, taken.sum)
        yield durations


class CountedRequests:
    """Counts every request when its answer begins, and logs those that fail."""

    def __init__(self, app: ASGIApp, counts: RequestCounts) -> None:
        self.app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = perf_counter()
        status: int | None = None

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start" and status is None:
                status = message["status"]
                self._note(scope, status, perf_counter() - begun)
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        finally:
            if status is None:  # the answer comes from outside of all middleware
                self._counts.note(_asked(scope), _FAILED, perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        asked = _asked(scope)
        self._counts.note(asked, status, seconds)
        if status >= _FAILED and asked.route not in _PROBES:
            _log.error(
                "request failed",
                request_id=request_id_of(scope),
                request=f"{asked.method} {asked.route}",
                status=status,
                seconds=round(seconds, 3),
            )


def _asked(scope: Scope) -> Asked:
    method = scope["method"] if scope["method"] in _METHODS else OTHER
    return Asked(method, getattr(scope.get("route"), "path", None) or NO_ROUTE)
