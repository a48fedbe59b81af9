"""/metrics: what the worker counts, for Prometheus."""

from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, Depends, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.registry import Collector

from alerts.keys import Role
from api.access import RequireRole
from api.health import HealthReport
from api.services import WithServices

router = APIRouter(tags=["status"])

#: Detail of the report -> (metric, meaning).
COUNTERS: Final = {
    "lines": ("vedette_lines", "Lines read"),
    "events": ("vedette_events", "Events handed to the detectors"),
    "ignored": ("vedette_ignored_lines", "Lines that are no access lines by the settings"),
    "late": ("vedette_late_events", "Events whose effective time is later than their timestamp"),
    "evicted_entities": ("vedette_evicted_entities", "Entities forgotten because of a cap"),
}
GAUGES: Final = {
    "checkpoint_age_seconds": (
        "vedette_checkpoint_age_seconds",
        "Seconds since positions and detector state were stored",
    ),
    "source_problems": ("vedette_source_problems", "Things that are wrong with the sources now"),
}


class ReportCollector(Collector):
    """A health report as metrics."""

    def __init__(self, report: HealthReport) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        report = self._report
        yield GaugeMetricFamily("vedette_healthy", "1 if incidents are stored", int(report.healthy))
        for detail, (name, meaning) in COUNTERS.items():
            yield CounterMetricFamily(name, meaning, _number(report, detail))
        for detail, (name, meaning) in GAUGES.items():
            yield GaugeMetricFamily(name, meaning, _number(report, detail))
        aside = CounterMetricFamily(
            "vedette_quarantined_lines", "Lines set aside, by reason", labels=["reason"]
        )
        for reason, count in report.quarantined.items():
            aside.add_metric([reason], count)
        yield aside
        for name, meaning, waiting in (
            ("vedette_topic_lag_records", "Records that wait to be read", report.lag),
            ("vedette_log_unread_bytes", "Bytes that wait to be read", report.unread),
        ):
            left = GaugeMetricFamily(name, f"{meaning}, by partition", labels=["partition"])
            for partition, count in waiting.items():
                left.add_metric([partition], count)
            yield left


@router.get("/metrics", dependencies=[Depends(RequireRole(Role.VIEWER))])
def metrics(services: WithServices) -> Response:
    """Answer with the worker's counts in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ReportCollector(services.health()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)


def _number(report: HealthReport, detail: str) -> float:
    value = report.details.get(detail)
    return float(value) if isinstance(value, int | float) else 0.0
