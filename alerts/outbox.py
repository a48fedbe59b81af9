"""The outbox: rows that say what to tell whom, written with the incidents they are about."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from alerts.models import NotificationRow, table_of
from alerts.views import Transition


def insert_or_ignore(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], unique: Sequence[str]
) -> None:
    """Insert rows, except those whose unique columns are there already."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).on_conflict_do_nothing(index_elements=list(unique)), rows)


def enqueue(
    connection: Connection,
    transitions: Iterable[Transition],
    targets: Sequence[str],
    now: datetime,
) -> None:
    """Add an intent for every transition and target; one that is there stays as it is."""
    rows = [
        {
            "incident_id": transition.incident_id,
            "transition": transition.kind,
            "target": target,
            "created_at": now,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": now,
            "idempotency_key": uuid.uuid4().hex,
        }
        for transition in transitions
        for target in targets
    ]
    table = table_of(NotificationRow)
    insert_or_ignore(connection, table, rows, ("incident_id", "transition", "target"))
