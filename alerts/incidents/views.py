"""An incident as everybody shows it: terminal, API, messages."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alerts.incidents.content import Content
from alerts.incidents.lifecycle import State
from ingest.times import iso


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident, without its findings. Times are UTC; severity is a Sigma level's name.

    `members` are the first of its `member_count` clients, by name. `parent_id` is the incident
    about many clients that this one about a client is part of. `stages` are in the order of the
    kill chain; `assignee` and `labels` are people's.
    """

    id: int
    severity: str
    status: str
    resolution: str | None
    entity_type: str
    entity: str
    members: tuple[str, ...]
    member_count: int
    detectors: tuple[str, ...]
    tags: tuple[str, ...]
    started_at: datetime
    last_at: datetime
    summary: str
    mode: str
    merged_into: int | None
    parent_id: int | None
    stages: tuple[str, ...]
    services: tuple[str, ...]
    assignee: str | None
    labels: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: lists, and times as ISO 8601 with Z."""
        return {name: json_ready(value) for name, value in asdict(self).items()}


#: An incident that there is not: what templates, targets and routes are tried with.
EXAMPLE: Final = IncidentView(
    id=17,
    severity="high",
    status="open",
    resolution=None,
    entity_type="client",
    entity="203.0.113.7",
    members=(),
    member_count=0,
    detectors=("web-recon-404",),
    tags=("attack.reconnaissance",),
    started_at=datetime(2025, 11, 3, 9, 0, tzinfo=UTC),
    last_at=datetime(2025, 11, 3, 9, 2, tzinfo=UTC),
    summary="Client 203.0.113.7: 43 distinct missing paths within 2 min (limit 10),"
    " from 09:00:00 to 09:02:00 UTC.",
    mode="alert",
    merged_into=None,
    parent_id=None,
    stages=("reconnaissance",),
    services=("shop",),
    assignee=None,
    labels=(),
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an incident that people may want to hear of.

    `kind` is `opened`, `severity:<level>`, `stage:<name>`, `members:<10|100|1000>`, `calm:<n>`,
    `returned:<n>`, `resolved:<n>` (by a person), `merged:1`, `repeat:<n>` or `escalated:<n>`.
    """

    incident_id: int
    kind: str
    incident: IncidentView


def view_of(
    identity: int,
    content: Content,
    state: State,
    merged_into: int | None = None,
    parent_id: int | None = None,
) -> IncidentView:
    """Put an incident's parts together."""
    return IncidentView(
        id=identity,
        severity=content.severity.label,
        status=state.status,
        resolution=state.resolution,
        entity_type=content.entity_type,
        entity=content.entity,
        members=content.members,
        member_count=content.member_count,
        detectors=content.detectors,
        tags=content.tags,
        started_at=content.started_at,
        last_at=content.last_at,
        summary=content.summary,
        mode=content.mode,
        merged_into=merged_into,
        parent_id=parent_id,
        stages=content.stages,
        services=content.services,
        assignee=state.assignee,
        labels=state.labels,
    )


def json_ready(value: Any) -> Any:  # noqa: ANN401 - plain data of any shape
    """Turn times and tuples inside plain data into what JSON has."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value
