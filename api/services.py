"""What the routes work with; one for each application."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from alerts.keys import KeyStore
from api.health import HealthReport


@dataclass(frozen=True, slots=True)
class Services:
    """The database, its keys, the worker's health and the clock."""

    engine: Engine
    keys: KeyStore
    health: Callable[[], HealthReport]
    now: Callable[[], datetime]


def services_of(request: Request) -> Services:
    """Return the services of the application that answers the request."""
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(services_of)]
