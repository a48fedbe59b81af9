"""Copies of what detectors have learned: several generations of each family's state."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, Engine, delete, func, insert, select

from alerts.database.models import BaselineRow, table_of
from detectors.snapshot import SnapshotError

#: Who made a copy: the service, day by day, or `vedette learn`.
Origin = Literal["service", "learn"]

#: Copies of one family and origin that are kept, the newest.
KEPT: Final = 7

_BASELINES: Final = table_of(BaselineRow)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One family's state as of a watermark, None before the first; greater ids are newer."""

    id: int
    family: str
    origin: Origin
    watermark: datetime | None
    created_at: datetime
    state: bytes
    sha256: str

    def readable_state(self) -> bytes:
        """Return the state; raises SnapshotError if it is not what was written."""
        if hashlib.sha256(self.state).hexdigest() != self.sha256:
            raise SnapshotError("it fails its checksum")
        return self.state


def save_baselines(
    connection: Connection,
    states: Mapping[str, bytes],
    origin: Origin,
    watermark: datetime | None,
    now: datetime,
) -> None:
    """Add a copy of each family's state, and delete those that are more than are kept."""
    for family, state in states.items():
        values = {
            "family": family,
            "origin": origin,
            "watermark": watermark,
            "created_at": now,
            "state": state,
            "sha256": hashlib.sha256(state).hexdigest(),
        }
        connection.execute(insert(_BASELINES).values(values))
        mine = _BASELINES.c.family == family, _BASELINES.c.origin == origin
        newest = select(_BASELINES.c.id).where(*mine).order_by(_BASELINES.c.id.desc()).limit(KEPT)
        kept = connection.execute(newest).scalars().all()
        connection.execute(delete(_BASELINES).where(*mine, _BASELINES.c.id < min(kept)))


def stored_baselines(engine: Engine, family: str) -> Iterator[Baseline]:
    """Yield the copies of a family's state, the newest first."""
    query = select(_BASELINES).where(_BASELINES.c.family == family)
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(_BASELINES.c.id.desc())).mappings():
            yield Baseline(**row)


def newest_baseline(engine: Engine) -> int:
    """Return the number of the newest copy of any family, 0 if there is none."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(_BASELINES.c.id))).scalar_one() or 0
