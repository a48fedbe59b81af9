"""vedette notify routes: who would be told of an incident, and why."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from alerts.database.times import utc_now
from alerts.incidents.views import EXAMPLE, IncidentView
from alerts.lists.queries import get_incident
from alerts.muting.inhibition import level_of
from alerts.muting.mutes import Mute
from alerts.routing.matchers import suggestion
from alerts.routing.routes import Routing, Step
from alerts.routing.target import Target
from detectors.findings import EntityType, Level
from ingest.durations import format_duration
from ingest.masking import printable
from ingest.times import iso
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.notifying import (
    check_detectors,
    check_targets,
    muting_of,
    routing_of,
    targets_of,
)
from vedette.rules import catalogue_of, detector_names
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings
from vedette.stores import kept_database, stored_incidents


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the settings, and the silences in the database, say about one incident."""

    incident: IncidentView
    steps: Sequence[Step]
    routing: Routing
    targets: dict[str, Target]
    mutes: Sequence[Mute]
    problems: Sequence[str]

    def told(self) -> list[tuple[str, str, str | None]]:
        """Return targets with their route, and why a target hears nothing all the same."""
        return [
            (name, route, self._withheld(self.targets[name]))
            for name, route in self.routing.targets(self.incident)
        ]

    def remarks(self) -> list[str]:
        """Return what keeps people from being told so, whatever the routes say."""
        incident = self.incident
        found = list(self.problems)
        if incident.mode != "alert":
            found.append("Its detectors are in mode monitor: nobody is told.")
        if incident.parent_id is not None:
            found.append(f"It is part of incident {incident.parent_id}, which is told instead.")
        if incident.merged_into is not None:
            found.append(f"It was merged into incident {incident.merged_into}.")
        if not self.targets:
            found.append("There are no targets: set notify.url, or add [targets.NAME].")
        elif not any(step.outcome == "taken" for step in self.steps):
            found.append("No route matches: it is stored, and nobody is told.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "incident": None if not self.incident.id else self.incident.id,
            "routes": [
                {"route": s.route.name, "outcome": s.outcome, "reason": s.reason}
                for s in self.steps
            ],
            "targets": [
                {"target": name, "route": route, "withheld": withheld} | self.times(route)
                for name, route, withheld in self.told()
            ],
            "mutes": [{"reason": m.reason, "until": iso(m.until)} for m in self.mutes],
            "remarks": self.remarks(),
        }

    def times(self, name: str) -> dict[str, str]:
        """Return how a route bundles and waits, by the names of the settings."""
        route = self.routing.route(name)
        escalation = "never"
        if route.escalate_after is not None:
            after = format_duration(route.escalate_after)
            escalation = f"after {after} to {', '.join(route.escalate_to)}"
        return {
            "group_by": ", ".join(route.group_by) or "all in one",
            "group_wait": format_duration(route.group_wait),
            "group_interval": format_duration(route.group_interval),
            "repeat_interval": _every(route.repeat_interval),
            "escalation": escalation,
        }

    def _withheld(self, target: Target) -> str | None:
        below = level_of(self.incident) < target.min_level
        return f"below {target.min_level.label}" if below else None


@reports_failures
def explain_routes(
    config: Path | None,
    database: str | None,
    number: int | None,
    *,
    severity: str,
    detectors: Sequence[str],
    services: Sequence[str],
    entity: str,
    entity_type: str,
    tags: Sequence[str],
    labels: Sequence[str],
    as_json: bool,
) -> int:
    """Print which routes an incident takes, which targets are told, and what mutes it now."""
    screen = terminal(stderr=True)
    settings, now = load_settings(config), utc_now()
    names = detector_names(settings, catalogue_of(settings))
    check_detectors(settings, names)
    for option, given, known in (
        ("severity", (severity,), [level.label for level in Level]),
        ("entity-type", (entity_type,), get_args(EntityType)),
        ("detector", detectors, names),
    ):
        for name in given:
            if name not in known:
                hint = suggestion(name, known)
                note(screen, f"vedette: --{option} {printable(name)}: there is none such; {hint}")
                return WRONG_USE
    incident: IncidentView | None
    if number is None:
        engine, name = kept_database(settings, database, configured=config is not None)
        incident = _described(
            severity, entity_type, entity, (detectors, services, tags, labels), now
        )
    else:
        engine, name = stored_incidents(settings, database, configured=config is not None)
        detail = get_incident(engine, number)
        incident = None if detail is None else detail.incident
    if incident is None:
        engine.dispose()
        note(screen, f"vedette: no incident {number} in {name}")
        return FAILED
    try:
        explanation = explain(settings, engine, incident, now)
    finally:
        engine.dispose()
    if as_json:
        sys.stdout.write(json.dumps(explanation.to_dict()) + "\n")
    else:
        _print(terminal(), explanation)
    return 0


def explain(
    settings: Settings, engine: Engine, incident: IncidentView, now: datetime
) -> Explanation:
    """Return who is told of an incident by these settings, and what mutes it at a moment.

    Raises SettingsError for an address that cannot be sent to.
    """
    routing = routing_of(settings)
    targets = {target.name: target for target in targets_of(settings)}
    problems = check_targets(list(targets.values()))
    with engine.connect() as connection:
        mutes = list(muting_of(settings).at(connection, now).mutes(incident))
    return Explanation(incident, routing.explain(incident), routing, targets, mutes, problems)


def _described(
    severity: str,
    entity_type: str,
    entity: str,
    lists: tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]],
    now: datetime,
) -> IncidentView:
    """Return an incident that is open and has what the options say."""
    detectors, services, tags, labels = map(tuple, lists)
    return replace(
        EXAMPLE,
        id=0,
        severity=severity,
        entity_type=entity_type,
        entity=entity,
        detectors=detectors,
        tags=tags,
        started_at=now,
        last_at=now,
        summary=f"An example: {entity_type} {entity}",
        stages=(),
        services=services,
        labels=labels,
    )


def _print(console: Console, explanation: Explanation) -> None:
    incident = explanation.incident
    number = f"Incident {incident.id}" if incident.id else "An example"
    parts = [number, incident.severity, f"{incident.entity_type} {incident.entity}"]
    for name, values in (
        ("detectors", incident.detectors),
        ("services", incident.services),
        ("tags", incident.tags),
        ("labels", incident.labels),
    ):
        if values:
            parts.append(f"{name} {' '.join(values)}")
    note(console, printable(", ".join(parts)), "")
    if explanation.steps:
        console.print(_routes(explanation.steps))
    told = explanation.told()
    if told:
        console.print(_targets(explanation))
    note(console, *map(printable, explanation.remarks()))
    for mute in explanation.mutes:
        note(console, f"Muted now: {printable(mute.reason)}, until {mute.until:%Y-%m-%d %H:%M} UTC")
    if not explanation.mutes:
        note(console, "No silence, maintenance window or inhibition mutes it now.")


def _routes(steps: Sequence[Step]) -> Table:
    table = Table(title="Routes, in their order", title_justify="left", header_style="bold")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("route", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("why", ratio=1, overflow="fold")
    words = {"taken": "takes it", "passed": "no", "not asked": "not asked"}
    for number, step in enumerate(steps, 1):
        table.add_row(
            str(number),
            Text(step.route.name),
            words[step.outcome],
            Text(printable(step.reason)),
            style=None if step.outcome == "taken" else "dim",
        )
    return table


def _targets(explanation: Explanation) -> Table:
    table = Table(
        title="Targets that are told", title_justify="left", header_style="bold", show_lines=True
    )
    table.add_column("target", overflow="fold")
    table.add_column("by route", overflow="fold")
    table.add_column("how", ratio=1, overflow="fold")
    for name, route, withheld in explanation.told():
        lines = [f"{key} {value}" for key, value in explanation.times(route).items()]
        if withheld is not None:
            lines.insert(0, f"nothing is sent: {withheld}")
        table.add_row(Text(name), Text(route), Text("\n".join(lines)))
    return table


def _every(interval: timedelta | None) -> str:
    return "never" if interval is None else format_duration(interval)
