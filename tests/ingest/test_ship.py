"""Each recipe of docs/ship has an example: records as shipped, settings, the events they become."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
import yaml

from ingest.normalised import normalised
from ingest.sources import FileSource, KafkaSource

CASES: Final = Path(__file__).with_name("ship")
RECIPES: Final = Path(__file__).parents[2] / "docs" / "ship"
NAMES: Final = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())

#: The shippers whose settings are YAML.
YAML: Final = {"fluent-bit", "vector", "filebeat", "opentelemetry"}


def blocks(name: str, language: str) -> list[str]:
    page = (RECIPES / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def source_of(name: str) -> dict[str, Any]:
    text = (CASES / name / "settings.toml").read_text(encoding="utf-8")
    source: dict[str, Any] = tomllib.loads(text)["sources"][0]
    return source


def events(name: str, source: dict[str, Any]) -> list[dict[str, Any]]:
    """What the records of a case become: events without what is null, as they are printed."""
    shared = {key: value for key, value in source.items() if key in FileSource.model_fields}
    files = FileSource(paths=(str(CASES / name / "shipped.log"),), **shared)
    frame = pl.concat(normalised([files])).drop("partition")
    time = pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    rows = frame.with_columns(time).to_dicts()
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def test_every_recipe_has_an_example_and_every_example_a_recipe() -> None:
    assert {page.stem for page in RECIPES.glob("*.md")} - {"README"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_records_become_the_expected_events(name: str) -> None:
    text = (CASES / name / "expected.ndjson").read_text(encoding="utf-8")
    assert events(name, source_of(name)) == [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_settings_of_the_example(name: str) -> None:
    (shown,) = blocks(name, "toml")
    assert shown == (CASES / name / "settings.toml").read_text(encoding="utf-8")
    source = KafkaSource(**source_of(name))
    assert source.topics == ("vedette.access",)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_a_record_of_the_example(name: str) -> None:
    """Not to the letter, but the same fields as in one of the records."""
    (shown,) = blocks(name, "json")
    shipped = (CASES / name / "shipped.log").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in shipped if line.startswith("{")]
    assert any(set(json.loads(shown)) <= set(record) for record in records)


@pytest.mark.parametrize("name", NAMES)
def test_the_shippers_settings_send_to_the_topic(name: str) -> None:
    kind = "yaml" if name in YAML else "text"
    settings = blocks(name, kind)
    assert settings
    assert "vedette.access" in settings[0]
    if kind == "yaml":
        assert all(isinstance(yaml.safe_load(text), dict) for text in settings)
    else:
        assert all(
            text.count(left) == text.count(right)
            for text in settings
            for left, right in ("()", "{}", "[]")
        )
