"""Findings as plain data, without evidence."""

from datetime import datetime, timedelta
from typing import Any, Final

from detectors.findings import Finding, Level

_MICROSECOND: Final = timedelta(microseconds=1)


def row_of(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON, without evidence and fingerprint."""
    return {
        "detector": finding.detector,
        "entity_type": finding.entity_type,
        "entity": finding.entity,
        "first": finding.first.isoformat(),
        "last": finding.last.isoformat(),
        "value": finding.value,
        "threshold": finding.threshold,
        "unit": finding.unit,
        "window": finding.window // _MICROSECOND,
        "level": int(finding.level),
        "mode": finding.mode,
        "tags": list(finding.tags),
        "members": sorted(finding.members),
        "reached": None if finding.reached is None else finding.reached.isoformat(),
        "note": finding.note,
    }


def finding_of(row: dict[str, Any]) -> Finding:
    """Return the finding of such a row; raises KeyError, TypeError or ValueError if it is none."""
    reached = row["reached"]
    return Finding(
        **row
        | {
            "first": datetime.fromisoformat(row["first"]),
            "last": datetime.fromisoformat(row["last"]),
            "window": row["window"] * _MICROSECOND,
            "level": Level(row["level"]),
            "tags": tuple(row["tags"]),
            "members": frozenset(row["members"]),
            "reached": None if reached is None else datetime.fromisoformat(reached),
        }
    )
