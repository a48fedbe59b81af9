"""Plans into rows, many at a time; within the store's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, TimelineRow, table_of
from alerts.incidents.lifecycle import CALM_AFTER, Step, calm
from alerts.incidents.views import Transition, view_of
from alerts.storage.members import MemberChange, delete_findings, write_members
from alerts.storage.outbox import withdraw
from alerts.storage.plan import Plan
from alerts.storage.rows import (
    evidence_values,
    finding_values,
    incident_values,
    state_values,
    stored_content,
    stored_state,
)
from alerts.storage.terms import drop_terms, write_terms
from alerts.storage.tombstones import number_above_tombstones
from detectors.findings import Finding

#: Who acts when the program does.
PROGRAM: Final = "vedette"

#: Incidents that one transaction resolves for being calm: nobody else writes meanwhile.
CALM_LIMIT: Final = 2_000

_OPEN: Final = ("open", "acknowledged")


def apply_plans(connection: Connection, plans: Sequence[Plan]) -> list[tuple[int, Plan]]:
    """Write what changes; return the plans with the numbers of their incidents."""
    placed = [*_insert_new(connection, plans), *_update_grown(connection, plans)]
    changed = [(number, plan) for number, plan in placed if plan.changes_incident]
    write_terms(connection, (_looked_up(number, plan) for number, plan in changed))
    _write_findings(connection, placed)
    _write_evidence(connection, placed)
    _close_younger(connection, placed)
    write_timeline(
        connection, [(identity, step) for identity, plan in placed for step in plan.steps]
    )
    return placed


def transitions_of(placed: Iterable[tuple[int, Plan]]) -> list[Transition]:
    """Return the transitions of what was written, in order of time."""
    timed = [
        (step.at, Transition(identity, step.transition, view))
        for identity, plan in placed
        if plan.content.mode == "alert"
        for view in [view_of(identity, plan.content, plan.state, None, plan.parent_id)]
        for step in plan.steps
        if step.transition
    ]
    return [transition for _, transition in sorted(timed, key=lambda pair: pair[0])]


def calm_down(connection: Connection, watermark: datetime) -> tuple[list[Transition], bool]:
    """Resolve the incidents without anything new for CALM_AFTER before the watermark.

    Of many, those that have been calm for longest; whether others are left for the next call is
    returned, too. One that a person opened again, and where nothing new came since, stays as it
    is. So does one about a target of notifications: its times are not those of any log.
    """
    query = (
        select(table_of(IncidentRow))
        .where(
            IncidentRow.status.in_(_OPEN),
            IncidentRow.auto_resolved.is_(False),
            IncidentRow.last_at < watermark - CALM_AFTER,
            IncidentRow.entity_type != "target",
        )
        .order_by(IncidentRow.last_at, IncidentRow.id)
        .limit(CALM_LIMIT)
    )
    rows = connection.execute(query).mappings().all()
    changes: list[dict[str, Any]] = []
    steps: list[tuple[int, Step]] = []
    transitions: list[Transition] = []
    for row in rows:
        state, step = calm(stored_state(row), row["last_at"])
        changes.append({"row": row["id"], "version": row["version"] + 1, **state_values(state)})
        steps.append((row["id"], step))
        if row["mode"] == "alert" and step.transition:
            view = view_of(row["id"], stored_content(row), state, None, row["parent_id"])
            transitions.append(Transition(row["id"], step.transition, view))
    _update(connection, changes)
    write_timeline(connection, steps)
    return transitions, len(rows) == CALM_LIMIT


def _insert_new(connection: Connection, plans: Iterable[Plan]) -> list[tuple[int, Plan]]:
    new = sorted((plan for plan in plans if plan.elder is None), key=lambda p: p.content.started_at)
    if not new:
        return []
    statement = insert(IncidentRow).returning(IncidentRow.id, sort_by_parameter_order=True)
    values = [{"version": 1, **incident_values(plan.content, plan.state)} for plan in new]
    free = number_above_tombstones(connection)
    if free is not None:
        values = [{"id": free + place, **row} for place, row in enumerate(values)]
    ids = connection.execute(statement, values).scalars().all()
    return list(zip(ids, new, strict=True))


def _update_grown(connection: Connection, plans: Iterable[Plan]) -> list[tuple[int, Plan]]:
    grown = [(plan.elder, plan) for plan in plans if plan.elder is not None]
    _update(
        connection,
        [
            {
                "row": elder.id,
                "version": elder.version + 1,
                **incident_values(plan.content, plan.state),
            }
            for elder, plan in grown
            if plan.changes_incident
        ],
    )
    return [(elder.id, plan) for elder, plan in grown]


def _looked_up(identity: int, plan: Plan) -> dict[str, Any]:
    return {"id": identity, **incident_values(plan.content, plan.state)}


def _update(connection: Connection, changes: list[dict[str, Any]]) -> None:
    if changes:
        table = table_of(IncidentRow)
        connection.execute(update(table).where(table.c.id == bindparam("row")), changes)


def _write_findings(connection: Connection, placed: Iterable[tuple[int, Plan]]) -> None:
    added: list[tuple[int, Finding]] = []
    changed: list[dict[str, Any]] = []
    gone: list[int] = []
    members: list[MemberChange] = []
    for identity, plan in placed:
        for finding, rows in _rows_by_finding(plan):
            if not rows:
                added.append((identity, finding))
                continue
            (row, incident_id, before), *merged = rows
            gone += [other for other, _, _ in merged]
            if before != finding or incident_id != identity:
                changed.append({"row": row, **finding_values(finding, identity)})
                members.append(MemberChange(row, before.members, finding.members))
    delete_findings(connection, gone)
    table = table_of(FindingRow)
    if changed:
        connection.execute(update(table).where(table.c.id == bindparam("row")), changed)
    members += _insert_findings(connection, added)
    write_members(connection, members)


def _insert_findings(
    connection: Connection, added: Iterable[tuple[int, Finding]]
) -> list[MemberChange]:
    table = table_of(FindingRow)
    plain = [finding_values(f, identity) for identity, f in added if not f.members]
    if plain:
        connection.execute(insert(table), plain)
    counting = [(identity, finding) for identity, finding in added if finding.members]
    if not counting:
        return []
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    values = [finding_values(finding, identity) for identity, finding in counting]
    rows = connection.execute(statement, values).scalars().all()
    return [
        MemberChange(row, frozenset(), finding.members)
        for row, (_, finding) in zip(rows, counting, strict=True)
    ]


def _rows_by_finding(plan: Plan) -> list[tuple[Finding, list[tuple[int, int, Finding]]]]:
    """Pair each finding with the rows that it grew out of, the oldest row first."""
    stored = defaultdict(list)
    for row, incident_id, finding in plan.stored_findings():
        stored[finding.key].append((row, incident_id, finding))
    return [
        (
            finding,
            sorted(
                (
                    part
                    for part in stored[finding.key]
                    if finding.first <= part[2].first and part[2].last <= finding.last
                ),
                key=lambda part: part[0],
            ),
        )
        for finding in plan.findings
    ]


def _write_evidence(connection: Connection, placed: Iterable[tuple[int, Plan]]) -> None:
    rewritten = [
        (identity, plan) for identity, plan in placed if plan.changes_evidence or plan.younger
    ]
    stale = [
        {"incident": incident.id}
        for _, plan in rewritten
        for incident in (plan.elder, *plan.younger)
        if incident is not None and incident.evidence
    ]
    table = table_of(EvidenceRow)
    if stale:
        connection.execute(delete(table).where(table.c.incident_id == bindparam("incident")), stale)
    rows = [
        evidence_values(item, identity) for identity, plan in rewritten for item in plan.evidence
    ]
    if rows:
        connection.execute(insert(table), rows)


def _close_younger(connection: Connection, placed: Iterable[tuple[int, Plan]]) -> None:
    """Close what joined an elder incident; what waits to be told of it is not sent."""
    changes: list[dict[str, Any]] = []
    steps: list[tuple[int, Step]] = []
    for identity, plan in placed:
        for incident in plan.younger:
            changes.append(
                {
                    "row": incident.id,
                    "version": incident.version + 1,
                    "status": "closed",
                    "resolution": "duplicate",
                    "auto_resolved": False,
                    "merged_into": identity,
                    "parent_id": None,
                }
            )
            before = {"status": incident.state.status, "resolution": incident.state.resolution}
            step = Step(
                "merged", incident.content.started_at, None, {"into": identity, "before": before}
            )
            steps.append((incident.id, step))
    _update(connection, changes)
    drop_terms(connection, [change["row"] for change in changes])
    withdraw(connection, [change["row"] for change in changes])
    write_timeline(connection, steps)


def write_timeline(connection: Connection, steps: Iterable[tuple[int, Step]]) -> None:
    """Add what happened to incidents."""
    rows = [
        {
            "incident_id": identity,
            "at": step.at,
            "actor": PROGRAM,
            "action": step.action,
            "detail": step.detail,
        }
        for identity, step in steps
    ]
    if rows:
        connection.execute(insert(TimelineRow), rows)
