"""Errors as problem+json (RFC 9457): what went wrong, never how it looks inside."""

import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from api.middleware import SECURITY_HEADERS, request_id_of
from ingest.masking import printable

PROBLEM_TYPE: Final = "application/problem+json"

#: Faults of a request that one answer names.
_ERROR_LIMIT: Final = 10

#: Characters of a text that came with the request.
_ECHO_LIMIT: Final = 100

_log: Final = structlog.get_logger(__name__)


def problem(
    request: Request,
    status: int,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - extension members are any JSON
) -> JSONResponse:
    """Return an error as problem+json; `more` are its extension members."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "request_id": request_id_of(request.scope),
        **({"detail": detail} if detail else {}),
        **more,
    }
    return JSONResponse(content, status, headers, PROBLEM_TYPE)


def install_problems(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _database_down)
    app.add_exception_handler(Exception, _unexpected)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    standard = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != standard else None
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(allowed_methods(request.app, request.scope["path"]))}
    return problem(request, error.status_code, detail, headers)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Return the methods of all routes that a path leads to, where Starlette names one's only."""
    found: set[str] = set()
    for context in iter_route_contexts(app.routes):
        if context.path is not None and _pattern(context.path).match(path):
            found |= getattr(context, "methods", None) or set()
    return sorted(found)


@cache
def _pattern(path: str) -> re.Pattern[str]:
    pattern, _, _ = compile_path(path)
    return pattern


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker
    errors = [
        {
            "loc": [printable(str(part)[:_ECHO_LIMIT]) for part in fault["loc"]],
            "msg": fault["msg"],
            "type": fault["type"],
        }
        for fault in error.errors()[:_ERROR_LIMIT]
    ]
    return problem(request, 422, "the request is not valid", errors=errors)


def _database_down(request: Request, error: Exception) -> JSONResponse:
    _log.error("database unavailable", request_id=request_id_of(request.scope), error=str(error))
    return problem(request, 503, "the database does not answer", {"Retry-After": "5"})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    request_id = request_id_of(request.scope)
    _log.error("request failed", request_id=request_id, error=type(error).__name__)
    # Starlette sends this answer outside all middleware, so it brings their headers itself.
    headers = {**SECURITY_HEADERS, "X-Request-Id": request_id}
    return problem(request, 500, "the request failed; the log has more under its id", headers)
