"""Deliveries and their notifications as rows: what the sender of one target reads and writes.

The order, in one place. Each step is a transaction by itself, none is open while the network is
talked to, and after a stop between any two of them the next start goes on:

1. `put_aside`: what is not sent, or not yet, and why. Stopped before: judged again.
2. `bundle`: a delivery with its mark, its notifications to `bundled`. Of many notifications some
   at a time: stopped midway, the delivery goes with those it has, and the others with a later one.
3. `leave_out`: what became part of another incident meanwhile. `begin`: an attempt, counted.
   Stopped from here on, the attempt has no end, and the same delivery goes again, with the same
   mark and the same notifications, but for those.
4. The message goes to the receiver.
5. Given up only: the incident about failing alerts, then `pass_on` to the fallback target. Both
   change nothing if they are done again.
6. `end`: the attempt ended; delivery and notifications are sent, dead, or tried again.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from alerts.database.models import (
    DeliveryAttemptRow,
    DeliveryRow,
    IncidentRow,
    NotificationRow,
    table_of,
)
from alerts.database.opening import for_writing
from alerts.database.statements import chunks, insert_or_ignore
from alerts.incidents.views import IncidentView
from alerts.messages.notices import Item, Notice
from alerts.muting.judging import MERGED, Drop, Row
from alerts.muting.silences import release
from alerts.sending.bundles import Bundle, Past
from alerts.sending.endings import endings
from alerts.sending.retries import Verdict
from alerts.storage.rows import stored_view

#: Incidents that one message names; of more it is a digest of the gravest.
ITEM_LIMIT: Final = 50

_rows: Final = table_of(NotificationRow)
_sent: Final = table_of(DeliveryRow)
_tries: Final = table_of(DeliveryAttemptRow)
_incidents: Final = table_of(IncidentRow)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is not sent yet; `attempts` are those begun since it was last revived."""

    id: int
    mark: str
    attempts: int
    again_at: datetime
    digest: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has begun; `count` is what its delivery has had, this one included."""

    delivery: Delivery
    number: int
    count: int


#: Where a page of due notifications ends: the last one's due time and number.
Cursor = tuple[datetime, int]


class Deliveries:
    """What there is to send to one target."""

    def __init__(
        self, engine: Engine, target: str, breathe: Callable[[], object] = lambda: None
    ) -> None:
        """`breathe` is called between steps of what takes many, to let others write and think."""
        self.reading = engine
        self.breathe = breathe
        self._writing = for_writing(engine)
        self._target = target

    def recent_attempts(self, since: datetime, limit: int) -> list[datetime]:
        """Return when attempts began after `since`, oldest first, the last `limit` of them."""
        query = (
            select(_tries.c.started_at)
            .join(_sent, _sent.c.id == _tries.c.delivery_id)
            .where(_sent.c.target == self._target, _tries.c.started_at > since)
            .order_by(_tries.c.started_at.desc())
            .limit(limit)
        )
        with self.reading.connect() as connection:
            return list(connection.execute(query).scalars())[::-1]

    def under_way(self, limit: int) -> list[Delivery]:
        """Return deliveries that are neither sent nor dead, those that are due first in front."""
        columns = _sent.c
        query = (
            select(
                columns.id,
                columns.idempotency_key,
                columns.attempts,
                columns.next_attempt_at,
                columns.digest,
            )
            .where(columns.target == self._target, columns.state == "pending")
            .order_by(columns.next_attempt_at, columns.id)
            .limit(limit)
        )
        with self.reading.connect() as connection:
            return [Delivery(*row) for row in connection.execute(query)]

    def last_outcome(self) -> str | None:
        """Return how the last attempt went that has ended."""
        query = (
            select(_tries.c.outcome)
            .join(_sent, _sent.c.id == _tries.c.delivery_id)
            .where(_sent.c.target == self._target, _tries.c.ended_at.is_not(None))
            .order_by(_tries.c.id.desc())
            .limit(1)
        )
        with self.reading.connect() as connection:
            return connection.execute(query).scalar()

    def dead_since(self, since: datetime) -> int:
        """Return how many deliveries were given up since then."""
        columns = _sent.c
        query = (
            select(func.count())
            .select_from(_sent)
            .where(
                columns.target == self._target,
                columns.state == "dead",
                columns.next_attempt_at >= since,
            )
        )
        with self.reading.connect() as connection:
            return connection.execute(query).scalar_one()

    def due(
        self, connection: Connection, now: datetime, after: Cursor | None, limit: int
    ) -> tuple[list[int], Cursor | None]:
        """Return the incidents of a page of what is due, and where it ends if it is full."""
        columns = _rows.c
        query = select(columns.due_at, columns.id, columns.incident_id).where(
            columns.target == self._target, columns.state == "pending", columns.due_at <= now
        )
        if after is not None:
            due_at, identity = after
            later = and_(columns.due_at == due_at, columns.id > identity)
            query = query.where(or_(columns.due_at > due_at, later))
        page = connection.execute(query.order_by(columns.due_at, columns.id).limit(limit)).all()
        incidents = list(dict.fromkeys(row.incident_id for row in page))
        return incidents, (page[-1].due_at, page[-1].id) if len(page) == limit else None

    def rows(self, connection: Connection, incidents: Sequence[int]) -> dict[int, list[Row]]:
        """Return all notifications of incidents to this target, in the order they were made."""
        columns = _rows.c
        query = (
            select(
                columns.id,
                columns.incident_id,
                columns.transition,
                columns.route,
                columns.created_at,
                columns.state,
                columns.reason,
                columns.delivery_id,
                _sent.c.next_attempt_at,
            )
            .outerjoin(_sent, _sent.c.id == columns.delivery_id)
            .order_by(columns.id)
        )
        found: dict[int, list[Row]] = defaultdict(list)
        for chunk in chunks(incidents):
            wanted = query.where(columns.incident_id.in_(chunk), columns.target == self._target)
            for row in connection.execute(wanted):
                found[row.incident_id].append(Row(*row))
        return found

    def pasts(self, connection: Connection, keys: Sequence[str]) -> dict[str, Past]:
        """Return what is known of the earlier messages of groups."""
        columns = _sent.c
        again_at = case((columns.state == "pending", columns.next_attempt_at))
        query = select(columns.group_key, func.max(columns.sent_at), func.max(again_at))
        pasts: dict[str, Past] = {}
        for chunk in chunks(keys):
            wanted = query.where(columns.target == self._target, columns.group_key.in_(chunk))
            for key, sent, again in connection.execute(wanted.group_by(columns.group_key)):
                pasts[key] = Past(sent, again)
        return pasts

    def put_aside(self, drops: Iterable[Drop], waits: Iterable[tuple[Row, datetime, str]]) -> None:
        """Write what is not sent, and what is looked at again when; both with the reason."""
        dropped = [{"row": d.row.id, "new": d.state, "why": d.reason} for d in drops]
        held: dict[str, datetime] = {}
        waiting = []
        for row, due, reason in waits:
            held[reason] = due
            waiting.append({"row": row.id, "due": due, "why": reason})
        if not dropped and not waiting:
            return
        pending = update(_rows).where(_rows.c.id == bindparam("row"), _rows.c.state == "pending")
        with self._writing.begin() as connection:
            if dropped:
                statement = pending.values(state=bindparam("new"), reason=bindparam("why"))
                connection.execute(statement, dropped)
            if waiting:
                statement = pending.values(due_at=bindparam("due"), reason=bindparam("why"))
                connection.execute(statement, waiting)
                release(connection, held)

    def bundle(self, bundle: Bundle, now: datetime) -> Delivery | None:
        """Make a delivery of what still is to be sent of a bundle; None if that is nothing."""
        mark = uuid.uuid4().hex
        digest = bundle.digest or bundle.incidents > ITEM_LIMIT
        values = {
            "target": self._target,
            "group_key": bundle.key,
            "idempotency_key": mark,
            "digest": digest,
            "title": "",
            "created_at": now,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": now,
        }
        identity: int | None = None
        bound = 0
        for chunk in chunks(bundle.rows):
            if identity is not None:
                self.breathe()
            with self._writing.begin() as connection:
                if identity is None:
                    made = insert(_sent).returning(_sent.c.id)
                    identity = connection.execute(made, values).scalar_one()
                bound += connection.execute(
                    update(_rows)
                    .where(_rows.c.id.in_(chunk), _rows.c.state.in_(("pending", "suppressed")))
                    .values(state="bundled", delivery_id=identity, reason=None)
                ).rowcount
        if identity is None:
            return None
        delivery = Delivery(identity, mark, 0, now, digest)
        if not bound:
            self.abandon(delivery, now)
            return None
        return delivery

    def leave_out(self, delivery: Delivery) -> None:
        """Take out of a delivery what became part of another incident since it was bundled."""
        query = (
            select(_incidents.c.id, _incidents.c.merged_into, _incidents.c.parent_id)
            .join(_rows, _rows.c.incident_id == _incidents.c.id)
            .where(
                _rows.c.delivery_id == delivery.id,
                _rows.c.state == "bundled",
                _rows.c.transition != MERGED,
                or_(_incidents.c.merged_into.is_not(None), _incidents.c.parent_id.is_not(None)),
            )
            .distinct()
        )
        with self.reading.connect() as connection:
            parts = connection.execute(query).all()
        changes = [
            {"of": part.id, "new": "suppressed", "why": f"merged into incident {part.merged_into}"}
            if part.merged_into is not None
            else {"of": part.id, "new": "rolled_up", "why": f"part of incident {part.parent_id}"}
            for part in parts
        ]
        if not changes:
            return
        own = update(_rows).where(
            _rows.c.delivery_id == delivery.id, _rows.c.incident_id == bindparam("of")
        )
        values = own.values(state=bindparam("new"), reason=bindparam("why"), delivery_id=None)
        with self._writing.begin() as connection:
            connection.execute(values, changes)

    def notice(self, delivery: Delivery, link: str | None) -> Notice | None:
        """Return what a delivery tells: its incidents as they are now; None if none is left."""
        own = _rows.c.delivery_id == delivery.id
        query = (
            select(_incidents)
            .where(_incidents.c.id.in_(select(_rows.c.incident_id).where(own)))
            .order_by(_incidents.c.severity.desc(), _incidents.c.id)
            .limit(ITEM_LIMIT)
        )
        with self.reading.connect() as connection:
            count = func.count(_rows.c.incident_id.distinct())
            incidents = connection.execute(select(count).where(own)).scalar_one()
            views = [stored_view(row) for row in connection.execute(query).mappings()]
            told = _transitions(connection, delivery, [view.id for view in views])
            over = endings(connection, [view.id for view in views if view.resolution])
        if not views:
            return None
        items = tuple(Item(view, told[view.id], over.get(view.id)) for view in views)
        return Notice(items, delivery.mark, delivery.digest, incidents, link)

    def begin(self, delivery: Delivery, title: str, now: datetime) -> Attempt:
        """Count an attempt, before it is made."""
        own = _tries.c.delivery_id == delivery.id
        with self._writing.begin() as connection:
            last = connection.execute(select(func.max(_tries.c.number)).where(own)).scalar()
            number = (last or 0) + 1
            connection.execute(
                insert(_tries).values(delivery_id=delivery.id, number=number, started_at=now)
            )
            counted = (
                update(_sent)
                .where(_sent.c.id == delivery.id)
                .values(attempts=_sent.c.attempts + 1, title=title)
                .returning(_sent.c.attempts)
            )
            count = connection.execute(counted).scalar_one()
        return Attempt(delivery, number, count)

    def end(self, attempt: Attempt, verdict: Verdict, now: datetime) -> None:
        """Write how an attempt ended, and what that means for the delivery."""
        outcome = "sent" if verdict.state == "sent" else "failed"
        with self._writing.begin() as connection:
            connection.execute(
                update(_tries)
                .where(
                    _tries.c.delivery_id == attempt.delivery.id, _tries.c.number == attempt.number
                )
                .values(ended_at=now, outcome=outcome, error=verdict.error)
            )
            _decide(connection, attempt.delivery.id, verdict, now)

    def give_up(self, delivery: Delivery, error: str, now: datetime) -> None:
        """Write that a delivery is dead, without another attempt."""
        with self._writing.begin() as connection:
            _decide(connection, delivery.id, Verdict("dead", error), now)

    def abandon(self, delivery: Delivery, now: datetime) -> None:
        """End a delivery about which nothing is left to tell; one that was never tried is gone."""
        tried = select(_tries.c.id).where(_tries.c.delivery_id == delivery.id).limit(1)
        with self._writing.begin() as connection:
            if connection.execute(tried).scalar() is None:
                connection.execute(
                    update(_rows).where(_rows.c.delivery_id == delivery.id).values(delivery_id=None)
                )
                connection.execute(delete(_sent).where(_sent.c.id == delivery.id))
            else:
                error = "nothing is left to tell: its incidents were removed, or joined others"
                _decide(connection, delivery.id, Verdict("dead", error), now)

    def pass_on(self, delivery: Delivery, fallback: str, now: datetime) -> None:
        """Let another target be told what this one could not be."""
        last = 0
        query = select(_rows.c.id, _rows.c.incident_id, _rows.c.transition, _rows.c.route)
        while True:
            page = query.where(_rows.c.delivery_id == delivery.id, _rows.c.id > last)
            with self._writing.begin() as connection:
                found = connection.execute(page.order_by(_rows.c.id).limit(500)).all()
                values = [
                    {
                        "incident_id": row.incident_id,
                        "transition": row.transition,
                        "target": fallback,
                        "route": row.route,
                        "created_at": now,
                        "state": "pending",
                        "due_at": now,
                        "reason": f"{self._target} could not be told",
                    }
                    for row in found
                ]
                insert_or_ignore(connection, _rows, values, ("incident_id", "transition", "target"))
            if not found:
                return
            last = found[-1].id
            self.breathe()


def views(connection: Connection, incidents: Sequence[int]) -> dict[int, IncidentView]:
    """Return incidents by number, those that there are."""
    found: dict[int, IncidentView] = {}
    for chunk in chunks(incidents):
        query = select(_incidents).where(_incidents.c.id.in_(chunk))
        for row in connection.execute(query).mappings():
            found[row["id"]] = stored_view(row)
    return found


def _transitions(
    connection: Connection, delivery: Delivery, incidents: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    query = (
        select(_rows.c.incident_id, _rows.c.transition)
        .where(_rows.c.delivery_id == delivery.id, _rows.c.incident_id.in_(incidents))
        .order_by(_rows.c.id)
    )
    told: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for incident, transition in connection.execute(query):
        told[incident] += (transition,)
    return told


def _decide(connection: Connection, delivery: int, verdict: Verdict, now: datetime) -> None:
    values: dict[str, Any] = {
        "state": verdict.state,
        "last_error": verdict.error,
        "next_attempt_at": verdict.again_at or now,
        "sent_at": now if verdict.state == "sent" else None,
    }
    connection.execute(update(_sent).where(_sent.c.id == delivery).values(values))
    if verdict.state != "pending":
        connection.execute(
            update(_rows)
            .where(_rows.c.delivery_id == delivery, _rows.c.state == "bundled")
            .values(state=verdict.state)
        )
