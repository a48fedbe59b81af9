"""Files of the page: vendored as they were, nothing inline in templates, cached by content."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.page.static_files import static_files, static_url
from tests.api.calls import Api
from tests.docs.pages import rows

STATIC = Path(str(files("api.page"))) / "static"
TEMPLATES = sorted((STATIC.parent / "templates").glob("*.html"))

#: What the policy refuses: script and style within HTML, and what becomes script.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+\s*=|javascript:|hx-on|hx-vals\s*=\s*[\"']js",
    re.IGNORECASE,
)

#: What switches escaping off.
UNESCAPED = re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\b")


def test_vendored_files_are_as_they_were_taken() -> None:
    vendored = rows((STATIC / "VENDORED.md").read_text(encoding="utf-8"))
    named = {
        name: cells[-1].strip("`") for name, cells in vendored.items() if cells[0] == f"`{name}`"
    }
    assert {"htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css"} < set(named)
    for name, told in named.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == told, name


def test_every_file_is_ours_or_vendored() -> None:
    vendored = rows((STATIC / "VENDORED.md").read_text(encoding="utf-8"))
    ours = {"page.js", "page.css", "vedette.svg", "VENDORED.md"}
    assert {path.name for path in STATIC.iterdir()} <= ours | set(vendored)


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
def test_templates_have_no_script_or_style_and_escape_everything(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert INLINE.findall(text) == []
    assert UNESCAPED.findall(text) == []


@pytest.mark.parametrize(
    "inline",
    [
        "<script>alert(1)</script>",
        '<p style="color: red">',
        "<p onclick='x()'>",
        '<a href="javascript:x">',
        "<style>",
    ],
)
def test_the_search_for_inline_code_finds_it(inline: str) -> None:
    assert INLINE.search(inline)


def test_our_script_makes_no_markup_and_evaluates_nothing() -> None:
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script) == []
    )
    assert re.findall(r"new Function|setAttribute\(\"style|\.cssText", script) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_files_are_kept_by_browsers_while_they_are_the_same(api: Api) -> None:
    client: TestClient = api.client(None)
    for name, file in static_files().items():
        answer = client.get(static_url(name))
        assert (answer.status_code, answer.content) == (200, file.content)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get(f"/static/{name}?v=old").headers["cache-control"] == "no-cache"
    for name in ("VENDORED.md", "htmx.LICENSE", "..%2Faccess.py", "nothing.js", "page.js%00"):
        assert client.get(f"/static/{name}").status_code == 404, name
