"""What the owner of the shop has declared: OpenAPI documents, and settings about countries."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import polars as pl

from ingest.route_documents import Operation, RouteDocument
from ingest.routes import RouteTemplates
from vedette.simulation.draws import stream
from vedette.simulation.parameters import draw_pools
from vedette.simulation.services import SERVICES, Route

#: Services that have a document, with operations that nobody ordinary calls. Those that are
#: deprecated have a version that took their place; the others are for the next release.
_UNUSED: Final[Mapping[str, Mapping[tuple[str, str], bool]]] = {
    "accounts": {
        ("GET", "/accounts/v1/users/{number}"): True,
        ("POST", "/accounts/v1/passkeys"): False,
    },
    "orders": {
        ("GET", "/orders/v1/history/{order}"): True,
        ("GET", "/orders/v1/basket"): True,
        ("POST", "/orders/v1/gift-cards"): False,
        ("GET", "/orders/v1/gift-cards/{number}"): False,
    },
}

#: Where the shop sends its goods, and what its lawyers do not let it serve.
EXPECTED: Final = ("AT", "AU", "DE", "ES", "FR", "GB", "IT", "JP", "NL", "PL", "US", "ZA")
BLOCKED: Final = ("KP",)


def documents() -> dict[str, str]:
    """Return the OpenAPI documents (JSON) by the names of their files."""
    return {f"{name}.json": _document(name) for name in _UNUSED}


def settings_after_days() -> str:
    """Return the settings (TOML) that say what is declared; documents stand beside them."""
    files = ", ".join(f'"{name}"' for name in documents())
    return (
        f"[routes]\nopenapi = [{files}]\n\n"
        "# The log itself says where requests come from.\n"
        "[geo]\nbundled = false\n\n"
        f"[countries]\nblocked = {json.dumps(BLOCKED)}\nexpected = {json.dumps(EXPECTED)}\n"
    )


@lru_cache(maxsize=1)
def declared_templates() -> RouteTemplates:
    """Return what paths are called under these settings."""
    return RouteTemplates(
        [
            RouteDocument(
                f"{name}.json",
                tuple({template: None for _, template in _operations(name)}),
                tuple(Operation(*each) for each in _operations(name)),
            )
            for name in _UNUSED
        ]
    )


@lru_cache
def route_names(service: str) -> tuple[str, ...]:
    """Return the routes of a service as events and findings name them under these settings."""
    routes = _routes(service)
    pools = draw_pools(stream(0, "route names"))
    paths = [
        each.template.format_map({name: values[0] for name, values in pools.items()})
        for each in routes
    ]
    templates = declared_templates().of(pl.Series(paths), pl.Series([service] * len(paths)))
    return tuple(
        f"{service} {each.method} {template}"
        for each, template in zip(routes, templates, strict=True)
    )


def _routes(service: str) -> tuple[Route, ...]:
    (found,) = (each.routes for each in SERVICES if each.name == service)
    return found


def _operations(service: str) -> list[tuple[str, str]]:
    return [(each.method, each.template) for each in _routes(service)] + list(_UNUSED[service])


def _document(service: str) -> str:
    paths: dict[str, dict[str, Any]] = {}
    for method, template in _operations(service):
        operation: dict[str, Any] = {"responses": {"default": {"description": "see the guide"}}}
        if _UNUSED[service].get((method, template), False):
            operation["deprecated"] = True
        paths.setdefault(template, {})[method.lower()] = operation
    whole = {"openapi": "3.1.0", "info": {"title": service, "version": "1"}, "paths": paths}
    return json.dumps(whole, indent=2) + "\n"
