"""/api/v1/detectors: what is watched for, with which parameters."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path

from alerts.access.keys import Role
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.learning import LearningAnswer

router = APIRouter(prefix=f"{API_PREFIX}/detectors", tags=["detectors"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "detectors")]


@dataclass(frozen=True, slots=True)
class DetectorAnswer:
    """A detector as it is set: `threshold` `unit` within `window_seconds`.

    `kind` is `rule` for a Sigma rule, `detector` for another. `learning` is how far it has
    learned what is usual: null for one that does not learn, and in a process that stands by.
    """

    name: str
    kind: str
    id: str
    title: str
    description: str
    level: str
    mode: str
    entity_type: str
    threshold: int
    unit: str
    window_seconds: float
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    runbook: str | None
    learning: LearningAnswer | None = None


@router.get("")
def list_all(call: Viewer) -> tuple[DetectorAnswer, ...]:
    """List the detectors that are switched on, by name."""
    return tuple(sorted(call.services.detectors(), key=lambda entry: entry.name))


@router.get("/{name}", responses=answers({404: "No such detector"}))
def read_one(
    call: Viewer,
    name: Annotated[str, Path(max_length=128, examples=["auth_failure_burst"])],
) -> DetectorAnswer:
    """Return one detector."""
    for entry in call.services.detectors():
        if entry.name == name:
            return entry
    raise HTTPException(404, "there is no such detector, or it is switched off")
