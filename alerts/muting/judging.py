"""What becomes of notifications about one incident that are due: told, or not, and why. Pure.

As in Alertmanager, each decision has a reason, which is stored and shown. Muting (silences,
inhibition, maintenance) comes after: it needs the database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from alerts.incidents.views import IncidentView
from alerts.routing.target import Target
from detectors.findings import Level

#: What a target last heard of an incident.
Heard = Literal["nothing", "active", "over"]

#: Kinds that say that an incident is over.
ENDINGS: Final = frozenset({"calm", "resolved", "merged"})

#: The transition by which receivers that keep alerts learn that one is part of another.
MERGED: Final = "merged:1"

#: Kinds that ask for somebody's attention: whoever acknowledged it has given that.
_REMINDERS: Final = frozenset({"repeat", "escalated"})

_ENDED: Final = frozenset({"resolved", "closed"})

GONE: Final = "the incident was removed"
TOO_LATE: Final = "over before it could be told"
BACK: Final = "active again before it could be told"
UNRESOLVED: Final = "the target wants no resolved incidents (send_resolved)"
SEEN: Final = "acknowledged"
UNDER_WAY: Final = "what came before is still under way"


@dataclass(frozen=True, slots=True)
class Row:
    """A notification; `again_at` is when a delivery that it is part of is tried next."""

    id: int
    incident_id: int
    transition: str
    route: str
    created_at: datetime
    state: str
    reason: str | None = None
    delivery_id: int | None = None
    again_at: datetime | None = None

    @property
    def kind(self) -> str:
        """The transition without its number."""
        return self.transition.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Drop:
    """A notification that is not sent: its new state, and why."""

    row: Row
    state: Literal["suppressed", "rolled_up"]
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to tell of an incident now, what not at all, and until when to wait with the rest."""

    tell: tuple[Row, ...] = ()
    drop: tuple[Drop, ...] = ()
    wait: tuple[Row, ...] = ()
    until: datetime | None = None


def judge(rows: Sequence[Row], incident: IncidentView | None, target: Target) -> Judgement:
    """Decide on the pending ones of `rows`: all that there are of one incident and one target.

    Of an incident only what it is now is told. What was dropped as too small to tell is told with
    the first that is not.
    """
    pending = tuple(row for row in rows if row.state == "pending")
    if incident is None:
        return Judgement(drop=_drops(pending, GONE))
    if incident.merged_into is not None:
        return _merged(rows, pending, incident.merged_into, target)
    if incident.parent_id is not None:
        reason = f"part of incident {incident.parent_id}"
        return Judgement(drop=tuple(Drop(row, "rolled_up", reason) for row in pending))
    if incident.status in _ENDED:
        return _ended(rows, pending, target)
    return _active(rows, pending, incident, target)


def heard(rows: Iterable[Row]) -> Heard:
    """Return what the target last heard, by the notifications that were sent to it.

    Those without a delivery were sent long ago: what was known of that is pruned. Of them the
    latest counts.
    """
    sent = [row for row in rows if row.state == "sent"]
    if not sent:
        return "nothing"
    last = max(sent, key=lambda row: (row.delivery_id or 0, row.id))
    together = (row for row in sent if last.delivery_id and row.delivery_id == last.delivery_id)
    return "over" if {last.kind, *(row.kind for row in together)} & ENDINGS else "active"


def _merged(rows: Sequence[Row], pending: tuple[Row, ...], into: int, target: Target) -> Judgement:
    """Of what became part of another only that is told, and only to who would wait for its end."""
    ends = tuple(row for row in pending if row.kind == "merged")
    tell = ends if target.send_resolved and heard(rows) == "active" else ()
    return Judgement(tell, _drops(_without(pending, tell), f"merged into incident {into}"))


def _ended(rows: Sequence[Row], pending: tuple[Row, ...], target: Target) -> Judgement:
    tries = [row.again_at for row in rows if row.state == "bundled" and row.again_at]
    known = heard(rows)
    if tries and known != "active":
        return Judgement(wait=pending, until=max(tries))
    endings = any(row.kind in ENDINGS for row in pending)
    if known != "active" or not endings:
        return Judgement(drop=_drops(pending, TOO_LATE))
    if not target.send_resolved:
        return Judgement(drop=_drops(pending, UNRESOLVED))
    reminders = tuple(row for row in pending if row.kind in _REMINDERS)
    return Judgement(_without(pending, reminders), _drops(reminders, TOO_LATE))


def _active(
    rows: Sequence[Row], pending: tuple[Row, ...], incident: IncidentView, target: Target
) -> Judgement:
    if Level[incident.severity.upper()] < target.min_level:
        return Judgement(drop=_drops(pending, f"below {target.min_level.label}"))
    known = heard(rows)
    stale = [row for row in pending if row.kind in ENDINGS]
    if stale and known == "active":
        stale += [row for row in pending if row.kind == "returned"]
    drop = _drops(stale, BACK)
    if incident.status == "acknowledged":
        reminders = [row for row in pending if row.kind in _REMINDERS]
        drop += _drops(reminders, SEEN)
    tell = _without(pending, [dropped.row for dropped in drop])
    if tell and known == "nothing" and all(row.kind != "opened" for row in tell):
        opening = [row for row in rows if row.kind == "opened" and row.state == "suppressed"]
        tell = (*opening, *tell)
    return Judgement(tell, drop)


def _drops(rows: Iterable[Row], reason: str) -> tuple[Drop, ...]:
    return tuple(Drop(row, "suppressed", reason) for row in rows)


def _without(rows: Iterable[Row], others: Iterable[Row]) -> tuple[Row, ...]:
    left = {row.id for row in others}
    return tuple(row for row in rows if row.id not in left)
