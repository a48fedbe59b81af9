"""docs/metrics.md, alert rules, dashboard and what is said of them agree with /metrics."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from alerts.database.opening import open_database
from alerts.sending.backlog import Backlog
from alerts.storage.store import Store
from api import metrics as shown_metrics
from api.application import ApiOptions
from api.detectors import DetectorAnswer
from api.health import HealthReport
from api.learning import LearningAnswer
from api.storage import StorageReport, storage_report
from tests.api.calls import NOW, application, finding
from tests.docs import promql
from tests.docs.pages import blocks, headings, page, rows

#: Those of the process itself come from prometheus_client, on Linux only.
PROCESS: Final = re.compile(r"process_\w+")

#: Suffixes of what a family shows; https://prometheus.io/docs/practices/naming/
SAMPLES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}

#: Labels that Prometheus adds, and one of histograms.
ADDED: Final = frozenset({"job", "instance", "le"})

#: As promlint has them: units that are none of Prometheus' base units, and their abbreviations.
NO_BASE_UNITS: Final = re.compile(
    "milliseconds|microseconds|nanoseconds|minutes|hours|days|weeks|(kilo|kibi|mega|mebi|giga|gibi)"
    "bytes|bits|celsius|kelvin|percent|s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d"
)
BASE_UNITS: Final = frozenset({"seconds", "bytes"})
TYPES: Final = frozenset({"gauge", "counter", "histogram", "summary"})

RULES: Final[list[dict[str, Any]]] = [
    rule
    for group in yaml.safe_load(page("prometheus-rules.yml"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: Final[dict[str, Any]] = json.loads(page("grafana-dashboard.json"))


def learner() -> DetectorAnswer:
    learning = LearningAnswer(True, 5, 3, 3, 7, datetime(2025, 11, 1, tzinfo=UTC), None)
    return DetectorAnswer(
        *("volume_up", "detector", "id", "title", "what", "high", "alert", "all", 1, "p", 60.0),
        tags=(),
        falsepositives=(),
        runbook=None,
        learning=learning,
    )


@cache
def families() -> Mapping[str, Metric]:
    """What a running application shows to Prometheus after some requests, by name."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown_metrics, "storage_report", with_outbox)
        engine = open_database(f"sqlite:///{Path(folder) / 'v.db'}")
        Store(engine).record([finding(0)], watermark=None)
        options = ApiOptions(detectors=lambda: [learner()])
        with application(engine, Path(folder), options) as api:
            api.report = HealthReport(
                healthy=True,
                details=dict.fromkeys(("lines", "late", "held", "source_problems"), 1),
                lag={"access-0": 7},
                unread={"access.log": 1},
                quarantined={"unparsed": 3},
                opened={"high": 2},
                forgotten={"sizes": 1},
                watermark=NOW,
            )
            client = api.client()
            for path in ("/api/v1/incidents", "/api/v1/incidents/7", "/nowhere"):
                client.get(path)
            answer = client.get("/metrics")
            assert answer.status_code == 200
        engine.dispose()
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def with_outbox(*args: Any, **options: Any) -> StorageReport:
    report = storage_report(*args, **options)
    return replace(report, outbox={"mail": Backlog(1, NOW, 1, 1)})


def ours() -> list[Metric]:
    return [family for family in families().values() if not PROCESS.fullmatch(family.name)]


def shown(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def samples() -> dict[str, set[str]]:
    """The labels of each metric that can be asked for, by its name."""
    return {
        family.name + suffix: {label for each in family.samples for label in each.labels}
        for family in families().values()
        for suffix in SAMPLES[family.type]
    }


def test_every_metric_has_its_row_and_no_row_is_made_up() -> None:
    documented = {name: row[1] for name, row in rows(page("metrics.md")).items()}
    assert documented == {shown(family): family.type for family in ours()}


def test_every_metric_with_labels_was_shown_with_them() -> None:
    """Else what follows would not know the labels of those without a sample."""
    empty = {family.name for family in ours() if not family.samples}
    assert empty <= {"vedette_checkpoint_age_seconds", "vedette_checkpoint_size_bytes"}


def test_labels_are_documented() -> None:
    table = rows(page("metrics.md"))
    for family in ours():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(re.findall(r"`(\w+)`", table[shown(family)][2])), family.name


def lint(family: Metric) -> Iterator[str]:
    """What `promtool check metrics` says of a metric."""
    name = shown(family)
    words = name.split("_")
    if not re.fullmatch(r"vedette_[a-z]+(_[a-z]+)*", name):
        yield "is not in lower case with our name in front"
    if (words[-1] == "total") != (family.type == "counter"):
        yield "ends in _total if it is a counter, and only then"
    if TYPES & set(words):
        yield "has its type in its name"
    if {"count", "sum", "bucket"} & set(words[-1:]):
        yield "ends as parts of a histogram do"
    if any(map(NO_BASE_UNITS.fullmatch, words)):
        yield "is not in a base unit, or abbreviates it"
    if BASE_UNITS & set(words[:-1]) and family.type != "counter":
        yield "has its unit not at its end"
    if not family.documentation:
        yield "has no help"
    for label in {label for sample in family.samples for label in sample.labels}:
        if not re.fullmatch(r"[a-z]+(_[a-z]+)*", label) or label in words[1:]:
            yield f"has a label {label} that is not in lower case, or part of its name"


def test_names_follow_the_conventions() -> None:
    assert {shown(family): said for family in ours() if (said := list(lint(family)))} == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("vedette_Lines", "gauge"), ("lines", "gauge"), ("vedette_total", "gauge")),
        *(("vedette_lines_total", "gauge"), ("vedette_gauge_lines", "gauge")),
        *(("vedette_delay_ms", "gauge"), ("vedette_delay_minutes", "gauge")),
        *(("vedette_seconds_delay", "gauge"), ("vedette_delay_count", "gauge")),
    ],
)
def test_the_conventions_are_looked_at(name: str, kind: str) -> None:
    assert list(lint(Metric(name, "what it is", kind)))


def of(expression: str) -> str:
    """An expression with Grafana's variables as it fills them in."""
    return expression.replace("$__rate_interval", "1m").replace("$job", "vedette")


def check(expression: str) -> set[str]:
    """Hold an expression against /metrics; returns the labels of what it names."""
    found = promql.read(of(expression))
    known = samples()
    missing = {name for name in found.metrics - {"up"} - known.keys() if name.isidentifier()}
    if not any(PROCESS.fullmatch(name) for name in families()):  # not on Linux
        missing = {name for name in missing if not PROCESS.fullmatch(name)}
    assert not missing, expression
    labels = {label for name in found.metrics & known.keys() for label in known[name]} | ADDED
    assert found.labels <= labels, expression
    return labels


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_names_what_exists_and_says_what_to_do(rule: dict[str, Any]) -> None:
    labels = check(rule["expr"])
    annotations = rule["annotations"]
    assert set(re.findall(r"\$labels\.(\w+)", annotations["summary"])) <= labels
    assert rule["labels"]["severity"] in {"critical", "warning"}
    place, _, part = annotations["runbook"].partition("#")
    assert part == rule["alert"].lower()
    assert rule["alert"] in headings(page(place.removeprefix("docs/")))


def panels() -> list[dict[str, Any]]:
    return [each for each in DASHBOARD["panels"] if each["type"] != "row"]


@pytest.mark.parametrize("panel", panels(), ids=[panel["title"] for panel in panels()])
def test_a_panel_shows_what_exists(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        labels = check(target["expr"])
        assert 'job="$job"' in target["expr"], "one Prometheus may have several installations"
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels
        assert target["datasource"]["uid"] == "${datasource}"


def test_the_dashboard_can_be_imported_and_shows_every_metric() -> None:
    known = {each["name"] for each in DASHBOARD["templating"]["list"]}
    text = json.dumps(DASHBOARD)
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval"}
    assert used == known == {"datasource", "job"}
    numbers = [each["id"] for each in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in DASHBOARD["panels"]]
    assert len(places) == len(set(places)), "no panel covers another"
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in DASHBOARD["panels"])
    assert [family.name for family in ours() if family.name not in text] == []


@pytest.mark.parametrize(
    "wrong",
    ["sum(rate(x[5m])", "sum by (a rate(x[5m])", "x{a}", "x[5]", "rate(x[5m]))", "x # y", "{(})"],
)
def test_what_is_no_promql_is_seen(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        promql.read(wrong)


def test_names_and_labels_of_promql_are_found() -> None:
    found = promql.read(
        'histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{b=~"c|d"}[1h]))) > 3'
    )
    assert (found.metrics, found.labels) == ({"x_bucket"}, {"le", "a", "b"})


def test_every_alert_that_is_explained_exists() -> None:
    explained = {
        name for name in headings(page("operations.md")) if re.fullmatch(r"Vedette\w+", name)
    }
    assert explained == {rule["alert"] for rule in RULES}


def test_the_scrape_settings_are_yaml() -> None:
    (text,) = blocks(page("metrics.md"), "yaml")
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert 'job="vedette"' in str(RULES)
    assert job["job_name"] == "vedette"
