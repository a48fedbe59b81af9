"""Routes: from OpenAPI documents, from what was learned, and else from patterns."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.route_documents import Operation, RouteDocument, RouteDocumentError, load_document
from ingest.routes import RouteTemplates, route_templates


def document(*templates: str, service: str | None = None) -> RouteDocument:
    return RouteDocument("test", templates, (), service)


DOCUMENT = document(
    "/users/me",
    "/users/{userId}",
    "/users/{userId}/orders/{orderId}",
    "/users/me/orders/{orderId}",
    "/{tenant}/users/list",
    "/files/{name}.json",
    "/files/{name}",
    "/files/report-{day}.{kind}",
    "/v1.0/a+b/{x}",
    "/assets/{path+}",
    "/",
)


def template(templates: RouteTemplates, path: str | None, service: str | None = None) -> str | None:
    """Return the template of a path alone, which it also has among others."""
    found: list[str | None] = []
    for others in ([], ["/users/7", None, "/a/550e8400-e29b-41d4-a716-446655440000", "/x/y/z"]):
        paths = pl.Series("path", [path, *others], dtype=pl.String)
        services = pl.Series([service, *["other"] * len(others)], dtype=pl.String)
        column = templates.of(paths, services)
        assert column.name == "path"
        found.append(column[0])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/users/me", "/users/me"),
        ("/users/7", "/users/{userId}"),
        ("/users/bob", "/users/{userId}"),
        ("/users/me/orders/9", "/users/me/orders/{orderId}"),
        ("/users/bob/orders/9", "/users/{userId}/orders/{orderId}"),
        ("/acme/users/list", "/{tenant}/users/list"),
        ("/files/a.json", "/files/{name}.json"),
        ("/files/a.b.json", "/files/{name}.json"),
        ("/files/.json", "/files/{name}"),
        ("/files/a.xml", "/files/{name}"),
        ("/files/report-1.pdf", "/files/report-{day}.{kind}"),
        ("/v1.0/a+b/c", "/v1.0/a+b/{x}"),
        ("/v1x0/aab/c", "/v1x0/aab/c"),
        ("/assets/js/app.js", "/assets/{path+}"),
        ("/assets/", "/assets/"),
        ("/users/", "/users/"),
        ("/users//orders/9", "/users//orders/{id}"),
        ("/users/7/", "/users/{id}/"),
        ("/USERS/7", "/USERS/{id}"),
        ("users/7", "users/{id}"),
        ("*", "*"),
        ("", ""),
        (None, None),
    ],
)
def test_declared_paths(path: str | None, expected: str | None) -> None:
    assert template(RouteTemplates([DOCUMENT]), path) == expected


def test_the_first_document_counts_and_a_service_has_its_own() -> None:
    documents = [
        document("/a/{shop}", service="shop"),
        document("/a/{first}"),
        document("/a/{second}", "/b/{second}"),
    ]
    templates = RouteTemplates(documents)
    assert template(templates, "/a/x", "shop") == "/a/{shop}"
    assert template(templates, "/a/x", "pay") == "/a/{first}"
    assert template(templates, "/a/x") == "/a/{first}"
    assert template(templates, "/b/x", "shop") == "/b/{second}"
    assert templates.of(pl.Series(["/a/x"])).to_list() == ["/a/{first}"]


@pytest.mark.parametrize(
    ("path", "service", "expected"),
    [
        ("/users/alice", None, "/users/{id}"),
        ("/users/alice", "pay", "/users/{id}"),
        ("/users/alice/posts/first", None, "/users/{id}/posts/{id}"),
        ("/users/7/posts/first", None, "/users/{id}/posts/{id}"),
        ("/users/550e8400-e29b-41d4-a716-446655440000/a", None, "/users/{uuid}/a"),
        ("/users", None, "/users"),
        ("/users/", None, "/users/"),
        ("/items/red", "shop", "/items/{id}"),
        ("/items/red", "pay", "/items/red"),
        ("/items/red", None, "/items/red"),
        ("/x/users/alice", None, "/x/users/alice"),
        ("/declared/bob", None, "/declared/{name}"),
        ("/users/" + "a/" * 20, None, "/users/{id}" + "/a" * 10 + "/{...}"),
    ],
)
def test_learned_templates(path: str, service: str | None, expected: str) -> None:
    learned = ["/users/{id}", "/users/{id}/posts/{id}", "shop /items/{id}", "/declared/{id}"]
    templates = RouteTemplates([document("/declared/{name}")], learned)
    assert template(templates, path, service) == expected


def test_what_varies_at_the_root() -> None:
    templates = RouteTemplates(learned=["/{id}"])
    assert [template(templates, path) for path in ("/acme", "/acme/a", "/")] == [
        "/{id}",
        "/{id}/a",
        "/",
    ]


@pytest.mark.parametrize("text", ["users/{id}", "/users", "", "shop/users/{id}", "{id}"])
def test_wrong_learned_templates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no learned route"):
        RouteTemplates(learned=[text])


segments = st.sampled_from(
    ["", "users", "me", "7", "a.json", "files", "assets", "v1.0", "{id}", "é"]
)
paths = st.one_of(st.none(), st.text(max_size=8), st.lists(segments, max_size=5).map("/".join))


@settings(deadline=None)
@given(st.lists(paths, max_size=12))
def test_templates_do_not_depend_on_their_neighbours(column: list[str | None]) -> None:
    templates = RouteTemplates([DOCUMENT], ["/users/{id}", "/{id}", "/{id}/{id}"])
    found = templates.of(pl.Series(column, dtype=pl.String)).to_list()
    assert found == [templates.of(pl.Series([path], dtype=pl.String))[0] for path in column]


@settings(deadline=None)
@given(st.lists(paths, max_size=12))
def test_patterns_are_what_is_left_without_documents(column: list[str | None]) -> None:
    series = pl.Series(column, dtype=pl.String)
    assert RouteTemplates().of(series).equals(route_templates(series), null_equal=True)


def test_fingerprints() -> None:
    made = [
        RouteTemplates(),
        RouteTemplates([document("/a")]),
        RouteTemplates([document("/a", service="shop")]),
        RouteTemplates([document("/a"), document("/b")]),
        RouteTemplates([document("/b"), document("/a")]),
        RouteTemplates(learned=["/a/{id}"]),
        RouteTemplates(learned=["/a/{id}", "/b/{id}"]),
    ]
    assert len({templates.fingerprint for templates in made}) == len(made)
    again = RouteTemplates(learned=["/b/{id}", "/a/{id}", "/a/{id}"])
    assert again.fingerprint == made[-1].fingerprint


def written(path: Path, tree: object) -> Path:
    text = json.dumps(tree) if path.suffix == ".json" else yaml.safe_dump(tree, sort_keys=False)
    path.write_text(text)
    return path


OPERATION: dict[str, Any] = {"responses": {}}


@pytest.mark.parametrize("name", ["api.yaml", "api.json"])
@pytest.mark.parametrize("version", ["3.0.4", "3.1.1"])
def test_openapi_3(tmp_path: Path, name: str, version: str) -> None:
    tree = {
        "openapi": version,
        "servers": [
            {
                "url": "https://api.example.com/v{major}/",
                "variables": {"major": {"default": "1", "enum": ["1", "2"]}},
            },
            {"url": "/beta"},
        ],
        "paths": {
            "/users/{id}": {
                "get": OPERATION,
                "delete": {**OPERATION, "deprecated": True},
                "parameters": [],
            },
            "/base": {"servers": [{"url": "https://example.com"}], "post": OPERATION},
            "/one": {"get": {**OPERATION, "servers": [{"url": "//h/only"}]}},
            "/elsewhere": {"$ref": "other.yaml#/x"},
            "/here": {"$ref": "#/components/pathItems/a~1b"},
            "x-internal": {"get": OPERATION},
        },
        "components": {"pathItems": {"a/b": {"patch": OPERATION}}},
    }
    found = load_document(written(tmp_path / name, tree), service="shop")
    assert (found.name, found.service) == (name, "shop")
    bases = ["/v1", "/v2", "/beta"]
    assert found.templates == (
        *[f"{base}/users/{{id}}" for base in bases],
        "/base",
        *[f"{base}/one" for base in bases],
        "/only/one",
        *[f"{base}/elsewhere" for base in bases],
        *[f"{base}/here" for base in bases],
    )
    assert Operation("DELETE", "/v2/users/{id}", deprecated=True) in found.operations
    assert Operation("POST", "/base") in found.operations
    assert Operation("GET", "/only/one") in found.operations
    assert Operation("PATCH", "/beta/here") in found.operations
    assert len(found.operations) == 2 * 3 + 1 + 1 + 3


def test_swagger_2(tmp_path: Path) -> None:
    tree = {"swagger": "2.0", "basePath": "/api/", "paths": {"/a/{b}": {"get": OPERATION}}}
    found = load_document(written(tmp_path / "swagger.json", tree))
    assert found.operations == (Operation("GET", "/api/a/{b}"),)
    tree = {"swagger": "2.0", "paths": {"/a": {}}}
    assert load_document(written(tmp_path / "swagger.yml", tree)).templates == ("/a",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "no OpenAPI document: it has neither"),
        (b"", "no OpenAPI document"),
        (b"{}", "no OpenAPI document"),
        (b"title: x", "no OpenAPI document"),
        (b"openapi: 4.0.0", "version '4.0.0': expected 3.x or Swagger 2.0"),
        (b"openapi: 3.1.0", "`paths` is missing"),
        (b"openapi: 3.1.0\npaths: [a]", "`paths` is missing, or no mapping"),
        (b"openapi: 3.1.0\npaths: {users: {}}", "'users' under `paths` is no path template"),
        (b"openapi: 3.1.0\npaths: {'/a/{b': {}}", "is no path template"),
        (b"openapi: 3.1.0\npaths: {'/a/{}': {}}", "is no path template"),
        (b"a: b: c", "no valid YAML: .* at line 1, column 5"),
        (b"a: !!python/object:os.system {}", "no valid YAML"),
        (b'{"a": }', "neither JSON nor YAML: .* at line 1, column 7"),
        (b"a: \xff", "not UTF-8 text at byte 3"),
        (b"a: \x00", "no valid YAML"),
        (b"[" * 100_000, "no valid YAML|nested more than 200 deep"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "api.yaml"
    path.write_bytes(content)
    with pytest.raises(RouteDocumentError, match=rf"api\.yaml: .*({reason})"):
        load_document(path)


def test_missing_and_oversized_documents_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RouteDocumentError, match=r"none\.yaml: No such file"):
        load_document(tmp_path / "none.yaml")
    with pytest.raises(RouteDocumentError, match="Is a directory"):
        load_document(tmp_path)
    monkeypatch.setattr("ingest.route_documents.SIZE_LIMIT", 10)
    with pytest.raises(RouteDocumentError, match="larger than"):
        load_document(written(tmp_path / "a.json", {"openapi": "3.0.0"}))


def test_yaml_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 {}"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)
    ]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(["openapi: 3.1.0", "paths: {/a: {get: {}}}", *lines]))
    with pytest.raises(RouteDocumentError, match="more than 5,000,000 values"):
        load_document(path)
