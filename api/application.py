"""The application: routes, errors, middleware."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy import Engine

from alerts.keys import KeyStore, Role
from alerts.times import utc_now
from api import incidents, metrics, status
from api.access import API_PREFIX, RequireRole, unprotected_routes
from api.health import HealthReport
from api.middleware import RequestIds, SecurityHeaders, TargetLimit
from api.problems import install_problems
from api.services import Services


def create_api(
    engine: Engine,
    secret_path: Path,
    *,
    health: Callable[[], HealthReport],
    now: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Return the API over a database and the keys made under the secret.

    `health` is asked at each readiness probe and must be quick. Raises alerts.secret.SecretError.
    """
    app = FastAPI(
        title="Vedette",
        description="Incidents found in API access logs",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would name the host that the caller claims
    )
    app.state.services = Services(engine, KeyStore(engine, secret_path), health, now)
    app.include_router(incidents.router)
    app.include_router(status.router)
    app.include_router(metrics.router)
    app.include_router(_description_router())
    install_problems(app)
    # The last added is the outermost.
    app.add_middleware(TargetLimit)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestIds)
    refuse_unprotected(app)
    return app


def refuse_unprotected(app: FastAPI) -> None:
    """Raise RuntimeError if some route under /api/v1 asks for no role."""
    paths = unprotected_routes(app)
    if paths:
        raise RuntimeError(f"routes without a role: {', '.join(sorted(paths))}")


def _description_router() -> APIRouter:
    router = APIRouter(prefix=API_PREFIX, dependencies=[Depends(RequireRole(Role.VIEWER))])

    @router.get("/openapi.json", include_in_schema=False)
    def describe(request: Request) -> dict[str, Any]:
        app: FastAPI = request.app
        return app.openapi()

    return router
