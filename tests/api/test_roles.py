"""Who may ask what: every route, every role, as docs/api.md says."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from alerts.access.keys import Role
from alerts.storage.store import Store
from api.access import RequireRole
from api.description import API_PREFIX, GUARDED, describe
from tests.api.calls import Api, finding
from tests.docs.pages import page, rows

#: Parts of paths, as they are where something is there.
PARTS: Final = {
    "{incident_id}": "1",
    "{silence_id}": "1",
    "{delivery_id}": "1",
    "{key_id}": "0123456789ab",
    "{name}": "auth_failure_burst",
    "{entity_type}": "client",
}

#: Bodies that are understood.
BODIES: Final[dict[str, Any]] = {
    "PATCH /api/v1/incidents/{incident_id}": {"assignee": "mia"},
    "POST /api/v1/incidents/{incident_id}/comments": {"text": "seen"},
    "POST /api/v1/silences": {"matchers": {"entity": ["x"]}, "minutes": 1, "comment": "x"},
    "POST /api/v1/keys": {"name": "x", "role": "viewer"},
}

#: Answers without an end.
ENDLESS: Final = "GET /api/v1/stream"


def is_page(route: str) -> bool:
    """Whether a route is a view, which sends strangers to /login."""
    return not route.partition(" ")[2].startswith((*GUARDED, "/metrics"))


def required(dependant: Dependant | None) -> Iterator[Role]:
    if dependant is not None:
        if isinstance(dependant.call, RequireRole):
            yield dependant.call.role
        for part in dependant.dependencies:
            yield from required(part)


def roles(api: Api) -> dict[str, Role]:
    """Return the role that each route asks for, by method and path."""
    found: dict[str, Role] = {}
    for context in iter_route_contexts(api.app.routes):
        wanted = max(required(getattr(context, "dependant", None)), default=None)
        methods = (getattr(context, "methods", None) or set()) - {"HEAD", "OPTIONS"}
        if wanted is not None:
            found |= {f"{method} {context.path}": wanted for method in methods}
    return found


def ask(api: Api, route: str, role: Role | None) -> int:
    method, _, path = route.partition(" ")
    for part, value in PARTS.items():
        path = path.replace(part, value)
    query = "?entity=203.0.113.7" if "/entities/" in path else ""
    headers = {"If-Match": "*"} if method == "PATCH" else {}
    answer = api.client(role).request(
        method, path + query, json=BODIES.get(route), headers=headers, follow_redirects=False
    )
    return answer.status_code


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_each_role_gets_what_it_may_and_no_more(api: Api) -> None:
    Store(api.engine).record([finding(0)], watermark=None)
    known = roles(api)
    assert len(known) > 20
    for route, wanted in known.items():
        assert ask(api, route, None) == (303 if is_page(route) else 401), route
        for role in Role:
            if role < wanted:
                assert ask(api, route, role) == 403, (route, role)
            elif route != ENDLESS:
                assert ask(api, route, role) not in {401, 403, 422, 500}, (route, role)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_page_names_the_role_of_every_route(api: Api) -> None:
    documented = {route: told[1] for route, told in rows(page("api.md")).items() if " /" in route}
    known = {route: role.label for route, role in roles(api).items()}
    assert {route: told for route, told in documented.items() if told != "none"} == known


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_description_has_every_route_with_examples(api: Api) -> None:
    document = describe(api.app)
    described = {
        f"{method.upper()} {path}" for path, ways in document["paths"].items() for method in ways
    }
    asked = {route for route in roles(api) if not is_page(route)}
    assert described >= asked - {f"GET {API_PREFIX}/openapi.json"}
    for path, ways in document["paths"].items():
        for method, operation in ways.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["operationId"], where
            for each in operation.get("parameters", ()):
                if each["in"] == "path" and "enum" not in each["schema"]:
                    assert each.get("examples") or each["schema"].get("examples"), where
    for name in ("IncidentChange", "CommentBody", "NewSilence", "NewKey", "Login"):
        assert document["components"]["schemas"][name]["examples"], name
