"""Every route of the API, from its OpenAPI document and from what its routes ask for."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from alerts.database.opening import open_database
from api.access import RequireRole
from api.application import create_api
from api.description import describe
from api.health import HealthReport
from docs.website.navigation import DOCS
from docs.website.reference.tables import code, plain, table

#: Whose parameters are explained on a page that is written by hand.
_LIST: Final = "GET /api/v1/incidents"

_TOP: Final = """# Every route

The routes of the API that its OpenAPI document describes ({count} of them), which a running service
gives at `/api/v1/openapi.json`. How to use them, with keys, tokens and limits, is in
[the API](../api.md).

What any of them may answer beside what stands with it: {common}. Errors are
`application/problem+json`, with what is wrong in words.
"""


def routes_page() -> str:
    """Return the page."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'vedette.db'}")
        try:
            app = create_api(
                engine, Path(folder) / "secret", health=lambda: HealthReport(healthy=True)
            )
            document, guards = describe(app), dict(_guards(app))
            app.state.services.audit.close()
        finally:
            engine.dispose()
    found = [
        (f"{method.upper()} {path}", operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    common = _common(operation for name, operation in found if name in guards)
    told = (
        _section(name, operation, guards.get(name), document, common) for name, operation in found
    )
    return _TOP.format(count=len(found), common=_answers(common)) + "".join(told)


def _common(operations: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Statuses with the same meaning on all routes that ask for a role."""
    told = [_statuses(operation).items() for operation in operations]
    return dict(sorted(set(told[0]).intersection(*told[1:]) - {("200", "Successful Response")}))


def _statuses(operation: Mapping[str, Any]) -> dict[str, str]:
    return {status: answer["description"] for status, answer in operation["responses"].items()}


def _answers(statuses: Mapping[str, str]) -> str:
    return ", ".join(f"{code(status)} {plain(told)}" for status, told in statuses.items())


def _filters() -> dict[str, str]:
    """What docs/api.md says of the filters of the list, by their names as code."""
    text = (DOCS / "api.md").read_text(encoding="utf-8").partition("## The list")[2]
    found = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| (.+) \|$", text.partition("\n## ")[0], re.MULTILINE
    )
    return {name: meaning for names, meaning in found for name in names.split(", ")}


def _guards(app: FastAPI) -> Iterator[tuple[str, RequireRole]]:
    for context in iter_route_contexts(app.routes):
        for method in getattr(context, "methods", None) or ():
            for guard in _guards_of(getattr(context, "dependant", None)):
                yield f"{method} {context.path}", guard


def _guards_of(dependant: Any) -> Iterator[RequireRole]:
    if dependant is None:
        return
    if isinstance(dependant.call, RequireRole):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards_of(inner)


def _section(
    name: str,
    operation: Mapping[str, Any],
    guard: RequireRole | None,
    document: Mapping[str, Any],
    common: Mapping[str, str],
) -> str:
    scope = f", scope {code(guard.scope)}" if guard and guard.scope else ""
    role = f"Role {guard.role.label} or above{scope}." if guard else "No key needed."
    told = plain(" ".join((operation.get("description") or operation["summary"]).split()))
    rows: list[tuple[str, ...]] = [*_parameters(operation, document), *_body(operation, document)]
    if name == _LIST:
        rows = [(*row[:-1], row[-1] or _filters().get(row[0], "")) for row in rows]
    heads = ["name", "in", "type", "meaning"]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    own = {key: text for key, text in _statuses(operation).items() if common.get(key) != text}
    asked = f"\n{table(heads, rows)}" if rows else ""
    return f"\n## {name}\n\n{told.rstrip('.')}. {role}\n{asked}\nAnswers: {_answers(own)}.\n"


def _parameters(
    operation: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    for each in operation.get("parameters", []):
        needed = ", needed" if each.get("required") else ""
        meaning = each.get("description") or each["schema"].get("description", "")
        kind = _type(each["schema"], document)
        yield code(each["name"]), each["in"] + needed, kind, plain(meaning)


def _body(
    operation: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    for body in content.values():
        schema = _resolved(body.get("schema", {}), document)
        for name, field in schema.get("properties", {}).items():
            needed = ", needed" if name in schema.get("required", ()) else ""
            meaning = plain(field.get("description", ""))
            yield code(name), f"body{needed}", _type(field, document), meaning


def _type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    schema = _resolved(schema, document)
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if "const" in schema:
        return code(schema["const"])
    if "anyOf" in schema:
        told = [_type(each, document) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(told))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), document)}"
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"))
        if key in schema and abs(schema[key]) < 2**53
    ]
    return " ".join([schema.get("format") or schema.get("type", "any"), *bounds])


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
