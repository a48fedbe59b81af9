"""What the database says of how the service fares: what waits to be told, what was not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alerts.quarantine.gaps import StoredGap, list_gaps
from alerts.sending.backlog import Backlog, backlogs, open_by_severity

#: Gaps recorded within this time are told.
RECENT: Final = timedelta(hours=24)

#: Gaps told one by one at most.
SHOWN: Final = 20

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StorageReport:
    """Whether the database answers; the outbox by target; gaps of late, the newest first.

    `open_incidents` are those that alert, by severity, if they were asked for.
    """

    answers: bool
    outbox: Mapping[str, Backlog] = field(default_factory=dict)
    gaps: Sequence[StoredGap] = ()
    open_incidents: Mapping[str, int] = field(default_factory=dict)


def storage_report(engine: Engine, now: datetime, *, open_incidents: bool = False) -> StorageReport:
    """Ask the database."""
    try:
        gaps = list_gaps(engine)
        recent = [gap for gap in gaps if gap.recorded_at > now - RECENT]
        unhandled = open_by_severity(engine) if open_incidents else {}
        return StorageReport(True, backlogs(engine), recent, unhandled)
    except SQLAlchemyError as error:
        _log.warning("database unavailable", error=type(error).__name__)
        return StorageReport(False)
