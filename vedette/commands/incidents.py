"""vedette incidents: list and show what is stored."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.incidents import MEMBER_LIMIT, MEMBERS_SHOWN
from alerts.queries import PAGE_LIMIT, IncidentDetail, IncidentFilter, get_incident, list_incidents
from alerts.views import IncidentView
from detectors.findings import Level
from ingest.masking import printable
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.screen import incident_table, note, options, severity, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents

#: Clients that the terminal names of an attack by many.
MEMBERS_PRINTED = 12

STATUSES = ("open", "acknowledged", "resolved", "closed")


@reports_failures
def list_stored(
    config: Path | None,
    database: str | None,
    *,
    status: str | None,
    severity: str | None,
    entity: str | None,
    parent: int | None,
    include_members: bool,
    limit: int,
    as_json: bool,
) -> int:
    """Print stored incidents, the last active first."""
    screen = terminal(stderr=True)
    if status is not None and status not in STATUSES:
        note(screen, f"vedette: --status {status}: must be one of {', '.join(STATUSES)}")
        return WRONG_USE
    if severity is not None and severity.upper() not in Level.__members__:
        known = ", ".join(level.label for level in Level)
        note(screen, f"vedette: --severity {severity}: must be one of {known}")
        return WRONG_USE
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    wanted = IncidentFilter(
        statuses=(status,) if status else (),
        severity_min=Level[severity.upper()] if severity else None,
        entity=entity,
        parent=parent,
        include_members=include_members,
    )
    found: list[IncidentView] = []
    cursor: str | None = None
    while len(found) < limit:
        page = list_incidents(engine, wanted, cursor, min(PAGE_LIMIT, limit - len(found)))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    nobody = parent is not None and not found and get_incident(engine, parent) is None
    engine.dispose()
    if nobody:
        note(screen, f"vedette: no incident {parent} in {name}")
        return FAILED
    if as_json:
        for incident in found:
            sys.stdout.write(json.dumps(incident.to_dict()) + "\n")
        return 0
    console = terminal()
    if found:
        console.print(incident_table(found, f"Incidents in {name}, the last active first"))
        if cursor is not None:
            note(console, f"More than {limit} match; --limit shows more.")
    else:
        note(console, f"No incidents in {name} match.")
    return 0


@reports_failures
def show_stored(identity: int, config: Path | None, database: str | None, *, as_json: bool) -> int:
    """Print one incident with findings, evidence and timeline."""
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    detail = get_incident(engine, identity)
    parts = list_incidents(engine, IncidentFilter(parent=identity), None, 1).items
    engine.dispose()
    if detail is None:
        note(terminal(stderr=True), f"vedette: no incident {identity} in {name}")
        return FAILED
    if as_json:
        sys.stdout.write(json.dumps(detail.to_dict()) + "\n")
    else:
        place = options(config=config, database=database)
        listed = f"vedette incidents --parent {identity}{place}" if parts else None
        _print(terminal(), detail, listed)
    return 0


def _relations(detail: IncidentDetail, listed: str | None) -> list[str]:
    """Say who takes part, what lists their own incidents, and what the incident is part of."""
    incident = detail.incident
    lines: list[str] = []
    if incident.parent_id is not None:
        lines.append(f"Part of incident {incident.parent_id}: its findings are of the same kind.")
    if incident.merged_into is not None:
        lines.append(f"Merged into incident {incident.merged_into}.")
    if incident.entity_type != "client" and incident.member_count:
        shown = [printable(member) for member in incident.members[:MEMBERS_PRINTED]]
        rest = incident.member_count - len(shown)
        more = "" if not rest else f" and {rest:,} more (--json names up to {MEMBERS_SHOWN:,})"
        beyond = " or more" if incident.member_count >= MEMBER_LIMIT else ""
        lines.append(f"Clients, {incident.member_count:,}{beyond}: {', '.join(shown)}{more}")
    if listed is not None:
        lines.append(f"Their own incidents: {listed}")
    return lines


def _print(console: Console, detail: IncidentDetail, listed: str | None) -> None:
    incident = detail.incident
    console.print(
        Text.assemble(
            (f"Incident {incident.id}  ", "bold"),
            severity(incident.severity),
            f"  {incident.status}",
            f" ({incident.resolution})" if incident.resolution else "",
        )
    )
    note(console, printable(incident.summary), *_relations(detail, listed), "")
    findings = Table("detector", "value", "limit", "first (UTC)", "last (UTC)", title="Findings")
    for finding in detail.findings:
        findings.add_row(
            finding.detector,
            f"{finding.value:,}",
            f"{finding.threshold:,}",
            f"{finding.first:%Y-%m-%d %H:%M:%S}",
            f"{finding.last:%H:%M:%S}",
        )
    console.print(findings)
    evidence = Table("time (UTC)", "where", "request (masked)", title="Evidence")
    for row in detail.evidence:
        place = f"{Path(row.partition).name}:{row.position}"
        evidence.add_row(
            f"{row.time:%H:%M:%S.%f}"[:-3], Text(printable(place)), Text(printable(row.text))
        )
    console.print(evidence)
    timeline = Table("at (UTC)", "who", "what", title="Timeline")
    for entry in detail.timeline:
        timeline.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.action)
    console.print(timeline)
    note(console, "What to do: " + ", ".join(f"docs/runbooks/{d}.md" for d in incident.detectors))
