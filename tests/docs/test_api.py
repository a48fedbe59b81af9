"""docs/api.md has every route, filter and field of the API."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from alerts.database.opening import open_database
from alerts.incidents.views import IncidentView
from alerts.lists.queries import PAGE_LIMIT
from api.answers import EvidenceAnswer, FindingAnswer, IncidentAnswer, TimelineAnswer
from api.application import create_api
from api.health import HealthReport
from api.incident_query import IncidentQuery
from api.middleware import TARGET_LIMIT
from tests.docs.pages import blocks, page, prose, rows
from vedette.settings import ApiSettings


@pytest.fixture
def application(tmp_path: Path) -> FastAPI:
    engine = open_database(f"sqlite:///{tmp_path / 'v.db'}")
    try:
        return create_api(engine, tmp_path / "secret", health=lambda: HealthReport(healthy=True))
    finally:
        engine.dispose()


def routes(application: FastAPI) -> set[str]:
    found: set[str] = set()
    for context in iter_route_contexts(application.routes):
        methods = getattr(context, "methods", None) or {"GET"}
        found |= {f"{method} {context.path}" for method in methods - {"HEAD", "OPTIONS"}}
    return found


def test_every_route_is_documented(application: FastAPI) -> None:
    documented = {key for key in rows(page("api.md")) if " /" in key}
    assert documented == routes(application)


def test_every_filter_is_documented() -> None:
    filters = rows(page("api.md").partition("## The list")[2].partition("\n## ")[0])
    assert set(filters) == set(IncidentQuery.model_fields)


def test_page_limit_and_length_limit() -> None:
    assert f"1 to {PAGE_LIMIT}" in page("api.md")
    assert f"{TARGET_LIMIT:,} bytes" in page("api.md")


def test_the_incident_shown_has_the_fields_that_there_are() -> None:
    (shown,) = [b for b in map(json.loads, blocks(page("api.md"), "json")) if "items" in b]
    assert list(shown["items"][0]) == [field.name for field in fields(IncidentView)]
    (line,) = [json.loads(block) for block in blocks(page("commands.md"), "json")]
    assert list(line) == [field.name for field in fields(IncidentView)]


def test_what_a_detail_adds_is_documented() -> None:
    own = {field.name for field in fields(IncidentView)}
    added = {field.name for field in fields(IncidentAnswer)} - own
    table = rows(page("api.md").partition("## One incident")[2])
    assert added <= set(table)
    for name, answer in (
        ("findings", FindingAnswer),
        ("evidence", EvidenceAnswer),
        ("timeline", TimelineAnswer),
    ):
        documented = set(re.findall(r"`([a-z_]+)`", table[name][1]))
        assert documented == {field.name for field in fields(answer)}


def test_the_address_is_the_default_one() -> None:
    settings = ApiSettings()
    assert f"http://{settings.host}:{settings.port}" in prose(page("api.md"))
