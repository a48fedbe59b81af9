"""The API as OpenAPI: every answer that can come, problems among them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import PROBLEM_TYPE

API_PREFIX: Final = "/api/v1"

#: What is under these asks for a role: the API, and what bouncers ask for.
GUARDED: Final = (f"{API_PREFIX}/", "/v1/")

Responses = dict[int | str, dict[str, Any]]

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457); more members may follow.",
    "required": ["type", "title", "status", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "the same is in the log"},
        "errors": {
            "type": "array",
            "description": "of 422: what is wrong with the request, and where",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"type": "string"}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "there is no incident 17",
            "request_id": "5f0c8c7a3d2e4b6f9a1b2c3d4e5f6071",
        }
    ],
}

#: What any route may answer, and any under GUARDED.
_ANYWHERE: Final = (413, 414, 421, 429, 431, 500, 503)
_WITH_ROLE: Final = (401, 403)

#: What a body may be answered that is no JSON.
_UNREADABLE: Final = 400

#: Routes outside GUARDED: one that asks for a role, and those that do not.
_METRICS: Final = "/metrics"
_OPEN: Final = frozenset({"/healthz", "/readyz", "/login"})

#: Titles that HTTPStatus has not, or has in older words.
_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}

_CONTENT: Final = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_HEADERS: Final = {
    "X-Request-Id": {"schema": {"type": "string"}, "description": "names the request in the log"}
}
_FAILED: Final = 400


def answers(described: Mapping[int, str]) -> Responses:
    """Return what a route may answer beside success, as FastAPI takes it."""
    return {status: {"description": text} for status, text in described.items()}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = _PROBLEM
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(path, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add what any route may answer, and say that failures are problems."""
    responses: dict[str, Any] = operation["responses"]
    common = (
        *_ANYWHERE,
        *(_WITH_ROLE if path.startswith(GUARDED) or path == _METRICS else ()),
        *((_UNREADABLE,) if "requestBody" in operation else ()),
    )
    if path in _OPEN:
        operation["security"] = [{}, *operation.get("security", ())]
    for status in common:
        title = _TITLES.get(status) or HTTPStatus(status).phrase
        responses.setdefault(str(status), {"description": title})
    for status, answer in responses.items():
        if int(status) >= _FAILED:
            answer["content"] = _CONTENT
            answer["description"] = _TITLES.get(int(status)) or answer["description"]
        answer.setdefault("headers", {}).update(_HEADERS)
    operation["responses"] = dict(sorted(responses.items()))
