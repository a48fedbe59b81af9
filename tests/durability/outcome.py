"""What a run came to: everything that is promised to be the same after any number of crashes.

Promised (docs, design): the incidents with all they say, their findings with every value, and
who is told of what. Not promised, and so not compared: which lines are shown as evidence, how
messages are bundled, the severities on the way to the last one (so that of the notifications
which come with growing it is compared only that there are any), numbers of rows, and versions.
An incident that joined another is part of that one. Left out are those of the log's end, as each
partition has one.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, RowMapping, create_engine, select

from alerts.database.models import (
    DeliveryRow,
    FindingRow,
    IncidentRow,
    MemberRow,
    NotificationRow,
    table_of,
)
from tests.durability.story import SENTINELS

#: Columns of incidents that are not compared, or are as something else.
_LEFT_OUT: Final = {"id", "version", "merged_into", "parent_id", "decided_at", "assigned_at"}

#: Notifications that say that an incident is there, or is more than it was.
_RISING: Final = frozenset({"opened", "severity", "stage", "members"})

#: (entity type, entity, begin)
Key = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Contents of incidents, and (transition, target) of what is told of each, by key."""

    incidents: Mapping[Key, Mapping[str, Any]]
    told: Mapping[Key, frozenset[tuple[str, str]]]

    def differences(self, other: "Outcome", left_out: Collection[str] = ()) -> list[str]:
        """Say in what another run came to something else, a line each."""
        said = [f"only here: {key}" for key in sorted(self.incidents.keys() - other.incidents)]
        said += [f"only there: {key}" for key in sorted(other.incidents.keys() - self.incidents)]
        for key in sorted(self.incidents.keys() & other.incidents.keys()):
            ours, theirs = self.incidents[key], other.incidents[key]
            said += [
                f"{key} {name}: {ours[name]!r} here, {theirs[name]!r} there"
                for name in ours
                if name not in left_out and ours[name] != theirs[name]
            ]
            if self.told.get(key) != other.told.get(key):
                here, there = self.told.get(key, frozenset()), other.told.get(key, frozenset())
                said.append(f"{key} told: only here {here - there}, only there {there - here}")
        return said


def outcome(engine: Engine) -> Outcome:
    """Read what a run came to."""
    with engine.connect() as connection:
        rows = connection.execute(select(table_of(IncidentRow))).mappings().all()
        findings = connection.execute(select(table_of(FindingRow))).mappings().all()
        members = connection.execute(select(table_of(MemberRow))).mappings().all()
        told = connection.execute(select(table_of(NotificationRow))).mappings().all()
    keys = {row["id"]: key_of(row) for row in rows}
    whole = [row for row in rows if row["merged_into"] is None and row["entity"] not in SENTINELS]
    clients: dict[int, list[str]] = defaultdict(list)
    for member in members:
        clients[member["finding_id"]].append(member["client"])
    contained: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in findings:
        contained[row["incident_id"]].append(_finding(row, clients[row["id"]]))
    incidents: dict[Key, dict[str, Any]] = {}
    for row in whole:
        content = {name: row[name] for name in row if name not in _LEFT_OUT}
        content["parent"] = keys.get(row["parent_id"])
        content["findings"] = sorted(contained[row["id"]])
        assert keys[row["id"]] not in incidents, f"twice: {keys[row['id']]}"
        incidents[keys[row["id"]]] = content
    heard: dict[Key, set[tuple[str, str]]] = defaultdict(set)
    told_of = {row["id"] for row in whole if row["parent_id"] is None}
    for row in told:
        if row["incident_id"] in told_of:
            kind = row["transition"].partition(":")[0]
            transition = "opened" if kind in _RISING else row["transition"]
            heard[keys[row["incident_id"]]].add((transition, row["target"]))
    return Outcome(incidents, {key: frozenset(found) for key, found in heard.items()})


def outcome_at(url: str) -> Outcome:
    """Read what a run left in a database."""
    engine = create_engine(url)
    try:
        return outcome(engine)
    finally:
        engine.dispose()


def undelivered(engine: Engine, marks: Collection[str]) -> list[str]:
    """Say which notifications did not reach the receiver, whose messages had these marks.

    Each that counts as sent belongs to a delivery whose mark came, once or more, and nothing came
    that belongs to no delivery. What was over before anybody could be told, or is part of
    another incident, need not be sent; nothing waits, and nothing was given up.
    """
    with engine.connect() as connection:
        rows = connection.execute(select(table_of(NotificationRow))).mappings().all()
        sent = connection.execute(select(table_of(DeliveryRow))).mappings().all()
    mark_of = {row["id"]: row["idempotency_key"] for row in sent}
    said = [f"{mark} came and is no delivery" for mark in set(marks) - set(mark_of.values())]
    for row in rows:
        name = f"{row['transition']} of {row['incident_id']} to {row['target']}"
        if row["state"] == "sent" and mark_of.get(row["delivery_id"]) not in marks:
            said.append(f"{name} counts as sent and did not come")
        elif row["state"] not in {"sent", "suppressed", "rolled_up"}:
            said.append(f"{name} is {row['state']}: {row['reason']}")
    return said


def key_of(row: RowMapping) -> Key:
    """Return what tells an incident from others in any run."""
    return row["entity_type"], row["entity"], row["started_at"]


def _finding(row: RowMapping, clients: list[str]) -> tuple[Any, ...]:
    values = {name: row[name] for name in row if name not in {"id", "incident_id"}}
    values["tags"] = tuple(values["tags"])
    return (*values.values(), tuple(sorted(clients)))
