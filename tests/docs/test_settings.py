"""docs/settings.md and the file that `vedette init` writes have every setting."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined, to_jsonable_python

from alerts.routing.matchers import Matchers
from detectors.catalogue import load_catalogue
from detectors.registry import active_detectors, rule_overrides
from docs.website.reference.settings import settings
from ingest.durations import parse_duration
from ingest.sources import KafkaSource
from tests.docs.pages import blocks, name_of, page, pages, rows
from vedette.commands.init import TEMPLATE
from vedette.settings import Settings, SettingsError, load_settings, settings_from

NAME = "NAME"


PATHS = dict(settings(Settings))


def plain(text: str) -> Settings:
    return settings_from(text)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_the_walk_finds_settings_at_every_depth() -> None:
    assert {"sources.mapping", "api.port", f"detectors.{NAME}.exceptions.until"} <= set(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_setting_is_documented(path: str) -> None:
    row = rows(page("settings.md")).get(path)
    assert row is not None, f"docs/settings.md has no row for `{path}`"
    assert len(row) == 4
    assert all(row)


def test_no_row_is_about_a_setting_that_is_not_there() -> None:
    documented = {key for key in rows(page("settings.md")) if "." in key}
    assert documented == set(PATHS)


def test_matchers_have_a_row_for_each_field() -> None:
    documented = rows(page("settings.md").partition("### Matchers")[2].partition("```")[0])
    assert set(documented) == set(Matchers.model_fields)


@pytest.mark.parametrize("path", PATHS)
def test_documented_default_is_the_real_one(path: str) -> None:
    field = PATHS[path]
    shown = rows(page("settings.md"))[path][2].strip("`")
    real = field.default
    if field.annotation is Matchers and field.default_factory is not None:
        assert shown == "every incident"
    elif real is PydanticUndefined and field.default_factory is None:
        assert shown == "needed"
    elif real is None:
        assert shown in {"none", "the rule's"}
    elif isinstance(real, bool):
        assert shown == str(real).lower()
    elif real == ():
        assert shown in {"[]", "none"}
    elif isinstance(real, tuple):
        assert json.loads(shown) == to_jsonable_python(list(real))
    elif isinstance(real, str) and shown.startswith('"') and "duration" not in _type(path):
        assert shown == f'"{real}"'
    elif "duration" in _type(path):
        assert parse_duration(shown.strip('"')) == parse_duration(real)
    elif real is not PydanticUndefined:
        assert shown == str(real)


def _type(path: str) -> str:
    return rows(page("settings.md"))[path][1]


def test_what_is_secret_is_called_so() -> None:
    for path, field in PATHS.items():
        secret = field.annotation is SecretStr or SecretStr in get_args(field.annotation)
        assert ("secret" in _type(path)) == secret, path


def uncommented(text: str) -> str:
    """The template with its commented settings switched on."""
    key = r"(?:[a-z_]+ = |\[)"
    return re.sub(rf"^# (?={key})", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("path", PATHS)
def test_setting_is_in_the_file_that_init_writes(path: str) -> None:
    name = path.rpartition(".")[2]
    assert name in _template_keys(path), f"vedette init: the template does not show {path}"


def _template_keys(path: str) -> set[str]:
    """The keys that the template shows, commented or not, in the table of a setting."""
    keys: dict[str, set[str]] = {}
    table = ""
    for line in TEMPLATE.splitlines():
        heading = re.match(r"^#? ?\[\[?([a-z_.]+)\]\]?", line)
        key = re.match(r"^#? ?([a-z_]+) = ", line)
        if heading:
            table = re.sub(r"^(detectors|tiers|targets)\.[a-z_]+", rf"\1.{NAME}", heading[1])
        elif key:
            keys.setdefault(table, set()).add(key[1])
    shown = keys.get(path.rpartition(".")[0], set())
    if path.startswith(f"detectors.{NAME}.exceptions."):
        # An exception names one thing; its comment tells of the others.
        comments = re.findall(r"#.*# or (.*)$", TEMPLATE, re.MULTILINE)
        shown |= set(re.findall(r"[a-z_]+", " ".join(comments)))
    return shown


def test_the_template_loads() -> None:
    loaded = plain(TEMPLATE)
    assert len(loaded.sources) == 1


def test_the_template_shows_the_defaults() -> None:
    loaded = plain(TEMPLATE)
    assert loaded.model_dump(exclude={"sources"}) == Settings().model_dump(exclude={"sources"})


def test_the_template_loads_with_all_that_is_commented_out() -> None:
    text = uncommented(TEMPLATE).replace('format = "auto"', 'format = "json"', 1)
    for alternative in ("pattern", "fields"):  # a mapping is of JSON, these are not
        text = re.sub(rf"^{alternative} = ", f"# {alternative} = ", text, flags=re.MULTILINE)
    loaded = plain(text)
    assert loaded.sources[0].mapping
    assert isinstance(loaded.sources[1], KafkaSource)
    assert loaded.notify.url is not None
    assert [route.name for route in loaded.notify.routes] == ["severe", "everything"]
    assert [rule.name for rule in loaded.inhibit] == ["one attack, one message"]
    assert len(loaded.maintenance) == 2
    assert loaded.tiers["partners"].networks
    override = loaded.detectors["request_rate"]
    assert override.threshold
    assert override.exceptions


#: Tables of the template that are switched on as a whole or not at all.
_WHOLE_TABLES = (
    r"\[api\.tls\]",
    r"\[\[sources\]\]",
    r"\[tiers\.partners\]",
    r"\[targets\.pager\]",
    r"\[\[notify\.routes\]\]",
    r"\[\[inhibit\]\]",
    r"\[\[maintenance\]\]",
)


def commented_lines() -> list[str]:
    """Lines that can be switched on alone; some tables need all of their own."""
    single, _, _ = TEMPLATE.partition("# [[detectors.")
    for table in _WHOLE_TABLES:
        single = re.sub(rf"^# {table}(.*\n)(# .*\n)+", "", single, flags=re.MULTILINE)
    return [line for line in single.splitlines() if re.match(r"^# [a-z_]+ = ", line)]


def test_a_certificate_can_be_switched_on() -> None:
    text = re.sub(r"^# (\[api\.tls\]|certificate =|key =)", r"\1", TEMPLATE, flags=re.MULTILINE)
    assert plain(text).api.tls is not None


@pytest.mark.parametrize("line", commented_lines())
def test_a_commented_line_can_be_switched_on_by_itself(line: str) -> None:
    text = TEMPLATE.replace(line, line.removeprefix("# "), 1)
    for name, form in (("pattern", "nginx"), ("fields", "w3c")):
        if line.startswith(f"# {name} = "):
            text = text.replace('format = "auto"', f'format = "{form}"')
    if TEMPLATE.index(line) > TEMPLATE.index("# [detectors."):
        text = text.replace("# [detectors.", "[detectors.", 1)
    plain(text)


def toml_blocks() -> list[tuple[str, str]]:
    return [
        (f"{name_of(path)}:{number}", block)
        for path in pages()
        for number, block in enumerate(blocks(path.read_text(encoding="utf-8"), "toml"), 1)
    ]


@pytest.mark.parametrize(("place", "text"), toml_blocks(), ids=[p for p, _ in toml_blocks()])
def test_settings_shown_on_a_page_can_be_used(place: str, text: str) -> None:
    try:
        loaded = plain(text)
    except SettingsError as error:
        raise AssertionError(f"{place}: {error}") from error
    load_catalogue(rule_overrides(loaded.detectors), placeholders=loaded.rules.placeholders)
    active_detectors(loaded.detectors)


def test_variables_shown_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = re.findall(
        r"^\$ export (VEDETTE_\w+)=(?:'([^']*)'|(\S+))$", page("settings.md"), re.MULTILINE
    )
    assert len(shown) == 3
    for name, quoted, bare in shown:
        monkeypatch.setenv(name, quoted or bare)
    loaded = load_settings(None)
    assert loaded.api.port == 9000
    assert loaded.sources[0].service == "shop"
    assert loaded.notify.url is not None


def test_mistakes_shown_are_the_real_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vedette.toml").write_text("[api]\nprot = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(Path("vedette.toml"))
    assert f"vedette: {refused.value}" in page("settings.md")
    monkeypatch.setenv("VEDETTE_API__PORT", "x")
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    assert f"vedette: {refused.value}" in page("settings.md")
    monkeypatch.setenv("VEDETTE_FOO", "1")
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    assert f"vedette: {refused.value}" in page("settings.md")
