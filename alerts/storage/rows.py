"""Rows to findings, evidence and contents, and back."""

from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

from alerts.incidents.content import Content
from alerts.incidents.lifecycle import State
from alerts.incidents.views import IncidentView, view_of
from detectors.curves import NO_CURVE, Curve, Point
from detectors.findings import Evidence, Finding, Level

_MICROSECOND = timedelta(microseconds=1)


def finding_values(finding: Finding, incident_id: int) -> dict[str, Any]:
    """Return the columns of a row of `findings`."""
    return {
        "incident_id": incident_id,
        "detector": finding.detector,
        "entity_type": finding.entity_type,
        "entity": finding.entity,
        "first": finding.first,
        "last": finding.last,
        "value": finding.value,
        "threshold": finding.threshold,
        "unit": finding.unit,
        "window_us": finding.window // _MICROSECOND,
        "level": int(finding.level),
        "mode": finding.mode,
        "tags": list(finding.tags),
        "fingerprint": finding.fingerprint,
        "member_count": len(finding.members),
        "note": finding.note,
        "curve": {"step": finding.curve.step, "points": [*map(list, finding.curve.points)]},
    }


def stored_finding(row: RowMapping) -> Finding:
    """Return the finding of a row, without evidence (the incident keeps that) and members."""
    return Finding(
        detector=row["detector"],
        entity_type=row["entity_type"],
        entity=row["entity"],
        first=row["first"],
        last=row["last"],
        value=row["value"],
        threshold=row["threshold"],
        unit=row["unit"],
        window=timedelta(microseconds=row["window_us"]),
        level=Level(row["level"]),
        mode=row["mode"],
        tags=tuple(row["tags"]),
        fingerprint=row["fingerprint"],
        note=row["note"],
        curve=_curve(row["curve"]),
    )


def _curve(stored: Any) -> Curve:  # noqa: ANN401 - what JSON may hold
    """Return what a finding counted over time; nothing for one that was stored without."""
    if not isinstance(stored, dict) or "points" not in stored:
        return NO_CURVE
    return Curve(tuple(Point(*each) for each in stored["points"]), stored["step"])


def evidence_values(evidence: Evidence, incident_id: int) -> dict[str, Any]:
    """Return the columns of a row of `evidence`."""
    return {
        "incident_id": incident_id,
        "time": evidence.time,
        "partition": evidence.partition,
        "position": evidence.position,
        "text": evidence.text,
        "path": evidence.path,
        "status": evidence.status,
        "service": evidence.service,
        "country": evidence.country,
        "asn": evidence.asn,
    }


def stored_evidence(row: RowMapping) -> Evidence:
    """Return the evidence of a row."""
    return Evidence(
        time=row["time"],
        partition=row["partition"],
        position=row["position"],
        text=row["text"],
        path=row["path"],
        status=row["status"],
        service=row["service"],
        country=row["country"],
        asn=row["asn"],
    )


def incident_values(content: Content, state: State) -> dict[str, Any]:
    """Return the columns of a row of `incidents` that findings and calm decide."""
    return {
        "severity": int(content.severity),
        "mode": content.mode,
        "entity_type": content.entity_type,
        "entity": content.entity,
        "members": list(content.members),
        "member_count": content.member_count,
        "detectors": list(content.detectors),
        "tags": list(content.tags),
        "stages": list(content.stages),
        "services": list(content.services),
        "started_at": content.started_at,
        "last_at": content.last_at,
        "summary": content.summary,
        **state_values(state),
    }


def state_values(state: State) -> dict[str, Any]:
    """Return the columns of a row of `incidents` that say where it stands."""
    return {
        "status": state.status,
        "resolution": state.resolution,
        "auto_resolved": state.auto_resolved,
        "acknowledged_at": state.acknowledged_at,
        "calms": state.calms,
        "assignee": state.assignee,
        "assigned_at": state.assigned_at,
        "labels": list(state.labels),
        "decided_at": state.decided_at,
        "decided_severity": None if state.decided_severity is None else int(state.decided_severity),
    }


def stored_content(row: RowMapping) -> Content:
    """Return what a row of `incidents` says."""
    return Content(
        entity_type=row["entity_type"],
        entity=row["entity"],
        severity=Level(row["severity"]),
        mode=row["mode"],
        members=tuple(row["members"]),
        member_count=row["member_count"],
        detectors=tuple(row["detectors"]),
        tags=tuple(row["tags"]),
        stages=tuple(row["stages"]),
        services=tuple(row["services"]),
        started_at=row["started_at"],
        last_at=row["last_at"],
        summary=row["summary"],
    )


def stored_state(row: RowMapping) -> State:
    """Return where a row of `incidents` stands."""
    return State(
        status=row["status"],
        resolution=row["resolution"],
        auto_resolved=row["auto_resolved"],
        acknowledged_at=row["acknowledged_at"],
        calms=row["calms"],
        assignee=row["assignee"],
        assigned_at=row["assigned_at"],
        labels=tuple(row["labels"]),
        decided_at=row["decided_at"],
        decided_severity=None if (decided := row["decided_severity"]) is None else Level(decided),
    )


def stored_view(row: RowMapping) -> IncidentView:
    """Return a row of `incidents` as everybody shows it."""
    content, state = stored_content(row), stored_state(row)
    return view_of(row["id"], content, state, row["merged_into"], row["parent_id"])
