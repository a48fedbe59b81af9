"""/healthz and /readyz: for probes, without a key."""

from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.access import PresentedCaller
from api.problems import problem
from api.services import Services, WithServices
from api.storage import SHOWN, StorageReport, storage_report

router = APIRouter(tags=["status"])

_log = structlog.get_logger(__name__)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Say that the process answers: also while all threads wait for a database."""
    return {"status": "alive"}


@router.get("/readyz", response_model=None, responses={503: {"description": "Not ready"}})
def ready(
    request: Request, services: WithServices, caller: PresentedCaller
) -> Response | dict[str, Any]:
    """Say whether the database answers and the worker works, or stands by for another process.

    Details go only to who may read metrics.
    """
    database = _database_answers(services)
    report = services.health()
    details: dict[str, Any] = {}
    if caller is not None and caller.may("metrics"):
        details = {"database": database, **report.details}
        details |= {
            "problems": list(report.problems),
            "lag_records": dict(report.lag),
            "unread_bytes": dict(report.unread),
            "silent_sources": list(report.silent),
            **_stored(storage_report(services.engine, services.now()), services.now()),
        }
    if database and report.healthy:
        told = {"details": details} if details else {}
        return {"status": "ready", "role": report.role, **told}
    return problem(
        request,
        503,
        "not ready",
        {"Retry-After": "5"},
        role=report.role,
        **({"details": details} if details else {}),
    )


def _stored(report: StorageReport, now: datetime) -> dict[str, Any]:
    """Return what was not seen of late, and what waits to be told, as JSON."""
    return {
        "gaps": [f"{gap.partition}: {gap.blind}: {gap.reason}" for gap in report.gaps[:SHOWN]],
        "outbox": {
            name: {
                "waiting": backlog.waiting,
                "overdue_seconds": round(backlog.overdue(now).total_seconds()),
                "dead": backlog.dead,
            }
            for name, backlog in report.outbox.items()
        },
    }


def _database_answers(services: Services) -> bool:
    try:
        with services.engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as error:
        _log.warning("database unavailable", error=type(error).__name__)
        return False
    return True
