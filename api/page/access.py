"""Who may see the page: sessions and keys of role viewer and above; others go to /login."""

from typing import Final

from fastapi import HTTPException, Request

from alerts.access.keys import Role, Scope
from api.access import RequireRole
from api.services import Services

LOGIN: Final = "/login"

#: What htmx sends with what it asks for.
_HTMX: Final = "HX-Request"


class PageViewer(RequireRole):
    """A dependency of every view: as RequireRole, but sends whom it does not know to /login."""

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(Role.VIEWER, scope)

    def stranger(self, request: Request, services: Services) -> HTTPException:  # noqa: ARG002 - nothing is refused
        """Return what leads a browser to /login."""
        if is_fragment(request):
            # A redirect would be followed unseen, and the log-in end inside the view.
            return HTTPException(401, "log in again", {"HX-Redirect": LOGIN})
        return HTTPException(303, "log in first", {"Location": LOGIN})


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a view."""
    return request.headers.get(_HTMX) == "true"
