"""An incident as an OCSF Detection Finding (class 2004), https://schema.ocsf.io."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from alerts.exports.attack import attacks, kill_chain
from alerts.incidents.views import json_ready
from alerts.lists.details import IncidentDetail
from detectors.findings import Evidence, Level
from ingest.times import microseconds

#: The version of OCSF that is written; later ones only add to it.
OCSF_VERSION: Final = "1.5.0"

CLASS_UID: Final = 2004

#: Clients of an attack by many that are named as observables.
OBSERVABLES: Final = 100

#: (id, caption) of our words.
_ACTIVITIES: Final = {
    "open": (1, "Create"),
    "acknowledged": (2, "Update"),
    "resolved": (3, "Close"),
    "closed": (3, "Close"),
}
_NEW, _IN_PROGRESS = (1, "New"), (2, "In Progress")
_SUPPRESSED, _RESOLVED = (3, "Suppressed"), (4, "Resolved")
_VERDICTS: Final = {
    "false_positive": (1, "False Positive"),
    "true_positive": (2, "True Positive"),
    "mitigated": (2, "True Positive"),
    "benign": (5, "Benign"),
    "duplicate": (10, "Duplicate"),
}
_IP_ADDRESS: Final = (2, "IP Address")
_OTHER: Final = (99, "Other")
_OBSERVABLES: Final = {
    "network": (12, "Subnet"),
    "user": (4, "User Name"),
    "api_key": (19, "User Credential ID"),
}


def detection_finding(detail: IncidentDetail, product_version: str | None = None) -> dict[str, Any]:
    """Return an incident as a Detection Finding with the profile `incident`.

    What OCSF has no place for is under `unmapped`, in our own words. Times are milliseconds.
    """
    incident = detail.incident
    activity, activity_name = _ACTIVITIES[incident.status]
    status_id, status = _status(incident.status, incident.resolution)
    severity = Level[incident.severity.upper()]
    return _filled(
        activity_id=activity,
        activity_name=activity_name,
        category_uid=2,
        category_name="Findings",
        class_uid=CLASS_UID,
        class_name="Detection Finding",
        type_uid=CLASS_UID * 100 + activity,
        type_name=f"Detection Finding: {activity_name}",
        severity_id=int(severity),
        severity=severity.label.capitalize(),
        status_id=status_id,
        status=status,
        status_detail=incident.resolution,
        **_verdict(incident.resolution),
        is_alert=incident.mode == "alert",
        message=incident.summary,
        time=_millis(incident.last_at),
        start_time=_millis(incident.started_at),
        end_time=_millis(incident.last_at),
        metadata=_metadata(detail, product_version),
        finding_info=_finding_info(detail),
        evidences=[_evidence(detail, item) for item in detail.evidence],
        observables=_observables(detail),
        resources=[{"name": name, "type": "service"} for name in incident.services],
        remediation=_remediation(detail),
        assignee=incident.assignee and {"name": incident.assignee},
        comment=detail.comments[-1].text if detail.comments else None,
        unmapped=_unmapped(detail),
    )


def _status(status: str, resolution: str | None) -> tuple[int, str]:
    if status in {"open", "acknowledged"}:
        return _NEW if status == "open" else _IN_PROGRESS
    return _SUPPRESSED if resolution in {"false_positive", "benign", "duplicate"} else _RESOLVED


def _verdict(resolution: str | None) -> dict[str, Any]:
    if resolution is None:
        return {}
    number, caption = _VERDICTS[resolution]
    return {"verdict_id": number, "verdict": caption}


def _metadata(detail: IncidentDetail, product_version: str | None) -> dict[str, Any]:
    return _filled(
        version=OCSF_VERSION,
        profiles=["incident"],
        uid=f"{detail.incident.id}-{detail.version}",
        labels=list(detail.incident.labels),
        product=_filled(name="Vedette", vendor_name="Vedette", version=product_version),
    )


def _finding_info(detail: IncidentDetail) -> dict[str, Any]:
    incident = detail.incident
    analytics = [
        {"name": name, "uid": name, "type_id": 1, "type": "Rule"} for name in incident.detectors
    ]
    return _filled(
        uid=str(incident.id),
        title=f"{incident.entity_type} {incident.entity}: {', '.join(incident.detectors)}",
        desc=" ".join(chapter.sentence for chapter in detail.story) or incident.summary,
        analytic=analytics[0] if analytics else None,
        related_analytics=analytics[1:],
        attacks=attacks(incident.tags),
        kill_chain=kill_chain(incident.stages),
        data_sources=sorted({item.partition for item in detail.evidence}),
        types=[incident.entity_type],
        created_time=_millis(incident.started_at),
        first_seen_time=_millis(incident.started_at),
        last_seen_time=_millis(incident.last_at),
        related_events=[{"uid": str(other.id), "desc": other.reason} for other in detail.related],
    )


def _evidence(detail: IncidentDetail, item: Evidence) -> dict[str, Any]:
    incident = detail.incident
    ip = incident.entity if incident.entity_type == "client" and _is_ip(incident.entity) else None
    endpoint = _filled(
        ip=ip,
        location=item.country and {"country": item.country},
        autonomous_system=item.asn and {"number": item.asn},
    )
    return _filled(
        data=json_ready(
            {"time": item.time, "log": item.partition, "position": item.position, "text": item.text}
        ),
        src_endpoint=endpoint if ip else None,
        url=item.path and {"path": item.path},
        http_response=None if item.status is None else {"code": item.status},
    )


def _observables(detail: IncidentDetail) -> list[dict[str, Any]]:
    incident = detail.incident
    found = [_observable("unmapped.entity", incident.entity_type, incident.entity)]
    if incident.entity_type != "client":
        clients = incident.members[:OBSERVABLES]
        found += [_observable("unmapped.members", "client", client) for client in clients]
    return found


def _observable(name: str, entity_type: str, value: str) -> dict[str, Any]:
    number, caption = _OBSERVABLES.get(entity_type, _OTHER)
    if entity_type == "client" and _is_ip(value):
        number, caption = _IP_ADDRESS
    return {"name": name, "type_id": number, "type": caption, "value": value}


def _remediation(detail: IncidentDetail) -> dict[str, Any]:
    runbooks = [f"docs/runbooks/{name}.md" for name in detail.incident.detectors]
    return {"desc": "What it means, how to check it and what to do.", "references": runbooks}


def _unmapped(detail: IncidentDetail) -> dict[str, Any]:
    incident = detail.incident.to_dict()
    names = ("entity_type", "entity", "members", "member_count", "stages", "tags", "labels")
    more = ("resolution", "parent_id", "merged_into", "mode")
    everything = detail.to_dict()
    return {name: incident[name] for name in (*names, *more)} | {
        name: everything[name] for name in ("version", "findings", "geo")
    }


def _filled(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain data of any shape
    """Return the fields that say something: OCSF has no nulls."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _millis(time: datetime) -> int:
    return microseconds(time) // 1000
