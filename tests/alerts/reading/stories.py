"""Findings for tests of what is read: who did what when, in minutes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from alerts.storage.store import Store
from detectors.findings import Evidence, Finding, Level

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

LOOKING = ("attack.reconnaissance", "attack.t1595.003")
GUESSING = ("attack.credential-access", "attack.t1110.001")
PROBING = ("attack.initial-access", "attack.t1190")
ENTERING = ("attack.initial-access", "attack.t1078")


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def event(minutes: float, position: int | None = None, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "time": at(minutes),
        "partition": "log",
        "position": int(minutes * 600) if position is None else position,
        "text": "GET /x 404",
        "path": None,
        "status": 404,
    }
    return Evidence(**{**values, **changes})


def finding(
    first: float,
    last: float | None = None,
    entity: str = "203.0.113.7",
    detector: str = "recon",
    **changes: Any,
) -> Finding:
    values: dict[str, Any] = {
        "detector": detector,
        "entity_type": "client",
        "entity": entity,
        "first": at(first),
        "last": at(first + 1 if last is None else last),
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 2 * MINUTE,
        "level": Level.MEDIUM,
        "tags": LOOKING,
    }
    return Finding(**{**values, **changes})


def record(engine: Engine, *findings: Finding) -> None:
    Store(engine).record(findings, watermark=None)
