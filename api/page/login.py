"""/login: where a log-in link leads. page.js sends its code, which no server sees before, on."""

from fastapi import APIRouter, Request, Response

from api.page.access import LOGIN
from api.page.faults import PageRoute
from api.page.rendering import render_open

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get(LOGIN)
def login(request: Request) -> Response:
    """Show how to log in; with a code in the fragment the page logs in by itself."""
    return render_open(request, "login.html")
