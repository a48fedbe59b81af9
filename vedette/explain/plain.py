"""What is explained, as plain data for JSON."""

from collections.abc import Iterable
from typing import Any

from detectors.findings import Finding
from detectors.single import Judged
from ingest.times import iso, moment
from vedette.explain.entities import Explained, verdict
from vedette.explain.readings import LineRead


def line_as_json(read: LineRead, judged: Iterable[Judged]) -> dict[str, Any]:
    """Return what became of a line, and what each rule makes of it."""
    return {
        "event": bool(read.fields),
        "reason": read.reason or None,
        "format": None if read.format is None else read.format.name,
        "formats": [
            {"name": each.name, "fields": each.fields, "why": each.why or None}
            for each in ([read.format] if read.format else []) + list(read.others)
        ],
        "fields": {row.name: {"value": row.value, "from": row.origin} for row in read.fields},
        "missing": list(read.missing),
        "masks": list(read.masks),
        "rules": [
            {
                "rule": each.rule.name,
                "verdict": each.verdict,
                "matches": list(each.parts),
                "entity_type": each.rule.entity_type,
                "entity": each.entity,
                "why": each.why or None,
                "raised": each.raised,
            }
            for each in judged
        ],
    }


def entity_as_json(explained: Explained) -> dict[str, Any]:
    """Return it for JSON; times are ISO 8601 with Z."""
    return {
        "entity_type": explained.entity.kind,
        "entity": explained.entity.name,
        "at": iso(explained.time),
        "requests": explained.requests,
        "verdict": verdict(explained),
        "counters": [
            {
                "rule": each.rule.name,
                "over": each.over,
                "value": each.value,
                "limit": each.limit,
                "unit": each.rule.unit,
                "since": iso(moment(each.since)),
                "until": iso(moment(each.until)),
                "why": each.why or None,
                "notes": list(each.notes),
                "peak": each.peak,
                "peak_at": None if each.peak_at is None else iso(moment(each.peak_at)),
            }
            for each in explained.counters
        ],
        "not_counted": [
            {"rule": each.rule, "requests": each.requests, "why": each.why}
            for each in explained.left
        ],
        "learned": [each._asdict() for each in explained.expected],
        "findings": [_finding_as_json(each) for each in explained.findings],
        "member_of": [_finding_as_json(each) for each in explained.beside],
        "incidents": list(explained.told),
        "not_told": list(explained.unknown),
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {
        "detector": finding.detector,
        "entity_type": finding.entity_type,
        "entity": finding.entity,
        "level": finding.level.label,
        "mode": finding.mode,
        "first": iso(finding.first),
        "last": iso(finding.last),
        "value": finding.value,
        "threshold": finding.threshold,
        "note": finding.note or None,
    }
