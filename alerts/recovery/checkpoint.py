"""Where the worker was: input positions, watermark, detector state. One row, checksummed.

The row holds the state's manifest; the state itself lies in parts (`alerts.recovery.parts`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, update

from alerts.database.models import CheckpointRow, table_of
from alerts.recovery.parts import load_parts
from ingest.times import iso

_ONLY: Final = 1


class CheckpointError(Exception):
    """The stored checkpoint is not what was written; detector state must be rebuilt."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a restart needs. `version` is that of the state's format, `positions` plain JSON.

    `state` is the manifest of detector state, or all of it in old versions. Of its parts, `named`
    are those that it names; `parts` are, to be stored: the ones that may not be there yet; from
    the store: all there are. `size` is that of all that are named, in bytes.
    """

    version: int
    fingerprint: str
    watermark: datetime | None
    positions: dict[str, Any] = field(default_factory=dict)
    state: bytes = b""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    size: int = 0

    @property
    def sha256(self) -> str:
        """Checksum over every field but the parts, which are named by theirs."""
        plain = json.dumps(
            [self.version, self.fingerprint, self.watermark and iso(self.watermark)],
        )
        positions = json.dumps(self.positions, sort_keys=True)
        digest = hashlib.sha256()
        for part in (plain.encode(), positions.encode(), self.state):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()


def save_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Replace the stored checkpoint, within the caller's transaction."""
    values = {
        "version": checkpoint.version,
        "fingerprint": checkpoint.fingerprint,
        "watermark": checkpoint.watermark,
        "positions": checkpoint.positions,
        "state": checkpoint.state,
        "sha256": checkpoint.sha256,
    }
    changed = connection.execute(
        update(CheckpointRow).where(CheckpointRow.id == _ONLY).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(CheckpointRow).values(id=_ONLY, **values))


def rewrite_positions(
    connection: Connection, rewritten: Callable[[dict[str, Any]], dict[str, Any]]
) -> bool:
    """Change positions within the caller's transaction; return whether that changed anything.

    For when no worker is there, as it stores its own again. What is damaged stays as it is.
    """
    row = connection.execute(select(table_of(CheckpointRow))).one_or_none()
    if row is None:
        return False
    stored = Checkpoint(row.version, row.fingerprint, row.watermark, row.positions, row.state)
    changed = replace(stored, positions=rewritten(stored.positions))
    if stored.sha256 != row.sha256 or changed == stored:
        return False
    values = {"positions": changed.positions, "sha256": changed.sha256}
    connection.execute(update(CheckpointRow).where(CheckpointRow.id == _ONLY).values(values))
    return True


def has_checkpoint(engine: Engine) -> bool:
    """Return whether a worker has left where it was, readable or not."""
    with engine.connect() as connection:
        return connection.execute(select(CheckpointRow.id)).first() is not None


def stored_checkpoint(connection: Connection) -> Checkpoint | None:
    """Return the stored checkpoint, None if there is none; raises CheckpointError."""
    row = connection.execute(select(table_of(CheckpointRow))).one_or_none()
    if row is None:
        return None
    checkpoint = Checkpoint(row.version, row.fingerprint, row.watermark, row.positions, row.state)
    checkpoint = replace(checkpoint, parts=load_parts(connection))
    if checkpoint.sha256 != row.sha256:
        raise CheckpointError(
            "the stored checkpoint fails its checksum; positions and detector state in it"
            " cannot be trusted, go back the longest window and read again"
        )
    return checkpoint
