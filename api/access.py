"""Who may ask: an API key of sufficient role, on every route under /api/v1."""

from typing import Annotated, Final

from fastapi import FastAPI, HTTPException, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from alerts.keys import ApiKey, Role
from api.services import Services, WithServices

#: Everything under it needs a role.
API_PREFIX: Final = "/api/v1"

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="vedette"'}

_bearer: Final = HTTPBearer(auto_error=False, description="An API key of Vedette")
_header: Final = APIKeyHeader(name="X-API-Key", auto_error=False)

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Header = Annotated[str | None, Security(_header)]


def presented_key(services: WithServices, bearer: _Bearer, header: _Header) -> ApiKey | None:
    """Return the key that came with the request, None if none came or it does not work."""
    text = bearer.credentials if bearer is not None else header
    return _verified(services, text) if text else None


PresentedKey = Annotated[ApiKey | None, Security(presented_key)]


class RequireRole:
    """A dependency: lets in keys of this role and above, and returns the key."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, key: PresentedKey) -> ApiKey:
        """Raise 401 without a working key, 403 for one of a lesser role."""
        if key is None:
            raise HTTPException(401, "a valid API key is needed", _CHALLENGE)
        if key.role < self.role:
            raise HTTPException(403, f"a key with role {self.role.label} is needed")
        return key


def unprotected_routes(app: FastAPI) -> list[str]:
    """Return the paths under API_PREFIX that ask for no role; there must be none."""
    return [
        context.path
        for context in iter_route_contexts(app.routes)
        if context.path is not None
        and context.path.startswith(API_PREFIX)
        and not _asks_for_role(getattr(context, "dependant", None))
    ]


def _asks_for_role(dependant: Dependant | None) -> bool:
    return dependant is not None and (
        isinstance(dependant.call, RequireRole)
        or any(_asks_for_role(part) for part in dependant.dependencies)
    )


def _verified(services: Services, text: str) -> ApiKey | None:
    return services.keys.verify_key(text, services.now())
