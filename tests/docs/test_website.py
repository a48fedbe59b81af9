"""The site builds: every link and anchor leads somewhere, every page is in the navigation."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from detectors.catalogue import load_catalogue
from detectors.registry import DETECTORS
from docs.website.links import Links
from docs.website.navigation import DOCS, load_navigation, place_of, source_of
from docs.website.reference.commands import commands, commands_page
from docs.website.reference.detectors import detectors_page
from docs.website.reference.formats import formats_page
from docs.website.reference.routes import routes_page
from docs.website.reference.settings import settings, settings_page, variable
from docs.website.reference.tables import code, plain, table
from ingest.formats import FORMATS
from tests.docs.pages import ROOT, headings, rows
from vedette.settings import Settings

BUILD_SECONDS: Final = 1800


class _References(HTMLParser):
    """What a page loads from elsewhere, links to, and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.linked.append(given["href"])
        elif tag == "link" and given.get("rel") in {"stylesheet", "preload", "icon"}:
            self.loaded.append(given["href"])
        elif "src" in given:
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, of which all pages were looked at and a few written."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "docs.website", "--check", "--output", str(folder / "site")],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert built.returncode == 0, built.stderr
    return folder / "site"


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for file in site.rglob("*.html"):
        for address in _References(file.read_text(encoding="utf-8")).loaded:
            assert not urlsplit(address).netloc, f"{file.name} loads {address}"
    for file in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)[\s\"']*(?:https?:)?//", file.read_text("utf-8"))


def test_the_first_page_leads_to_all_others(site: Path) -> None:
    linked = _References((site / "index.html").read_text(encoding="utf-8")).linked
    places = {unquote(urlsplit(link).path).removesuffix(".html") for link in linked}
    wanted = {place_of(name) for name in load_navigation().pages()}
    assert {place for place in wanted if place.rpartition("/")[2] != "index"} <= places


def test_a_runbook_shows_its_rule(site: Path) -> None:
    text = (site / "runbooks" / "login_burst.html").read_text(encoding="utf-8")
    assert 'id="the-rule"' in text
    assert "attack.t1110.001" in text


def test_every_page_is_in_the_navigation_once() -> None:
    named = load_navigation().pages()
    assert len(named) == len(set(named))
    files = {file for name in named if (file := source_of(name))}
    assert {file for file in DOCS.rglob("*.md") if "website" not in file.parts} <= files
    assert len({place_of(name) for name in named}) == len(named)


def test_links_lead_to_where_pages_are() -> None:
    places = {DOCS / "api.md": "api", DOCS / "ship/README.md": "ship/index"}
    links = Links(places)
    text = "[a](../api.md#tokens) `x` [b](fluent-bit.md) [c](https://example.org) [d](#keys)"
    written = links.rewritten(text, DOCS / "ship" / "README.md", "ship/index")
    assert written == (
        "[a](../api.md#tokens) `x` [b](../files/docs/ship/fluent-bit.md.txt)"
        " [c](https://example.org) [d](#keys)"
    )
    assert links.files == {DOCS / "ship" / "fluent-bit.md"}
    assert not links.broken


def test_a_link_that_leads_nowhere_is_told() -> None:
    links = Links({})
    links.rewritten("see [a](nothing.md)", DOCS / "api.md", "api")
    assert links.broken == ["docs/api.md links to nothing.md: there is no such"]


def test_code_is_left_as_it_is() -> None:
    text = "```text\n[a](nothing.md)\n```\n"
    links = Links({})
    assert links.rewritten(text, DOCS / "api.md", "api") == text
    assert not links.broken


def test_every_setting_has_its_row_and_variable() -> None:
    paths = [path for path, _ in settings(Settings)]
    assert len(paths) == len(set(paths))
    assert set(rows(settings_page())) >= set(paths)
    assert variable("api.port") == "VEDETTE_API__PORT"
    assert variable("sources.password") == "VEDETTE_SOURCES__0__PASSWORD"
    assert variable("notify.routes.name") == "VEDETTE_NOTIFY__ROUTES__NAME"


def test_every_command_has_its_section() -> None:
    names = [name for name, _ in commands()]
    assert headings(commands_page())[1:] == names
    assert {"vedette scan", "vedette incidents show", "vedette keys create"} <= set(names)
    assert "`--config`, `-c`" in commands_page()


def test_every_detector_has_its_row() -> None:
    names = {each.name for each in load_catalogue().rules} | {each.name for each in DETECTORS}
    assert set(re.findall(r"^\| \[`(\w+)`\]", detectors_page(), re.MULTILINE)) == names


def test_every_format_has_its_section() -> None:
    assert headings(formats_page())[1:] == list(FORMATS)


def test_routes_say_who_may_ask() -> None:
    text = routes_page()
    for title, told in (
        ("POST /api/v1/keys", "Role admin or above"),
        ("GET /api/v1/incidents", "Role viewer or above"),
        ("GET /healthz", "No key needed"),
    ):
        assert told in text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_tables_hold_what_is_in_their_cells() -> None:
    assert table(("a", "b"), [(code("x|y"), "two\nlines")]).splitlines()[2] == (
        "| `x\\|y` | two lines |"
    )
    assert code("a`b") == "`` a`b ``"
    assert plain("<b> *x*") == "\\<b\\> \\*x\\*"
