"""/api/v1/entities: one client, user or route, and everything that is known of it."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from alerts.access.keys import Role
from alerts.lists.entities import Entity, entity_of
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from detectors.findings import EntityType

router = APIRouter(prefix=f"{API_PREFIX}/entities", tags=["entities"])


@router.get("/{entity_type}", responses=answers({404: "No incident is about it"}))
def read_one(
    call: Annotated[Call, RequireRole.of(Role.VIEWER, "entities")],
    entity_type: Annotated[EntityType, Path()],
    entity: Annotated[str, Query(min_length=1, max_length=512, examples=["203.0.113.7"])],
) -> Entity:
    """Return an entity: its incidents, detectors, paths, statuses and countries.

    Its name is a parameter of the query, since routes have slashes.
    """
    found = entity_of(call.engine, entity_type, entity)
    if found is None:
        raise HTTPException(404, "no incident is about it")
    return found
