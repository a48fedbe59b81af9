"""Where the worker was in the last day: from there it reads again when its state is lost."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select

from alerts.database.models import CheckpointMarkRow, table_of
from ingest.times import iso

#: Event time from one mark to the next, and how far back they go: beyond the longest window.
EVERY: Final = timedelta(minutes=5)
REACH: Final = timedelta(hours=25)

#: Marks kept, however event time jumps.
KEPT: Final = 400

_MARKS: Final = table_of(CheckpointMarkRow)


@dataclass(frozen=True, slots=True)
class Mark:
    """Positions, plain JSON, when the watermark was this; None: at the very beginning."""

    watermark: datetime | None
    positions: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Checksum over both."""
        plain = [self.watermark and iso(self.watermark), self.positions]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def save_mark(connection: Connection, mark: Mark) -> None:
    """Keep a mark if the last one is old enough, and delete what nobody goes back to.

    The newest one beyond REACH stays, so that there is always one to go back to.
    """
    newest = connection.execute(
        select(_MARKS.c.id, _MARKS.c.watermark).order_by(_MARKS.c.id.desc()).limit(1)
    ).one_or_none()
    if newest is not None:
        if mark.watermark is None:
            return
        if newest.watermark is not None and mark.watermark < newest.watermark + EVERY:
            return
    connection.execute(
        insert(_MARKS).values(
            watermark=mark.watermark, positions=mark.positions, sha256=mark.sha256
        )
    )
    if mark.watermark is None:
        return
    beyond = select(func.max(_MARKS.c.id)).where(_MARKS.c.watermark <= mark.watermark - REACH)
    oldest = connection.execute(beyond).scalar() or 0
    surplus = select(_MARKS.c.id).order_by(_MARKS.c.id.desc()).limit(1).offset(KEPT)
    oldest = max(oldest, connection.execute(surplus).scalar() or 0)
    connection.execute(delete(_MARKS).where(_MARKS.c.id < oldest))


def stored_marks(engine: Engine) -> list[Mark]:
    """Return the marks that are what was written, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(_MARKS).order_by(_MARKS.c.id)).all()
    marks = [(Mark(row.watermark, row.positions), row.sha256) for row in rows]
    return [mark for mark, sha256 in marks if mark.sha256 == sha256]
