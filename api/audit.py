"""/api/v1/audit: who changed what, and who was refused."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from alerts.access.audit import LIST_LIMIT, Outcome, StoredDeed, list_deeds
from alerts.access.keys import Role
from api.access import Call, RequireRole
from api.description import API_PREFIX
from api.incident_query import Number

router = APIRouter(prefix=f"{API_PREFIX}/audit", tags=["audit"])


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Deeds, the newest first; `next_before` asks for older ones, null after the last."""

    items: tuple[StoredDeed, ...]
    next_before: int | None


@router.get("")
def list_all(
    call: Annotated[Call, RequireRole.of(Role.ADMIN, "audit")],
    outcome: Annotated[Outcome | None, Query()] = None,
    before: Annotated[Number | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT)] = 50,
) -> AuditPage:
    """List who did what and who was refused; refusals alike count in one row a minute."""
    call.services.audit.flush()
    found = list_deeds(call.engine, before=before, limit=limit, outcome=outcome)
    more = found[-1].id if len(found) == limit else None
    return AuditPage(tuple(found), more)
