"""vedette incidents: list and show what is stored."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from alerts.actions import why_missing
from alerts.database.times import utc_now
from alerts.exports.csv_cells import header, row
from alerts.incidents.views import IncidentView
from alerts.lists.filters import IncidentFilter
from alerts.lists.queries import PAGE_LIMIT, get_incident, list_incidents, places_of
from ingest.masking import printable_json
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.incident_query import wanted_of
from vedette.incident_screen import print_incident
from vedette.screen import incident_table, note, options, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents

#: How each order of the list is called in the title of the table.
_ORDERS = {"last": "the last active", "start": "the last begun", "severity": "the severest"}


@reports_failures
def list_stored(
    config: Path | None,
    database: str | None,
    given: Mapping[str, Any],
    *,
    limit: int,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Print stored incidents that the options in `given` name, in their order."""
    screen = terminal(stderr=True)
    if as_json and as_csv:
        note(screen, "vedette: --json and --csv: one of them at a time")
        return WRONG_USE
    try:
        wanted = wanted_of(given, utc_now())
    except ValueError as error:
        note(screen, f"vedette: {error}")
        return WRONG_USE
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    try:
        found, more = listed(engine, wanted, limit)
        parent = wanted.parent
        if parent is not None and not found and get_incident(engine, parent) is None:
            note(screen, f"vedette: no incident {parent} in {name}")
            return FAILED
        if as_csv:
            _write_csv(engine, found)
    finally:
        engine.dispose()
    if as_json:
        for incident in found:
            sys.stdout.write(printable_json(json.dumps(incident.to_dict())) + "\n")
    elif not as_csv:
        _print_table(found, f"Incidents in {name}, {_ORDERS[wanted.sort]} first", name)
        if more:
            note(terminal(), f"More than {limit} match; --limit shows more.")
    return 0


@reports_failures
def show_stored(identity: int, config: Path | None, database: str | None, *, as_json: bool) -> int:
    """Print one incident with everything that is kept about it."""
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    try:
        detail = get_incident(engine, identity)
        if detail is None:
            why = why_missing(engine, identity)
            note(terminal(stderr=True), f"vedette: {name}: {why}")
            return FAILED
        parts = list_incidents(engine, IncidentFilter(parent=identity), None, 1).items
    finally:
        engine.dispose()
    if as_json:
        sys.stdout.write(printable_json(json.dumps(detail.to_dict())) + "\n")
    else:
        place = options(config=config, database=database)
        print_incident(terminal(), detail, _more(detail.incident, bool(parts), place))
    return 0


def _more(incident: IncidentView, parts: bool, place: str) -> list[str]:
    """Return the commands that show what belongs to an incident."""
    if parts:
        return [f"Their own incidents: vedette incidents --parent {incident.id}{place}"]
    if incident.entity_type == "target":
        which = options(target=incident.entity, state="dead")
        return [f"What could not be told: vedette notify history{which}{place}"]
    return []


def listed(engine: Engine, wanted: IncidentFilter, limit: int) -> tuple[list[IncidentView], bool]:
    """Return up to so many incidents of a list, and whether there are more."""
    found: list[IncidentView] = []
    cursor: str | None = None
    while len(found) < limit:
        page = list_incidents(engine, wanted, cursor, min(PAGE_LIMIT, limit - len(found)))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found, cursor is not None


def _write_csv(engine: Engine, incidents: list[IncidentView]) -> None:
    places = places_of(engine, [incident.id for incident in incidents])
    sys.stdout.write(header())
    for incident in incidents:
        sys.stdout.write(row(incident, places[incident.id]))


def _print_table(incidents: list[IncidentView], title: str, name: str) -> None:
    if incidents:
        terminal().print(incident_table(incidents, title))
    else:
        note(terminal(), f"No incidents in {name} match.")
