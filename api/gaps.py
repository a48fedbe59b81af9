"""/api/v1/gaps: when Vedette was blind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from alerts.access.keys import Role
from alerts.quarantine.gaps import StoredGap, list_gaps
from api.access import Call, RequireRole
from api.description import API_PREFIX
from api.incident_query import Time

router = APIRouter(prefix=f"{API_PREFIX}/gaps", tags=["gaps"])


@dataclass(frozen=True, slots=True)
class GapAnswer:
    """Input that was not seen: `lost` records or bytes (`unit`), null if nobody knows."""

    id: int
    partition: str
    position: int
    reason: str
    unit: str
    lost: int | None
    since: datetime | None
    until: datetime | None
    recorded_at: datetime
    blind: str

    @classmethod
    def of(cls, gap: StoredGap) -> "GapAnswer":
        """Return a stored gap, with what it means in words."""
        return cls(
            gap.id,
            gap.partition,
            gap.position,
            gap.reason,
            gap.unit,
            gap.lost,
            gap.since,
            gap.until,
            gap.recorded_at,
            gap.blind,
        )


@router.get("")
def list_all(
    call: Annotated[Call, RequireRole.of(Role.VIEWER, "gaps")],
    since: Annotated[Time | None, Query()] = None,
    partition: Annotated[str | None, Query(max_length=1024)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[GapAnswer]:
    """List gaps that reach beyond `since` (event time), the one recorded last first."""
    found = list_gaps(call.engine, since, partition=partition, limit=limit)
    return [GapAnswer.of(gap) for gap in found]
