"""The outbox: rows that say what to tell whom, written with the incidents they are about."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.models import NotificationRow, table_of
from alerts.statements import insert_or_ignore
from alerts.views import Transition


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
