"""The tables. The migrations must build exactly these; a test compares both."""

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from alerts.database.times import UtcTime

#: SQLite numbers rows by itself only for columns of the plain type INTEGER.
RowId: Final = BigInteger().with_variant(Integer(), "sqlite")

#: Text in the order of its characters' numbers: an index on it finds beginnings.
Bytewise: Final = Text().with_variant(Text(collation="C"), "postgresql")

#: Terms that lists are sorted by severity by: what is looked for as text comes by time alone. Said
#: with a literal, as a partial index is used only by what names its condition so.
SORTED: Final = "kind <> 'word'"


class Model(DeclarativeBase):
    """What all tables share: types of Python's types, and names of constraints."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        list[list[int]]: JSON(),
        bytes: LargeBinary(),
    }
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table_of(model: type[Model]) -> Table:
    """Return a model's table, for statements over many rows."""
    return Model.metadata.tables[model.__tablename__]


class IncidentRow(Model):
    """What people handle: findings of one entity that belong together."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index(None, "last_at", "id", "started_at"),
        Index(None, "started_at", "id"),
        Index(None, "assignee", "last_at", "id"),
        Index(None, "status", "last_at", "id"),
        Index(None, "severity", "last_at", "id"),
        Index(None, "entity_type", "entity", "last_at"),
        Index(None, "parent_id", "last_at", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    version: Mapped[int]
    severity: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(String(16))
    resolution: Mapped[str | None] = mapped_column(String(16))
    auto_resolved: Mapped[bool]
    acknowledged_at: Mapped[datetime | None]
    assignee: Mapped[str | None] = mapped_column(String(100))
    assigned_at: Mapped[datetime | None]
    labels: Mapped[list[str]]
    decided_at: Mapped[datetime | None]
    decided_severity: Mapped[int | None] = mapped_column(SmallInteger)
    mode: Mapped[str] = mapped_column(String(8))
    entity_type: Mapped[str] = mapped_column(String(16))
    entity: Mapped[str] = mapped_column(Text)
    members: Mapped[list[str]]
    member_count: Mapped[int]
    detectors: Mapped[list[str]]
    tags: Mapped[list[str]]
    stages: Mapped[list[str]]
    services: Mapped[list[str]]
    started_at: Mapped[datetime]
    last_at: Mapped[datetime]
    summary: Mapped[str] = mapped_column(Text)
    calms: Mapped[int]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))


class TermRow(Model):
    """What an incident is looked up by: a detector, service, tag, stage, label or word of it.

    `last_at` and `severity` are the incident's, so that their order is that of a list.
    """

    __tablename__ = "incident_terms"
    __table_args__ = (
        Index(
            None,
            *("kind", "value", "severity", "last_at", "incident_id"),
            sqlite_where=text(SORTED),
            postgresql_where=text(SORTED),
        ),
        {"sqlite_with_rowid": False},
    )

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    value: Mapped[str] = mapped_column(Bytewise, primary_key=True)
    last_at: Mapped[datetime] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(
        ForeignKey("incidents.id"), primary_key=True, index=True
    )
    severity: Mapped[int] = mapped_column(SmallInteger)


class FindingRow(Model):
    """A detector's claim, in the incident it belongs to."""

    __tablename__ = "findings"
    __table_args__ = (Index(None, "detector", "incident_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    detector: Mapped[str] = mapped_column(String(128))
    entity_type: Mapped[str] = mapped_column(String(16))
    entity: Mapped[str] = mapped_column(Text)
    first: Mapped[datetime]
    last: Mapped[datetime]
    value: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[int] = mapped_column(BigInteger)
    unit: Mapped[str] = mapped_column(Text)
    window_us: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[int] = mapped_column(SmallInteger)
    mode: Mapped[str] = mapped_column(String(8))
    tags: Mapped[list[str]]
    fingerprint: Mapped[str] = mapped_column(String(128))
    member_count: Mapped[int]
    note: Mapped[str] = mapped_column(Text)
    curve: Mapped[dict[str, Any]]


class MemberRow(Model):
    """A client that a finding about something else than a client has counted."""

    __tablename__ = "members"
    __table_args__ = (Index(None, "client"), {"sqlite_with_rowid": False})

    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"), primary_key=True)
    client: Mapped[str] = mapped_column(Text, primary_key=True)


class EvidenceRow(Model):
    """One masked event behind an incident; at most 20 each."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("incident_id", "time", "partition", "position"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    time: Mapped[datetime]
    partition: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    path: Mapped[str | None] = mapped_column(Text)
    status: Mapped[int | None]
    service: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(String(2))
    asn: Mapped[int | None] = mapped_column(BigInteger)


class TimelineRow(Model):
    """Who did what to an incident, and when; only ever added to."""

    __tablename__ = "timeline"
    __table_args__ = (Index(None, "incident_id", "at"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]]


class NotificationRow(Model):
    """The outbox: an intent to tell one target about one transition of one incident.

    `due_at` is when it is looked at next, `reason` why it waits or was not sent, `route` the one
    that named the target, `delivery_id` the message that it went with.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("incident_id", "transition", "target"),
        Index(None, "target", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    transition: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(64))
    route: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(12))
    due_at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(Text)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), index=True)


class DeliveryRow(Model):
    """One message to one target, about all notifications that were bundled into it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(None, "target", "state", "next_attempt_at"),
        Index(None, "target", "group_key", "sent_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    target: Mapped[str] = mapped_column(String(64))
    group_key: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[bool]
    title: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]


class DeliveryAttemptRow(Model):
    """One attempt to deliver; without end, the program stopped in the midst of it."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (UniqueConstraint("delivery_id", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    number: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(12))
    error: Mapped[str | None] = mapped_column(Text)


class SilenceRow(Model):
    """Incidents that nobody shall be told of for a while, and who said so."""

    __tablename__ = "silences"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    matchers: Mapped[dict[str, Any]]
    comment: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)


class TombstoneRow(Model):
    """What is left of an incident that was pruned or erased: its number, span and a digest.

    `digest` is the HMAC of entity type and entity under the server's secret.
    """

    __tablename__ = "tombstones"
    __table_args__ = (Index(None, "digest", "last_at"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]


class ApiKeyRow(Model):
    """An API key: who may do what until when. The secret itself is not kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    mac: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(server_default="[]")
    replaced_by: Mapped[str | None] = mapped_column(String(16))


class LoginCodeRow(Model):
    """A code that begins one session of the page, as a digest."""

    __tablename__ = "login_codes"

    mac: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    expires_at: Mapped[datetime]


class SessionRow(Model):
    """Somebody at the page, in the name of a key; the cookie as a digest."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    mac: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime]


class AuditRow(Model):
    """Who changed what over the API, or was refused, and how often until `last_at`."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str | None] = mapped_column(Text)
    caller: Mapped[str | None] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(8))
    status: Mapped[int] = mapped_column(SmallInteger)
    address: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]]
    count: Mapped[int]


class BlockRow(Model):
    """An address on the block list, from `since` until it left at `removed_at`."""

    __tablename__ = "blocks"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    incident_id: Mapped[int] = mapped_column(BigInteger)
    detector: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(index=True)
    until: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(index=True)


class BlockSwitchRow(Model):
    """Who switched the block list off; no row while it is on."""

    __tablename__ = "block_switch"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    off_by: Mapped[str] = mapped_column(Text)
    off_at: Mapped[datetime]


class CheckpointRow(Model):
    """Where the worker was; a single row with id 1."""

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(128))
    watermark: Mapped[datetime | None]
    positions: Mapped[dict[str, Any]]
    state: Mapped[bytes]
    sha256: Mapped[str] = mapped_column(String(64))


class CheckpointPartRow(Model):
    """A piece of detector state, by its SHA-256; the checkpoint's manifest names those that count.

    Written once and never changed.
    """

    __tablename__ = "checkpoint_parts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes]


class CheckpointMarkRow(Model):
    """Where the worker was when the watermark was this; None: when it first began."""

    __tablename__ = "checkpoint_marks"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    watermark: Mapped[datetime | None]
    positions: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(String(64))


class BaselineRow(Model):
    """A copy of what one family of detectors has learned, as of a watermark; checksummed.

    `origin` is `service` or `learn`: who made it.
    """

    __tablename__ = "baselines"
    __table_args__ = (Index(None, "family", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    family: Mapped[str] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(String(8))
    watermark: Mapped[datetime | None]
    created_at: Mapped[datetime]
    state: Mapped[bytes]
    sha256: Mapped[str] = mapped_column(String(64))


class QuarantineGroupRow(Model):
    """Lines that could not be read: one partition, reason and shape; `key` is their digest."""

    __tablename__ = "quarantine_groups"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    partition: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(String(16))
    shape: Mapped[str] = mapped_column(Text)
    suggestion: Mapped[str | None] = mapped_column(Text)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    replayed_at: Mapped[datetime | None]
    replayed_events: Mapped[int | None] = mapped_column(BigInteger)
    replayed_rest: Mapped[int | None] = mapped_column(BigInteger)


class QuarantineSpanRow(Model):
    """What one uninterrupted reading of a partition added to a group."""

    __tablename__ = "quarantine_spans"
    __table_args__ = (UniqueConstraint("group_id", "first_position"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("quarantine_groups.id"))
    first_position: Mapped[int] = mapped_column(BigInteger)
    last_position: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int] = mapped_column(BigInteger)
    ranges: Mapped[list[list[int]]]
    more_ranges: Mapped[bool]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)


class QuarantineSampleRow(Model):
    """The first lines of a span, masked and cut."""

    __tablename__ = "quarantine_samples"
    __table_args__ = (UniqueConstraint("span_id", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    span_id: Mapped[int] = mapped_column(ForeignKey("quarantine_spans.id"))
    number: Mapped[int] = mapped_column(SmallInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    length: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class GapRow(Model):
    """Input of one partition that is missing, or may be; `key` is what tells it from others.

    `since` and `until` are the event times around it, `lost` counts `unit`.
    """

    __tablename__ = "gaps"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    partition: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(String(8))
    lost: Mapped[int | None] = mapped_column(BigInteger)
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(index=True)


class EndpointRow(Model):
    """What answered: a service's method and path template; `key` is their digest.

    `role` is where it was seen, edge or internal. `statuses` are classes as 2xx, `authentication`
    user, api_key and none. `standing` is what OpenAPI documents said of it last.
    """

    __tablename__ = "endpoints"
    __table_args__ = (Index(None, "last_seen", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    service: Mapped[str | None] = mapped_column(Text)
    method: Mapped[str] = mapped_column(Text)
    template: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(8))
    statuses: Mapped[list[str]]
    authentication: Mapped[list[str]]
    schemes: Mapped[list[str]]
    standing: Mapped[str | None] = mapped_column(String(20))
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class EndpointDayRow(Model):
    """How many requests an endpoint had on a day (UTC), and how many of them it answered."""

    __tablename__ = "endpoint_days"
    __table_args__ = (Index(None, "day"), {"sqlite_with_rowid": False})

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int] = mapped_column(BigInteger)
    errors: Mapped[int] = mapped_column(BigInteger)


class TrafficRow(Model):
    """Requests in a minute or hour (`step`, seconds) of one service; "" are all together.

    `role` is where they were seen, edge or internal. Durations are of the median and of the 95th
    percentile.
    """

    __tablename__ = "traffic"
    __table_args__ = (Index(None, "step", "start"), {"sqlite_with_rowid": False})

    service: Mapped[str] = mapped_column(String(512), primary_key=True)
    role: Mapped[str] = mapped_column(String(8), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    client_errors: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    server_errors: Mapped[int] = mapped_column(BigInteger)
    response_bytes: Mapped[int] = mapped_column(BigInteger)
    p50_us: Mapped[int | None] = mapped_column(BigInteger)
    p95_us: Mapped[int | None] = mapped_column(BigInteger)


class TrafficTopRow(Model):
    """The routes or countries (`kind`) with the most requests of one service in an hour.

    `entries` are name, requests, and answers 4xx and 5xx; `requests` are those of all names.
    """

    __tablename__ = "traffic_tops"
    __table_args__ = (UniqueConstraint("service", "role", "kind", "start"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    service: Mapped[str] = mapped_column(String(512))
    role: Mapped[str] = mapped_column(String(8))
    kind: Mapped[str] = mapped_column(String(8))
    start: Mapped[datetime] = mapped_column(index=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[list[list[Any]]] = mapped_column(JSON)


class LeaseRow(Model):
    """Who alone may do something, until when; `epoch` counts the holders and never goes back."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(Text)
    process: Mapped[str | None] = mapped_column(Text)
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]
