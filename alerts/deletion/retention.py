"""How long things are kept: what is older goes, a bounded batch at a time."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, delete, select, update

from alerts.database.models import (
    DeliveryRow,
    IncidentRow,
    NotificationRow,
    SilenceRow,
    TombstoneRow,
    table_of,
)
from alerts.database.opening import for_writing
from alerts.deletion.incidents import Deleted, delete_deliveries, delete_incidents
from alerts.storage.tombstones import Tombstones

#: How long incidents that are over are kept after their last event.
KEEP_INCIDENTS: Final = timedelta(days=400)

#: How long is known what was sent when.
KEEP_DELIVERIES: Final = timedelta(days=90)

#: Rows that one transaction deletes with all that hangs on them; other writers wait meanwhile.
BATCH: Final = 200

#: Transactions in one call; what is left is for the next, an hour later.
BATCHES: Final = 50

_OVER: Final = ("resolved", "closed")
_DONE: Final = ("sent", "dead")


def prune(
    engine: Engine,
    now: datetime,
    *,
    tombstones: Tombstones,
    incidents: timedelta = KEEP_INCIDENTS,
    deliveries: timedelta = KEEP_DELIVERIES,
    batch: int = BATCH,
    batches: int = BATCHES,
) -> Deleted:
    """Delete incidents that are over and deliveries that are done, if they are older than that.

    An incident's age is that of its last event. Open ones stay, however old, and what became
    part of another stays as long as that. Each incident leaves a tombstone for as long again.
    Silences go when they ended as long ago as incidents. At most `batch` rows go in one
    transaction, and there are at most `batches` of them.
    """
    writing = for_writing(engine)
    deleted = Deleted()
    with writing.begin() as connection:
        _expire(connection, now - incidents, now - 2 * incidents)
    for _ in range(batches):
        with writing.begin() as connection:
            gone = _prune_incidents(connection, now, now - incidents, tombstones, batch)
            gone += _prune_deliveries(connection, now - deliveries, batch)
        deleted += gone
        if gone == Deleted():
            break
    return deleted


def _prune_incidents(
    connection: Connection, now: datetime, until: datetime, tombstones: Tombstones, batch: int
) -> Deleted:
    table = table_of(IncidentRow)
    query = (
        select(table.c.id)
        .where(table.c.last_at < until, table.c.status.in_(_OVER), table.c.merged_into.is_(None))
        .order_by(table.c.last_at, table.c.id)
        .limit(batch)
    )
    old = connection.execute(query).scalars().all()
    return delete_incidents(connection, old, tombstones, "pruned", now) if old else Deleted()


def _prune_deliveries(connection: Connection, until: datetime, batch: int) -> Deleted:
    """Delete what is known of messages; that incidents were told of stays with those."""
    table, notifications = table_of(DeliveryRow), table_of(NotificationRow)
    query = (
        select(table.c.id)
        .where(table.c.created_at < until, table.c.state.in_(_DONE))
        .order_by(table.c.id)
        .limit(batch)
    )
    old = connection.execute(query).scalars().all()
    if not old:
        return Deleted()
    connection.execute(
        update(notifications).where(notifications.c.delivery_id.in_(old)).values(delivery_id=None)
    )
    return Deleted(deliveries=delete_deliveries(connection, old))


def _expire(connection: Connection, silences_until: datetime, tombstones_until: datetime) -> None:
    connection.execute(delete(SilenceRow).where(SilenceRow.ends_at < silences_until))
    connection.execute(
        delete(TombstoneRow).where(
            TombstoneRow.reason == "pruned", TombstoneRow.last_at < tombstones_until
        )
    )
