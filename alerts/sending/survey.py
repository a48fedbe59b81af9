"""What one target is to be told now: due notifications judged, muted, and grouped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from alerts.incidents.views import IncidentView
from alerts.muting.judging import UNDER_WAY, Drop, Row, judge
from alerts.muting.mutes import Moment, Muting
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.sending.bundles import Bundle, Waiting, group_key
from alerts.sending.deliveries import Cursor, Deliveries, views

#: Notifications that are looked at together.
PAGE: Final = 250

#: Notifications of one round; more wait for the next.
ROUND_LIMIT: Final = 20_000

IN_GROUP: Final = "waits for others of its group"

#: What waits until when, and why.
Wait = tuple[Row, datetime, str]


class Survey:
    """Goes through what is due for one target, a page at a time, and keeps numbers only."""

    def __init__(
        self, deliveries: Deliveries, target: Target, routing: Routing, muting: Muting
    ) -> None:
        self._deliveries = deliveries
        self._target = target
        self._routing = routing
        self._muting = muting
        self._waiting = Waiting()

    def ready(self, now: datetime) -> dict[str, Bundle]:
        """Return what is ready, by group; write what is not sent, or not yet, with the reason."""
        ready: dict[str, Bundle] = {}
        seen: set[int] = set()
        after: Cursor | None = None
        for _ in range(ROUND_LIMIT // PAGE):
            drops: list[Drop] = []
            waits: list[Wait] = []
            with self._deliveries.reading.connect() as connection:
                due, after = self._deliveries.due(connection, now, after, PAGE)
                incidents = [identity for identity in due if identity not in seen]
                seen.update(incidents)
                told = self._judge(connection, incidents, now, drops, waits)
                waits += self._group(connection, told, now, ready)
            self._deliveries.put_aside(drops, waits)
            if after is None:
                break
            self._deliveries.breathe()
        self._waiting.forget(ready, now)
        return ready

    def _judge(
        self,
        connection: Connection,
        incidents: Sequence[int],
        now: datetime,
        drops: list[Drop],
        waits: list[Wait],
    ) -> list[tuple[IncidentView, tuple[Row, ...]]]:
        """Judge and mute; return the incidents to tell."""
        told: list[tuple[IncidentView, tuple[Row, ...]]] = []
        if not incidents:
            return told
        rows = self._deliveries.rows(connection, incidents)
        known = views(connection, incidents)
        moment: Moment = self._muting.at(connection, now)
        for identity in incidents:
            incident = known.get(identity)
            judgement = judge(rows[identity], incident, self._target)
            drops += judgement.drop
            if judgement.until is not None:
                waits += [(row, judgement.until, UNDER_WAY) for row in judgement.wait]
            if incident is None or not judgement.tell:
                continue
            mute = moment.judge(incident)
            if mute is not None:
                waits += [(row, mute.until, mute.reason) for row in judgement.tell]
            else:
                told.append((incident, judgement.tell))
        return told

    def _group(
        self,
        connection: Connection,
        told: Sequence[tuple[IncidentView, tuple[Row, ...]]],
        now: datetime,
        ready: dict[str, Bundle],
    ) -> list[Wait]:
        """Add what is ready to its group; return the rest."""
        routes = [self._routing.route(rows[-1].route) for _, rows in told]
        keys = [
            group_key(route, incident) for route, (incident, _) in zip(routes, told, strict=True)
        ]
        pasts = self._deliveries.pasts(connection, list(dict.fromkeys(keys)))
        waits: list[Wait] = []
        for key, route, (_, rows) in zip(keys, routes, told, strict=True):
            first = min(row.created_at for row in rows if row.state == "pending")
            past = pasts.get(key)
            ready_at = self._waiting.ready_at(key, route, first, past)
            if ready_at > now and key not in ready:
                reason = UNDER_WAY if past and past.under_way_until else IN_GROUP
                waits += [(row, ready_at, reason) for row in rows]
            else:
                ready.setdefault(key, Bundle(key)).add(row.id for row in rows)
        return waits
