"""/metrics: how the service fares, for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.registry import Collector

from alerts.access.keys import Role
from alerts.sending.backlog import Backlog
from api.access import RequireRole
from api.detectors import DetectorAnswer
from api.health import HealthReport
from api.request_metrics import RequestCollector
from api.services import Services, WithServices
from api.storage import StorageReport, storage_report
from ingest.masking import printable

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
    "held": (
        "vedette_held_events",
        "Events that wait for others to say whether their time is right",
    ),
    "checkpoint_age_seconds": (
        "vedette_checkpoint_age_seconds",
        "Seconds since positions and detector state were stored",
    ),
    "checkpoint_bytes": ("vedette_checkpoint_size_bytes", "Detector state in the last checkpoint"),
    "source_problems": ("vedette_source_problems", "Things that are wrong with the sources now"),
}


class ReportCollector(Collector):
    """A health report as metrics."""

    def __init__(self, report: HealthReport) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        report = self._report
        yield _gauge("vedette_healthy", "1 if incidents are stored", report.healthy)
        active = report.role == "active"
        yield _gauge("vedette_active", "1 if this process does the work, 0 if it stands by", active)
        for detail, (name, meaning) in COUNTERS.items():
            yield CounterMetricFamily(name, meaning, _number(report, detail) or 0.0)
        for detail, (name, meaning) in GAUGES.items():
            yield _gauge(name, meaning, _number(report, detail))
        mark = report.watermark
        yield _gauge(
            "vedette_watermark_timestamp_seconds",
            "Event time up to which all sources are complete, since 1970",
            None if mark is None else mark.timestamp(),
        )
        aside = CounterMetricFamily(
            "vedette_quarantined_lines", "Lines set aside, by reason", labels=["reason"]
        )
        for reason, count in report.quarantined.items():
            aside.add_metric([reason], count)
        yield aside
        yield _counted("severity", "vedette_opened_incidents", "Incidents opened", report.opened)
        yield _counted(
            "family",
            "vedette_learned_evictions",
            "Learned things forgotten because of a cap",
            report.forgotten,
        )
        yield _by("partition", "vedette_topic_lag_records", "Records that wait", report.lag)
        yield _by("partition", "vedette_log_unread_bytes", "Bytes that wait", report.unread)
        yield _gauge(
            "vedette_silent_sources", "Sources without events that had some", len(report.silent)
        )
        for name, meaning, values in (
            ("vedette_incident_delay_seconds", "From event to stored incident", report.delays),
            (
                "vedette_checkpoint_duration_seconds",
                "What storing a checkpoint takes",
                report.checkpoints,
            ),
        ):
            yield HistogramMetricFamily(name, meaning, values.buckets, values.sum)


class LearningCollector(Collector):
    """How far detectors have learned what is usual, as metrics."""

    def __init__(self, detectors: Sequence[DetectorAnswer]) -> None:
        self._detectors = detectors

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        series = GaugeMetricFamily(
            "vedette_learning_series",
            "Things that a detector learns about, by whether it knows them well enough",
            labels=["detector", "state"],
        )
        for detector in self._detectors:
            learning = detector.learning
            if learning is not None:
                young = learning.series - learning.learned
                series.add_metric([detector.name, "learned"], learning.learned)
                series.add_metric([detector.name, "learning"], young)
        yield series


class StorageCollector(Collector):
    """What the database says, as metrics; without it only that it does not answer."""

    def __init__(self, report: StorageReport, now: datetime) -> None:
        self._report = report
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield _gauge("vedette_database_up", "1 if the database answers", self._report.answers)
        recent = len(self._report.gaps) if self._report.answers else None
        yield _gauge("vedette_recent_gaps", "Gaps in the input recorded within a day", recent)
        yield _by(
            "severity",
            "vedette_open_incidents",
            "Incidents that are open and alert",
            self._report.open_incidents,
        )
        outbox = self._report.outbox
        yield _by(
            "target",
            "vedette_outbox_waiting_notifications",
            "Notifications that are not sent yet",
            {name: backlog.waiting for name, backlog in outbox.items()},
        )
        yield _by(
            "target",
            "vedette_outbox_overdue_seconds",
            "How long ago the oldest was due",
            self._overdue(outbox),
        )
        yield _by(
            "target",
            "vedette_dead_deliveries",
            "Messages given up and kept",
            {name: backlog.dead for name, backlog in outbox.items()},
        )

    def _overdue(self, outbox: Mapping[str, Backlog]) -> dict[str, float]:
        return {name: log.overdue(self._now).total_seconds() for name, log in outbox.items()}


def collectors(services: Services) -> list[Collector]:
    """Return all that /metrics shows of the service itself."""
    now = services.now()
    return [
        ReportCollector(services.health()),
        LearningCollector(services.detectors()),
        StorageCollector(storage_report(services.engine, now, open_incidents=True), now),
        RequestCollector(services.requests),
    ]


@router.get(
    "/metrics",
    dependencies=[Depends(RequireRole(Role.VIEWER, "metrics"))],
    response_class=PlainTextResponse,
)
def metrics(services: WithServices) -> Response:
    """Answer with all metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors(services):
        registry.register(collector)
    ProcessCollector(registry=registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """Return a gauge, without a sample if there is no value."""
    return GaugeMetricFamily(name, meaning, None if value is None else float(value))


def _by(label: str, name: str, meaning: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, f"{meaning}, by {label}", labels=[label])
    _fill(gauge, values.items())
    return gauge


def _counted(label: str, name: str, meaning: str, values: Mapping[str, int]) -> CounterMetricFamily:
    counter = CounterMetricFamily(name, f"{meaning}, by {label}", labels=[label])
    _fill(counter, values.items())
    return counter


def _fill(
    family: GaugeMetricFamily | CounterMetricFamily, values: Iterable[tuple[str, float]]
) -> None:
    for key, value in values:
        family.add_metric([printable(key)], value)


def _number(report: HealthReport, detail: str) -> float | None:
    value = report.details.get(detail)
    return float(value) if isinstance(value, int | float) else None
