"""docs/metrics.md, the alert rules and what is said of them agree with what /metrics shows."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import yaml
from prometheus_client.core import Metric

from alerts.backlog import Backlog
from api.health import HealthReport
from api.metrics import collectors
from api.storage import StorageReport
from tests.docs.pages import ROOT, blocks, headings, page, rows

NOW: Final = datetime(2026, 11, 2, tzinfo=UTC)

#: Those of the process itself come from prometheus_client, on Linux only.
PROCESS: Final = re.compile(r"process_\w+")

#: Suffixes of what a family shows; https://prometheus.io/docs/practices/naming/
SAMPLES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
UNITS: Final = ("_seconds", "_bytes")


def families() -> list[Metric]:
    storage = StorageReport(True, {"mail": Backlog(1, NOW, 1, 1)})
    return [m for c in collectors(HealthReport(healthy=True), storage, NOW) for m in c.collect()]


def shown(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def rules() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "prometheus-rules.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


RULES: Final = rules()


def test_every_metric_has_its_row_and_no_row_is_made_up() -> None:
    documented = {name: row[1] for name, row in rows(page("metrics.md")).items()}
    assert documented == {shown(family): family.type for family in families()}


def test_labels_are_documented() -> None:
    table = rows(page("metrics.md"))
    for family in families():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(re.findall(r"`(\w+)`", table[shown(family)][2])), family.name


@pytest.mark.parametrize("family", families(), ids=shown)
def test_names_follow_the_conventions(family: Metric) -> None:
    name = shown(family)
    assert re.fullmatch(r"vedette_[a-z]+(_[a-z]+)*", name)
    assert name.endswith("_total") == (family.type == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|count|sum|bucket)$", name)
    if re.search(r"seconds|bytes", name):
        assert family.type == "counter" or name.endswith(UNITS)
    assert family.documentation


def samples() -> Iterator[str]:
    for family in families():
        yield from (family.name + suffix for suffix in SAMPLES[family.type])


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_names_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any]) -> None:
    names = set(re.findall(r"\b(?:vedette|process)_\w+", rule["expr"]))
    assert names or rule["alert"] == "VedetteDown"
    of_process = {name for name in names if PROCESS.fullmatch(name)}
    assert names - of_process <= set(samples())
    assert of_process <= set(re.findall(PROCESS, page("metrics.md")))
    for pair in ("()", "[]", "{}"):
        assert rule["expr"].count(pair[0]) == rule["expr"].count(pair[1])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    place, _, part = rule["annotations"]["runbook"].partition("#")
    assert part == rule["alert"].lower()
    assert rule["alert"] in headings(page(place.removeprefix("docs/")))


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
