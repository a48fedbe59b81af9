"""/api/v1/deliveries: what was sent when, what was not and why; dead messages again."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel

from alerts.access.keys import Role
from alerts.sending.history import Entry, State, history, revive
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incident_query import Name, Number

#: Messages that one answer lists at most.
LISTED: Final = 200

router = APIRouter(prefix=f"{API_PREFIX}/deliveries", tags=["deliveries"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "deliveries")]
Analyst = Annotated[Call, RequireRole.of(Role.ANALYST, "deliveries")]


class Retried(BaseModel):
    """The numbers of the messages that are tried again."""

    deliveries: list[int]


@router.get("")
def list_all(
    call: Viewer,
    incident: Annotated[Number | None, Query()] = None,
    target: Annotated[Name | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=LISTED)] = 50,
) -> list[Entry]:
    """List messages, and news that are in none, the newest first."""
    return history(call.engine, incident=incident, target=target, state=state, limit=limit)


@router.post("/{delivery_id}/retry", responses=answers({404: "No such message, or it is not dead"}))
def retry(
    call: Analyst,
    delivery_id: Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])],
) -> Retried:
    """Try a dead message again, with the mark it had; only to the target it was for."""
    revived = revive(call.engine, call.now(), delivery=delivery_id)
    if not revived:
        raise HTTPException(404, f"there is no dead message {delivery_id}")
    call.record(f"delivery {delivery_id}")
    call.services.changed()
    return Retried(deliveries=revived)
