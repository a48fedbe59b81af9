"""Which incidents are asked for, as parameters of a query."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from alerts.incidents.lifecycle import Status
from alerts.incidents.stages import Stage
from alerts.lists.filters import TEXT_LIMIT, IncidentFilter, Sort
from alerts.lists.queries import PAGE_LIMIT
from detectors.findings import EntityType, Level

LevelName = Literal["informational", "low", "medium", "high", "critical"]

#: Characters of a cursor.
_CURSOR_LIMIT: Final = 256


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Cursor = Annotated[str, Field(max_length=_CURSOR_LIMIT)]


def _stage(name: str) -> str:
    known = [stage.name.lower() for stage in Stage]
    if name not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return name


class Wanted(BaseModel):
    """Filters of incidents; unknown ones are refused. Times need a zone, best Z."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = Field(default=[], max_length=4)
    severity: list[LevelName] = Field(default=[], max_length=5)
    severity_min: LevelName | None = None
    entity_type: EntityType | None = None
    entity: Annotated[str, Field(max_length=512)] | None = None
    detector: Name | None = None
    service: Name | None = None
    tag: Name | None = None
    stage: Annotated[str, AfterValidator(_stage)] | None = None
    label: Name | None = None
    assignee: Name | None = None
    unassigned: bool = False
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] | None = None
    since: Time | None = None
    until: Time | None = None
    mode: Literal["alert", "monitor", "any"] = "alert"
    parent: Number | None = None
    include_members: bool = False
    sort: Sort = "last"

    def filter(self) -> IncidentFilter:
        """Return the filters as the queries take them."""
        given: dict[str, Any] = self.model_dump(include=set(Wanted.model_fields))
        severities = [Level[name.upper()] for name in given.pop("severity")]
        least = given.pop("severity_min")
        return IncidentFilter(
            statuses=tuple(given.pop("status")),
            severities=tuple(severities),
            severity_min=None if least is None else Level[least.upper()],
            **given,
        )


class IncidentQuery(Wanted):
    """Filters of the list, and which page of it."""

    cursor: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
