"""Errors of views, as a view: what the API says as problem+json, for people."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from api.middleware import request_id_of
from api.page.access import is_fragment
from api.page.rendering import render_open

_FAILED: Final = 400
_UNAVAILABLE: Final = 503
_NOT_FOUND: Final = 404

_log: Final = structlog.get_logger(__name__)


class PageRoute(APIRoute):
    """A route of the page: a browser gets its errors as a view, a fragment as a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which shows what it raises."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                if is_fragment(request) or error.status_code < _FAILED:
                    raise
                answer = _view(request, error.status_code, str(error.detail))
                answer.headers.update(error.headers or {})
                return answer
            except RequestValidationError:
                if is_fragment(request):
                    raise
                return _view(request, _NOT_FOUND, "There is no such page.")
            except OperationalError as error:
                if is_fragment(request):
                    raise
                request_id = request_id_of(request.scope)
                _log.error("database unavailable", request_id=request_id, error=str(error))
                why = "The database does not answer. Try again in a moment."
                return _view(request, _UNAVAILABLE, why)

        return shown


def _view(request: Request, status: int, why: str) -> Response:
    answer = render_open(request, "fault.html", status=status, why=why)
    answer.status_code = status
    return answer
