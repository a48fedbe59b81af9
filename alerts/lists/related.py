"""Incidents that have to do with one, and why: few, the closest first.

Every question is bounded and follows an index, whatever the number of incidents. What happened at
the same time is looked for among the SLICE incidents that ended next; in a storm that is not all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, MemberRow, table_of
from alerts.incidents.views import IncidentView
from alerts.lists.filters import without
from detectors.findings import Evidence, Level

#: Related incidents for one reason, and in all.
REASON_LIMIT: Final = 5
RELATED_LIMIT: Final = 20

#: How far apart two incidents may be that are told to be of the same network.
NETWORK_TIME: Final = timedelta(hours=24)

#: Incidents at the same time that are compared, and those looked through to find them.
COMPARED: Final = 50
SLICE: Final = 500

#: Clients of an attack by many whose own incidents are looked for.
_CLIENTS: Final = 100

#: Networks that people mean when they say "the same network".
_PREFIX: Final = {4: 24, 6: 64}

_TABLE: Final = table_of(IncidentRow)
_SHOWN: Final = tuple(
    _TABLE.c[name]
    for name in ("id", "severity", "status", "entity_type", "entity", "started_at", "last_at")
)


@dataclass(frozen=True, slots=True)
class Related:
    """An incident that has to do with another. `relation` is one of RELATIONS, `reason` says it."""

    id: int
    relation: str
    reason: str
    severity: str
    status: str
    entity_type: str
    entity: str
    started_at: datetime
    last_at: datetime


#: Each relation, from the closest on, and what it means.
RELATIONS: Final = {
    "merged_into": "it continues in this one",
    "merged": "continued in it: it was found to be the same",
    "part_of": "it is part of this attack by many clients",
    "part": "part of it: one of its clients, with the same kind of deed",
    "same_requests": "shows the same requests",
    "counts_client": "counts its client, at the same time",
    "client": "about one of its clients, at the same time",
    "earlier": "about the same one, earlier",
    "later": "about the same one, later",
    "same_network": "about the same network, within a day",
    "same_paths": "asks for the same paths of the same service, at the same time",
}


def related_to(
    connection: Connection, incident: IncidentView, evidence: Sequence[Evidence]
) -> tuple[Related, ...]:
    """Return at most RELATED_LIMIT incidents, each once, for the closest of its reasons."""
    found: dict[int, Related] = {}
    for relation, rows in _rows(connection, incident, evidence):
        for row in rows:
            if row["id"] != incident.id and row["id"] not in found:
                shown = {column.name: row[column.name] for column in _SHOWN}
                shown["severity"] = Level(row["severity"]).label
                found[row["id"]] = Related(relation=relation, reason=RELATIONS[relation], **shown)
    return tuple(found.values())[:RELATED_LIMIT]


def _rows(
    connection: Connection, incident: IncidentView, evidence: Sequence[Evidence]
) -> Iterator[tuple[str, Sequence[RowMapping]]]:
    """Give relations in their order with the incidents that have them."""
    yield "merged_into", _numbered(connection, incident.merged_into)
    yield "merged", _first(connection, [_TABLE.c.merged_into == incident.id], merged=True)
    yield "part_of", _numbered(connection, incident.parent_id)
    yield "part", _first(connection, [_TABLE.c.parent_id == incident.id])
    requests, paths = _sharing(connection, incident, evidence)
    yield "same_requests", requests
    yield "counts_client", _counting(connection, incident)
    yield "client", _clients(connection, incident)
    same = [_TABLE.c.entity_type == incident.entity_type, _TABLE.c.entity == incident.entity]
    yield "earlier", _first(connection, [*same, _TABLE.c.last_at < incident.started_at])
    later = [*same, _TABLE.c.last_at > incident.last_at]
    yield "later", _first(connection, later, newest=False)
    yield "same_network", _neighbours(connection, incident)
    yield "same_paths", paths


def _first(
    connection: Connection,
    conditions: Iterable[ColumnElement[bool]],
    *,
    newest: bool = True,
    merged: bool = False,
) -> list[RowMapping]:
    last = _TABLE.c.last_at
    query = select(*_SHOWN).where(*conditions).order_by(last.desc() if newest else last)
    if not merged:
        query = query.where(without(connection.dialect.name, _TABLE.c.merged_into))
    return list(connection.execute(query.limit(REASON_LIMIT)).mappings())


def _numbered(connection: Connection, identity: int | None) -> list[RowMapping]:
    if identity is None:
        return []
    return _first(connection, [_TABLE.c.id == identity], merged=True)


def _during(incident: IncidentView, slack: timedelta = timedelta()) -> list[ColumnElement[bool]]:
    return [
        _TABLE.c.last_at >= incident.started_at - slack,
        _TABLE.c.started_at <= incident.last_at + slack,
    ]


def _counting(connection: Connection, incident: IncidentView) -> list[RowMapping]:
    """Return incidents about something else that count this client, at the same time."""
    if incident.entity_type != "client":
        return []
    member, finding = table_of(MemberRow), table_of(FindingRow)
    latest = (
        select(member.c.finding_id)
        .where(member.c.client == incident.entity)
        .order_by(member.c.finding_id.desc())
        .limit(SLICE)
    )
    numbers = select(finding.c.incident_id).where(finding.c.id.in_(latest.scalar_subquery()))
    return _first(connection, [_TABLE.c.id.in_(numbers), *_during(incident)])


def _clients(connection: Connection, incident: IncidentView) -> list[RowMapping]:
    """Return incidents about single clients of this one, at the same time."""
    if incident.entity_type == "client" or not incident.members:
        return []
    named = _TABLE.c.entity.in_(incident.members[:_CLIENTS])
    return _first(connection, [_TABLE.c.entity_type == "client", named, *_during(incident)])


def _neighbours(connection: Connection, incident: IncidentView) -> list[RowMapping]:
    """Return incidents about the network that this is about or in, and about its clients."""
    network = _network(incident)
    if network is None:
        return []
    about = [
        _TABLE.c.entity_type == "network",
        _TABLE.c.entity == str(network),
        *_during(incident, NETWORK_TIME),
    ]
    found = _first(connection, about)
    others = [_TABLE.c.entity != incident.entity, *_during(incident, NETWORK_TIME)]
    if network.version == 4 and network.prefixlen >= _PREFIX[4]:  # noqa: PLR2004 - the version
        named = _TABLE.c.entity.in_([str(address) for address in network])
        clients = _first(connection, [_TABLE.c.entity_type == "client", named, *others])
        return [*found, *clients][:REASON_LIMIT]
    near = _ended_next(connection, incident, NETWORK_TIME)
    near = [row for row in near if row["entity"] != incident.entity and _is_in(network, row)]
    return [*found, *near][:REASON_LIMIT]


def _network(incident: IncidentView) -> IPv4Network | IPv6Network | None:
    try:
        if incident.entity_type == "network":
            return ip_network(incident.entity, strict=False)
        if incident.entity_type == "client":
            address = ip_address(incident.entity)
            return ip_network((address, _PREFIX[address.version]), strict=False)
    except ValueError:
        return None
    return None


def _is_in(network: IPv4Network | IPv6Network, row: RowMapping) -> bool:
    try:
        return row["entity_type"] == "client" and ip_address(row["entity"]) in network
    except ValueError:
        return False


def _ended_next(
    connection: Connection, incident: IncidentView, slack: timedelta = timedelta()
) -> list[RowMapping]:
    """Return incidents near in time, out of the SLICE that ended next."""
    ended = (
        select(*_SHOWN, _TABLE.c.merged_into)
        .where(_TABLE.c.last_at >= incident.started_at - slack)
        .order_by(_TABLE.c.last_at, _TABLE.c.id)
        .limit(SLICE)
        .subquery()
    )
    query = select(ended).where(
        ended.c.started_at <= incident.last_at + slack,
        ended.c.merged_into.is_(None),
        ended.c.id != incident.id,
    )
    return list(connection.execute(query).mappings())


def _sharing(
    connection: Connection, incident: IncidentView, evidence: Sequence[Evidence]
) -> tuple[list[RowMapping], list[RowMapping]]:
    """Return incidents whose evidence has the same requests, and those with the same paths."""
    near = _ended_next(connection, incident)[:COMPARED] if evidence else []
    if not near:
        return [], []
    requests = {(item.partition, item.position) for item in evidence}
    paths = {(item.service, item.path) for item in evidence if item.path is not None}
    table = table_of(EvidenceRow)
    query = select(
        table.c.incident_id, table.c.partition, table.c.position, table.c.service, table.c.path
    ).where(table.c.incident_id.in_([row["id"] for row in near]))
    same_requests: set[int] = set()
    same_paths: set[int] = set()
    for number, partition, position, service, path in connection.execute(query):
        if (partition, position) in requests:
            same_requests.add(number)
        if (service, path) in paths:
            same_paths.add(number)
    return (
        [row for row in near if row["id"] in same_requests][:REASON_LIMIT],
        [row for row in near if row["id"] in same_paths][:REASON_LIMIT],
    )
