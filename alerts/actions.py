"""What people do to incidents: status, assignee, labels, comments; who did what is kept.

A change and its lines of the timeline are one transaction, which no other writer interrupts. So a
change that names the version it was made for is made to that version or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from alerts.database.models import IncidentRow, TimelineRow, TombstoneRow, table_of
from alerts.database.opening import for_writing
from alerts.database.safety import bounded
from alerts.incidents.decisions import KEEP, Change, Entry, IllegalChangeError, decide
from alerts.incidents.lifecycle import ENDED, State
from alerts.incidents.views import IncidentView, Transition, view_of
from alerts.lists.queries import IncidentDetail, get_incident
from alerts.routing.routes import Routing
from alerts.storage.outbox import enqueue
from alerts.storage.rows import state_values, stored_content, stored_state
from alerts.storage.terms import renew_terms
from alerts.storage.writing import PROGRAM
from ingest.masking import printable

__all__ = [
    "BULK_LIMIT",
    "KEEP",
    "Change",
    "IllegalChangeError",
    "NoSuchIncidentError",
    "VersionConflictError",
    "change_incident",
    "change_incidents",
]

#: Incidents that one call changes at most: nobody else writes meanwhile.
BULK_LIMIT: Final = 500

_ACTOR_LENGTH: Final = 64

_INCIDENTS: Final = table_of(IncidentRow)


@dataclass(frozen=True, slots=True)
class _Author:
    """Who changes something, when, and who is told of it."""

    name: str
    now: datetime
    routing: Routing | None
    seen: Callable[[IncidentView], None]


class NoSuchIncidentError(LookupError):
    """There is no incident of that number, or no longer; the message says which."""


class VersionConflictError(Exception):
    """Somebody else changed the incident meanwhile; `current` is the version that it has now."""

    def __init__(self, identity: int, version: int, current: int) -> None:
        super().__init__(
            f"incident {identity} changed meanwhile: version {version} was asked for, it has"
            f" version {current} now; look at it again, and repeat the change if it still fits"
        )
        self.current = current


def change_incident(
    engine: Engine,
    identity: int,
    change: Change,
    *,
    actor: str,
    version: int | None = None,
    now: datetime,
    routing: Routing | None = None,
    seen: Callable[[IncidentView], None] = lambda _incident: None,
) -> IncidentDetail:
    """Change an incident for a person, `actor`, and return it as it is right after.

    With `version` only that version is changed; without, whatever it is by now. A change that
    alters something adds one to the version and a line to the timeline for each thing altered,
    at `now` (wall clock); one that alters nothing leaves it as it is. Where a person ends an
    incident, the targets that `routing` names for it are told `resolved:<version>`, unless it is
    only monitored or part of another. `seen` is called with what it is altered from.

    Raises NoSuchIncidentError, VersionConflictError, IllegalChangeError; then nothing changes.
    """
    with for_writing(engine).begin() as connection:
        _change(connection, identity, change, _Author(_actor(actor), now, routing, seen), version)
    detail = get_incident(engine, identity)
    if detail is None:
        raise NoSuchIncidentError(f"incident {identity} was erased right after it was changed")
    return detail


def change_incidents(
    engine: Engine,
    identities: Sequence[int],
    change: Change,
    *,
    actor: str,
    now: datetime,
    routing: Routing | None = None,
    seen: Callable[[IncidentView], None] = lambda _incident: None,
) -> int:
    """Change several incidents alike, all or none; return how many were altered.

    As `change_incident`; of an IllegalChangeError the message names the incident. Raises
    IllegalChangeError for more than BULK_LIMIT incidents, too.
    """
    wanted = list(dict.fromkeys(identities))
    if len(wanted) > BULK_LIMIT:
        raise IllegalChangeError(
            f"one change is for {BULK_LIMIT} incidents at most, not {len(wanted)}"
        )
    author = _Author(_actor(actor), now, routing, seen)
    altered = 0
    with for_writing(engine).begin() as connection:
        for identity in wanted:
            try:
                altered += _change(connection, identity, change, author)
            except IllegalChangeError as error:
                raise IllegalChangeError(
                    f"incident {identity}: {error}; none was changed"
                ) from error
    return altered


def why_missing(engine: Engine, identity: int) -> str:
    """Say why there is no incident of that number: there never was one, or it is gone."""
    with engine.connect() as connection:
        return _missing(connection, identity)


def _change(
    connection: Connection,
    identity: int,
    change: Change,
    author: _Author,
    version: int | None = None,
) -> bool:
    row = _row(connection, identity)
    if version is not None and version != row["version"]:
        raise VersionConflictError(identity, version, row["version"])
    if row["merged_into"] is not None:
        raise IllegalChangeError(
            f"it became part of incident {_whole(connection, row)}; change that one"
        )
    before, content = stored_state(row), stored_content(row)
    state, entries = decide(before, content, change, author.now)
    if not entries:
        return False
    author.seen(view_of(identity, content, before, None, row["parent_id"]))
    number = row["version"] + 1
    connection.execute(
        update(_INCIDENTS)
        .where(_INCIDENTS.c.id == identity)
        .values(version=number, **state_values(state))
    )
    if state.labels != before.labels:
        renew_terms(connection, [identity])
    _write(connection, identity, entries, author)
    told = content.mode == "alert" and row["parent_id"] is None
    if author.routing is not None and told and _ends(before, state):
        kind = f"resolved:{number}"
        transition = Transition(identity, kind, view_of(identity, content, state))
        enqueue(connection, [transition], author.routing, author.now)
    return True


def _ends(before: State, state: State) -> bool:
    """Whether a person ended what was not over: what calm resolved was told as calm."""
    return state.status in ENDED and before.status not in ENDED


def _row(connection: Connection, identity: int) -> RowMapping:
    found = connection.execute(select(_INCIDENTS).where(_INCIDENTS.c.id == identity))
    row = found.mappings().first()
    if row is None:
        raise NoSuchIncidentError(_missing(connection, identity))
    return row


def _missing(connection: Connection, identity: int) -> str:
    query = select(TombstoneRow.reason, TombstoneRow.at).where(TombstoneRow.id == identity)
    gone = connection.execute(query).first()
    if gone is None:
        return f"there is no incident {identity}"
    why = "was kept as long as the settings say" if gone.reason == "pruned" else "was erased"
    return f"incident {identity} {why}, and is gone since {gone.at:%Y-%m-%d}"


def _whole(connection: Connection, row: RowMapping) -> int:
    """Return the number of the incident that a merged one is part of by now."""
    merged_into: int | None = row["merged_into"]
    identity: int = row["id"]
    while merged_into is not None:
        identity = merged_into
        query = select(_INCIDENTS.c.merged_into).where(_INCIDENTS.c.id == identity)
        merged_into = connection.execute(query).scalar()
    return identity


def _actor(actor: str) -> str:
    name = bounded(printable(actor.strip()), _ACTOR_LENGTH)
    if not name or name == PROGRAM:
        raise IllegalChangeError(f"a change needs the name of who makes it, other than {PROGRAM!r}")
    return name


def _write(
    connection: Connection, identity: int, entries: Sequence[Entry], author: _Author
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "incident_id": identity,
            "at": author.now,
            "actor": author.name,
            "action": entry.action,
            "detail": entry.detail,
        }
        for entry in entries
    ]
    connection.execute(insert(TimelineRow), rows)
