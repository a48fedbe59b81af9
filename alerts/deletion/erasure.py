"""Everything that is kept about one entity deleted, wherever it is in the database.

Its incidents go with all their rows. Incidents of others stop naming it: the clients that they
count and evidence that names it go, and what they say is worked out anew; names of entities (a
route with its address), comments, details, messages, gaps and silences have ERASED in the place of
its name. So do quarantine's shapes; samples of lines that name it go, and so does what the service
has learned, paths and habits, unless it runs and stores them again. Tombstones under a keyed hash
keep a replay of old logs from storing its incidents again.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    delete,
    func,
    select,
    update,
)

from alerts.database.models import (
    AuditRow,
    CheckpointRow,
    DeliveryAttemptRow,
    DeliveryRow,
    EndpointRow,
    EvidenceRow,
    FindingRow,
    GapRow,
    IncidentRow,
    MemberRow,
    NotificationRow,
    QuarantineGroupRow,
    QuarantineSampleRow,
    SilenceRow,
    TimelineRow,
    TrafficTopRow,
    table_of,
)
from alerts.database.opening import BUSY_TIMEOUT_MS, for_writing
from alerts.database.statements import chunks
from alerts.deletion.incidents import Deleted, delete_incidents
from alerts.deletion.unlearning import learned_rows, unlearn
from alerts.incidents.content import content_of
from alerts.recovery.checkpoint import rewrite_positions
from alerts.routing.mentions import Mentions
from alerts.storage.nearby import load_incidents
from alerts.storage.rows import incident_values
from alerts.storage.terms import renew_terms
from alerts.storage.tombstones import Tombstones, number_of_none
from alerts.traffic.counts import erase_traffic, traffic_naming
from alerts.traffic.endpoints import delete_endpoints
from detectors.findings import EntityType
from ingest.route_learning import without_places

#: Entities that are, or stand for, people; others are named in texts for other reasons.
PEOPLE: Final = frozenset({"client", "network", "user", "api_key"})

#: Entities that settings name: they are called so on purpose, and found by it.
_OF_SETTINGS: Final = frozenset({"target", "all"})

#: Passes over all texts: rows may come while they are read, without locking anybody out.
_PASSES: Final = 3

_INCIDENTS: Final = table_of(IncidentRow)
_MEMBERS: Final = table_of(MemberRow)
_EVIDENCE: Final = table_of(EvidenceRow)
_SAMPLES: Final = table_of(QuarantineSampleRow)
_ENDPOINTS: Final = table_of(EndpointRow)

#: Texts of endpoints; what names somebody goes altogether.
_CALLED: Final = ("service", "method", "template")

#: Texts that may name somebody, apart from those that go altogether.
_TEXTS: Final[tuple[tuple[Table, tuple[str, ...]], ...]] = (
    (_INCIDENTS, ("summary", "labels", "members")),
    (table_of(FindingRow), ("note",)),
    (table_of(TimelineRow), ("detail",)),
    (table_of(NotificationRow), ("reason",)),
    (table_of(DeliveryRow), ("title", "group_key", "last_error")),
    (table_of(DeliveryAttemptRow), ("error",)),
    (table_of(SilenceRow), ("matchers", "comment")),
    (table_of(QuarantineGroupRow), ("partition", "shape", "suggestion")),
    (table_of(GapRow), ("partition", "reason")),
    (table_of(TrafficTopRow), ("entries",)),
    (table_of(AuditRow), ("address", "detail")),
)

#: Texts of evidence; what names somebody goes altogether.
_SHOWN: Final = ("text", "path", "partition", "service")


@dataclass(frozen=True, slots=True)
class Erased(Deleted):
    """How much of each kind is gone; `texts` had its name, and now have not."""

    quarantine_samples: int = 0
    endpoints: int = 0
    traffic: int = 0
    learned: int = 0
    texts: int = 0

    @property
    def anything(self) -> bool:
        """Whether anything was kept."""
        return self != Erased()


def erase_entity(
    engine: Engine,
    entity_type: EntityType,
    names: Sequence[str],
    *,
    tombstones: Tombstones,
    now: datetime,
) -> Erased:
    """Delete all that is kept about an entity under any of these names; return how much it was.

    `names` are those under which it may be stored: its own, its pseudonym. Doing it again deletes
    what came since; `compact` the database after. Raises OperationalError if another writer holds
    the database for too long; what was deleted until then stays deleted.
    """
    writing = for_writing(engine)
    erased = Erased()
    mentions = Mentions(names)
    steps: list[Callable[[Connection], Erased]] = [
        lambda connection: _own(connection, entity_type, names, tombstones, now)
    ]
    if entity_type == "client":
        steps.append(lambda connection: _as_member(connection, names, tombstones, now))
    for step in steps:
        with writing.begin() as connection:
            erased += step(connection)
    if entity_type in PEOPLE:
        for _ in range(_PASSES):
            gone = _mentioned(engine, writing, mentions, tombstones, now)
            erased += gone
            if not gone.anything:
                break
        with writing.begin() as connection:
            erased += Erased(texts=rewrite_positions(connection, partial(_unlearned, mentions)))
            erased += Erased(learned=unlearn(connection, mentions))
    return erased


def kept_about(engine: Engine, entity_type: EntityType, names: Sequence[str]) -> Erased:
    """Count what `erase_entity` would delete, apart from the rows that go with incidents."""
    mentions = Mentions(names)
    own = _INCIDENTS.c.entity_type == entity_type, _INCIDENTS.c.entity.in_(names)
    with engine.connect() as connection:
        ids = connection.execute(select(_INCIDENTS.c.id).where(*own)).scalars().all()
        kept = Erased(incidents=len(ids))
        if entity_type == "client":
            counted = select(func.count()).where(_MEMBERS.c.client.in_(names))
            kept += Erased(members=connection.execute(counted).scalar_one())
        if entity_type not in PEOPLE:
            return kept
        evidence = _naming(connection, _EVIDENCE, _SHOWN, mentions)
        samples = _naming(connection, _SAMPLES, ("text",), mentions)
        incidents = _naming(connection, _INCIDENTS, ("summary", "labels"), mentions)
        incidents += _called_so(connection, mentions)
        texts = len({row["id"] for row in incidents}.difference(ids)) + sum(
            row.get("incident_id") not in ids
            for table, columns in _TEXTS
            if table is not _INCIDENTS
            for row in _naming(connection, table, columns, mentions)
        )
        stands = connection.execute(select(CheckpointRow.positions)).scalar()
        texts += stands is not None and _unlearned(mentions, stands) != stands
        others = sum(row["incident_id"] not in ids for row in evidence)
        endpoints = _naming(connection, _ENDPOINTS, _CALLED, mentions)
        return kept + Erased(
            evidence=others,
            quarantine_samples=len(samples),
            endpoints=len(endpoints),
            traffic=traffic_naming(connection, mentions),
            learned=learned_rows(connection, mentions),
            texts=texts,
        )


def _unlearned(mentions: Mentions, positions: dict[str, Any]) -> dict[str, Any]:
    """Return positions of a checkpoint without the paths that were learned and name somebody."""
    learned = positions.get("enrichment", {})
    if "routes" not in learned:
        return positions
    routes = without_places(learned["routes"], lambda text: mentions.erased_from(text) != text)
    return {**positions, "enrichment": {**learned, "routes": routes}}


def _own(
    connection: Connection,
    entity_type: EntityType,
    names: Sequence[str],
    tombstones: Tombstones,
    now: datetime,
) -> Erased:
    query = select(_INCIDENTS.c.id).where(
        _INCIDENTS.c.entity_type == entity_type, _INCIDENTS.c.entity.in_(names)
    )
    own = connection.execute(query).scalars().all()
    gone = delete_incidents(connection, own, tombstones, "erased", now)
    return Erased(*astuple(gone))


def _as_member(
    connection: Connection, names: Sequence[str], tombstones: Tombstones, now: datetime
) -> Erased:
    """Take a client out of the findings of others that counted it."""
    counted = _MEMBERS.c.client.in_(names)
    query = select(FindingRow.id, FindingRow.incident_id, FindingRow.first, FindingRow.last).where(
        FindingRow.id.in_(select(_MEMBERS.c.finding_id).where(counted))
    )
    rows = connection.execute(query).all()
    if not rows:
        return Erased()
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    number = number_of_none(connection)
    left = [(number - place, "client", name, first, last) for place, name in enumerate(names)]
    tombstones.bury(connection, left, "erased", now)
    gone = connection.execute(delete(_MEMBERS).where(counted)).rowcount
    for chunk in chunks([row.id for row in rows]):
        members = (
            select(func.count())
            .where(MemberRow.finding_id == FindingRow.id)
            .correlate(FindingRow)
            .scalar_subquery()
        )
        connection.execute(
            update(FindingRow).where(FindingRow.id.in_(chunk)).values(member_count=members)
        )
    _tell_anew(connection, sorted({row.incident_id for row in rows}))
    return Erased(members=gone)


def _tell_anew(connection: Connection, incidents: Sequence[int]) -> None:
    """Work out again what incidents say, as some of what they rest on is gone."""
    for incident in load_incidents(connection, incidents):
        findings = tuple(
            sorted(incident.findings.values(), key=lambda f: (f.first, f.last, f.detector))
        )
        if not findings:  # merged into another one, which has them
            continue
        content = content_of(findings, incident.evidence)
        connection.execute(
            update(_INCIDENTS)
            .where(_INCIDENTS.c.id == incident.id)
            .values(version=incident.version + 1, **incident_values(content, incident.state))
        )
    renew_terms(connection, incidents)


def _called_so(connection: Connection, mentions: Mentions) -> list[dict[str, Any]]:
    """Return the incidents about entities whose names hold somebody's."""
    named = _naming(connection, _INCIDENTS, ("entity",), mentions)
    return [row for row in named if row["entity_type"] not in _OF_SETTINGS]


def _rename(
    connection: Connection,
    incidents: Sequence[dict[str, Any]],
    mentions: Mentions,
    tombstones: Tombstones,
    now: datetime,
) -> int:
    """Call what incidents are about otherwise; under the old name they are not stored again."""
    number = number_of_none(connection)
    left = [
        (number - place, row["entity_type"], row["entity"], row["started_at"], row["last_at"])
        for place, row in enumerate(incidents)
    ]
    tombstones.bury(connection, left, "erased", now)
    for row in incidents:
        name = mentions.erased_from(row["entity"])
        connection.execute(
            update(_INCIDENTS).where(_INCIDENTS.c.id == row["id"]).values(entity=name)
        )
        own = FindingRow.incident_id == row["id"]
        connection.execute(update(FindingRow).where(own).values(entity=name))
    return len(incidents)


def _mentioned(
    engine: Engine, writing: Engine, mentions: Mentions, tombstones: Tombstones, now: datetime
) -> Erased:
    """Erase what texts say: found without locking anybody out, then deleted or rewritten."""
    with engine.connect() as connection:
        evidence = _naming(connection, _EVIDENCE, _SHOWN, mentions)
        samples = _naming(connection, _SAMPLES, ("text",), mentions)
        endpoints = _naming(connection, _ENDPOINTS, _CALLED, mentions)
        listed = _naming(connection, _INCIDENTS, ("members",), mentions)
        called = _called_so(connection, mentions)
        texts = [
            (table, columns, _naming(connection, table, columns, mentions))
            for table, columns in _TEXTS
        ]
    with writing.begin() as connection:
        erased = Erased(
            evidence=_delete(connection, _EVIDENCE, evidence),
            quarantine_samples=_delete(connection, _SAMPLES, samples),
            endpoints=delete_endpoints(connection, [row["id"] for row in endpoints]),
            traffic=erase_traffic(connection, mentions),
        )
        renamed = _rename(connection, called, mentions, tombstones, now)
        changed = {row["incident_id"] for row in evidence}
        changed |= {row["id"] for row in (*listed, *called)}
        _tell_anew(connection, sorted(changed))
        rewritten = sum(
            _rewrite(connection, table, columns, rows, mentions) for table, columns, rows in texts
        )
    return erased + Erased(texts=renamed + rewritten)


def _naming(
    connection: Connection, table: Table, columns: Iterable[str], mentions: Mentions
) -> list[dict[str, Any]]:
    """Return the rows of a table that name somebody in one of the columns."""
    found: list[dict[str, Any]] = []
    for name in columns:
        query = select(table).where(mentions.likely_in(table.c[name]))
        query = query.execution_options(yield_per=1_000)
        found += (
            dict(row)
            for row in connection.execute(query).mappings()
            if mentions.erased_from(row[name]) != row[name]
        )
    return list({row["id"]: row for row in found}.values())


def _delete(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    gone = 0
    for chunk in chunks([row["id"] for row in rows]):
        gone += connection.execute(delete(table).where(table.c.id.in_(chunk))).rowcount
    return gone


def _rewrite(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[dict[str, Any]],
    mentions: Mentions,
) -> int:
    """Rewrite what these rows hold now: it may be other than when they were found."""
    written = 0
    for chunk in chunks([row["id"] for row in rows]):
        query = select(table).where(table.c.id.in_(chunk))
        for row in connection.execute(query).mappings():
            now = {name: mentions.erased_from(row[name]) for name in columns}
            if all(now[name] == row[name] for name in columns):
                continue
            if table is _INCIDENTS:
                now["version"] = row["version"] + 1
            connection.execute(update(table).where(table.c.id == row["id"]).values(now))
            written += 1
        if table is _INCIDENTS:
            renew_terms(connection, chunk)
    return written


def compact(engine: Engine) -> bool:
    """Write an SQLite file anew: what was deleted is still in it, in parts that are not used.

    Returns whether it could: not while other programs hold it, nor without room for a copy.
    PostgreSQL does it by itself.
    """
    file = engine.url.database
    if engine.dialect.name != "sqlite" or file is None or file == ":memory:":
        return True
    wait = BUSY_TIMEOUT_MS / 1000
    with closing(sqlite3.connect(file, timeout=wait, isolation_level=None)) as connection:
        try:
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
    return not busy
