"""/api/v1/silences: tell nobody of some incidents for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from alerts.access.keys import Role
from alerts.muting.silences import (
    COMMENT_LIMIT,
    NoSuchSilenceError,
    Silence,
    SilenceError,
    SilenceState,
    add_silence,
    expire_silence,
    list_silences,
)
from alerts.routing.matchers import Matchers, unmatched
from api.access import Call, RequireRole
from api.description import API_PREFIX, answers
from api.incident_query import Time

router = APIRouter(prefix=f"{API_PREFIX}/silences", tags=["silences"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "silences")]
Analyst = Annotated[Call, RequireRole.of(Role.ANALYST, "silences")]
SilenceId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]


class NewSilence(BaseModel):
    """A silence to be made, until `ends_at` or for `minutes`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "matchers": {"entity": ["203.0.113.7"]},
                    "minutes": 120,
                    "comment": "our own scanner",
                }
            ]
        },
    )

    matchers: Matchers
    comment: Annotated[str, Field(min_length=1, max_length=COMMENT_LIMIT)]
    starts_at: Time | None = None
    ends_at: Time | None = None
    minutes: Annotated[int, Field(ge=1, le=366 * 1440)] | None = None
    everything: bool = False

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when to when; raises SilenceError."""
        starts_at = max(self.starts_at or now, now)
        if (self.ends_at is None) == (self.minutes is None):
            raise SilenceError("say how long: either ends_at or minutes")
        if self.ends_at is not None:
            return starts_at, self.ends_at
        return starts_at, starts_at + timedelta(minutes=self.minutes or 0)


@dataclass(frozen=True, slots=True)
class SilenceAnswer:
    """A silence, and whether it is in force; `matchers` as they were written."""

    id: int
    state: SilenceState
    matchers: dict[str, Any]
    comment: str
    created_by: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, silence: Silence, now: datetime) -> "SilenceAnswer":
        """Return a silence as it stands now."""
        return cls(
            silence.id,
            silence.state(now),
            silence.matchers.written(),
            silence.comment,
            silence.created_by,
            silence.created_at,
            silence.starts_at,
            silence.ends_at,
        )


@router.get("")
def list_all(call: Viewer, *, expired: Annotated[bool, Query()] = False) -> list[SilenceAnswer]:
    """List silences in force or to come, the newest first; with `expired` also old ones."""
    now = call.now()
    return [
        SilenceAnswer.of(each, now) for each in list_silences(call.engine, now, expired=expired)
    ]


@router.post("", status_code=201, responses=answers({409: "It cannot be made so"}))
def create(call: Analyst, body: NewSilence) -> SilenceAnswer:
    """Make a silence: from now on nobody is told of what it is about. Incidents stay listed."""
    now = call.now()
    try:
        _check_detectors(call, body.matchers)
        starts_at, ends_at = body.span(now)
        silence = add_silence(
            call.engine,
            body.matchers,
            comment=body.comment,
            created_by=call.caller.name,
            starts_at=starts_at,
            ends_at=ends_at,
            now=now,
            everything=body.everything,
        )
    except SilenceError as error:
        raise HTTPException(409, str(error)) from error
    call.record(f"silence {silence.id}", silence.to_dict())
    return SilenceAnswer.of(silence, now)


@router.delete(
    "/{silence_id}", responses=answers({404: "No such silence", 409: "It is over already"})
)
def expire(call: Analyst, silence_id: SilenceId) -> SilenceAnswer:
    """End a silence at once; what waited because of it is due. It stays listed as expired."""
    now = call.now()
    try:
        silence = expire_silence(call.engine, silence_id, now)
    except NoSuchSilenceError as error:
        raise HTTPException(404, str(error)) from error
    except SilenceError as error:
        raise HTTPException(409, str(error)) from error
    call.record(f"silence {silence.id}")
    call.services.changed()
    return SilenceAnswer.of(silence, now)


def _check_detectors(call: Call, matchers: Matchers) -> None:
    """Raise SilenceError for a detector that is none: such a silence would silence nothing."""
    known = [entry.name for entry in call.services.detectors()]
    wrong = unmatched(matchers.detector, known) if known else None
    if wrong is not None:
        raise SilenceError(f"matchers.detector: there is no detector {wrong}")
