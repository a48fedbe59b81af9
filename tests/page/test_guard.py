"""Every view asks who looks, and every answer has the page's policy."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from alerts.access.keys import Role
from api.page.access import PageViewer
from api.page.parts import PARTS
from api.page.rendering import POLICY, VIEWS
from tests.api.calls import Api

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

#: What anybody may see: where to log in, and files that say nothing of anybody.
OPEN = {"/login", "/static/{name}"}


def guards(dependant: Dependant | None) -> Iterator[PageViewer]:
    if dependant is not None:
        if isinstance(dependant.call, PageViewer):
            yield dependant.call
        for part in dependant.dependencies:
            yield from guards(part)


def page_paths() -> set[str]:
    """Return the paths of the page's modules."""
    return {str(getattr(route, "path", "")) for part in PARTS for route in part.router.routes}


def test_every_view_asks_who_looks(api: Api) -> None:
    found = {
        context.path: list(guards(getattr(context, "dependant", None)))
        for context in iter_route_contexts(api.app.routes)
        if context.path in page_paths() - OPEN
    }
    assert set(found) == page_paths() - OPEN
    assert [path for path, asked in found.items() if not asked] == []


def test_strangers_are_sent_to_the_log_in(api: Api) -> None:
    answer = api.client(None).get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    part = api.client(None).get("/", headers={"HX-Request": "true"}, follow_redirects=False)
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")


def test_a_key_for_another_part_of_the_api_sees_no_incidents(api: Api) -> None:
    assert api.client(Role.ADMIN, "blocklist").get("/").status_code == 403
    assert api.client(Role.VIEWER, "incidents").get("/").status_code == 200


def test_views_have_the_policy(api: Api) -> None:
    client = api.client(Role.VIEWER)
    for path in ("/login", *(address for address, _ in VIEWS)):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'")
