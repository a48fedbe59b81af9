"""Who may see the page: sessions and keys of role viewer and above; others go to /login."""

from typing import Final

from fastapi import HTTPException, Request, Response

from alerts.keys import Role, Scope
from api.access import Call, PresentedCaller, RequireRole
from api.services import WithServices

LOGIN: Final = "/login"

#: What htmx sends with what it asks for.
_HTMX: Final = "HX-Request"


class PageViewer(RequireRole):
    """A dependency of every view: as RequireRole, but sends whom it does not know to /login."""

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(Role.VIEWER, scope)

    def __call__(
        self, request: Request, response: Response, services: WithServices, caller: PresentedCaller
    ) -> Call:
        """Return the call; without a caller raise what leads a browser to /login."""
        if caller is not None:
            return super().__call__(request, response, services, caller)
        if is_fragment(request):
            # A redirect would be followed unseen, and the log-in end inside the view.
            raise HTTPException(401, "log in again", {"HX-Redirect": LOGIN})
        raise HTTPException(303, "log in first", {"Location": LOGIN})


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a view."""
    return request.headers.get(_HTMX) == "true"
