"""vedette incidents ack, resolve, close, reopen, assign, label, comment: what people decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from alerts.actions import (
    Change,
    NoSuchIncidentError,
    VersionConflictError,
    change_incident,
    change_incidents,
)
from alerts.database.times import utc_now
from alerts.incidents.decisions import IllegalChangeError
from alerts.incidents.lifecycle import Resolution
from alerts.incidents.views import IncidentView
from ingest.masking import printable
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.notifying import routing_of
from vedette.people import terminal_user
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents


@dataclass(frozen=True, slots=True)
class Place:
    """Which incidents are changed, where they are, and the version that was looked at."""

    numbers: Sequence[int]
    config: Path | None
    database: str | None
    version: int | None = None


def unknown_resolution(name: str | None) -> str | None:
    """Return what is wrong with the resolution that somebody typed; None if nothing is."""
    known = get_args(Resolution)
    if name is None or name in known:
        return None
    return f"--as: must be one of {', '.join(known)}"


@reports_failures
def change(place: Place, wanted: Change, done: str) -> int:
    """Change incidents, all or none, and say so: `done` is what they are then."""
    screen = terminal(stderr=True)
    wrong = unknown_resolution(wanted.resolution)
    if place.version is not None and len(place.numbers) > 1:
        wrong = "--if-version: name one incident"
    if wrong:
        note(screen, f"vedette: {wrong}")
        return WRONG_USE
    settings = load_settings(place.config)
    engine, name = stored_incidents(settings, place.database, configured=place.config is not None)
    actor, now, routing = terminal_user(), utc_now(), routing_of(settings)
    before: list[IncidentView] = []
    try:
        if len(place.numbers) == 1:
            (number,) = place.numbers
            change_incident(
                engine,
                number,
                wanted,
                actor=actor,
                version=place.version,
                now=now,
                routing=routing,
                seen=before.append,
            )
        else:
            change_incidents(
                engine,
                place.numbers,
                wanted,
                actor=actor,
                now=now,
                routing=routing,
                seen=before.append,
            )
    except IllegalChangeError as error:
        about = f"incident {place.numbers[0]}: " if len(place.numbers) == 1 else ""
        note(screen, f"vedette: {printable(f'{about}{error}')}")
        return FAILED
    except (NoSuchIncidentError, VersionConflictError) as error:
        note(screen, f"vedette: {name}: {error}")
        return FAILED
    finally:
        engine.dispose()
    numbers = ", ".join(map(str, place.numbers))
    was = _was(before) if wanted.status is not None else ""
    note(screen, f"Incident{'s' if len(place.numbers) > 1 else ''} {numbers}: {done}{was}.")
    return 0


def _was(before: Sequence[IncidentView]) -> str:
    """Say what was decided about: it may have become severer since somebody looked at it."""
    if len(before) == 1:
        return f"; it was {before[0].severity}, {before[0].status}"
    each = (f"{incident.id} {incident.severity}, {incident.status}" for incident in before)
    return f"; before: {'; '.join(each)}"
