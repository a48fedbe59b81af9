"""What detectors have learned about somebody deleted: from the checkpoint and from its copies.

A row of learned state that names somebody goes, and so do the rows of its family that have the
same key: what was learned of an entity lies under a hash of its name. For when no worker is there,
as it stores its own state again. What cannot be read stays, as nobody will read it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl
from sqlalchemy import Connection, delete, insert, select, update

from alerts.database.models import BaselineRow, CheckpointPartRow, CheckpointRow, table_of
from alerts.recovery.baselines import Baseline
from alerts.recovery.checkpoint import CheckpointError, stored_checkpoint
from alerts.routing.mentions import Mentions
from detectors.snapshot import Packer, Snapshot, SnapshotError, pack_frames, unpack_frames

_BASELINES: Final = table_of(BaselineRow)
_PARTS: Final = table_of(CheckpointPartRow)

_KEY: Final = "key"

_Parts = Mapping[str, pl.DataFrame]


def unlearn(connection: Connection, mentions: Mentions) -> int:
    """Delete what is learned of somebody within the caller's transaction; return how many rows."""
    return _from_copies(connection, mentions) + _from_checkpoint(connection, mentions)


def learned_rows(connection: Connection, mentions: Mentions) -> int:
    """Count what `unlearn` would delete, apart from rows that only have the same key."""
    states = [parts for _, parts in _copies(connection)]
    snapshot = _snapshot(connection)
    if snapshot is not None:
        states += snapshot.learned.values()
    return sum(len(_naming(frame, mentions)) for parts in states for frame in parts.values())


def _from_copies(connection: Connection, mentions: Mentions) -> int:
    gone = 0
    for baseline, parts in _copies(connection):
        left, rows = _without(parts, mentions)
        if rows:
            state = pack_frames(left)
            values = {"state": state, "sha256": hashlib.sha256(state).hexdigest()}
            own = _BASELINES.c.id == baseline.id
            connection.execute(update(BaselineRow).where(own).values(values))
            gone += rows
    return gone


def _copies(connection: Connection) -> list[tuple[Baseline, _Parts]]:
    found: list[tuple[Baseline, _Parts]] = []
    for row in connection.execute(select(_BASELINES)).mappings().all():
        baseline = Baseline(**row)
        try:
            found.append((baseline, unpack_frames(baseline.readable_state())))
        except SnapshotError:
            continue
    return found


def _from_checkpoint(connection: Connection, mentions: Mentions) -> int:
    snapshot = _snapshot(connection)
    if snapshot is None:
        return 0
    learned: dict[str, _Parts] = {}
    gone = 0
    for family, parts in snapshot.learned.items():
        learned[family], rows = _without(parts, mentions)
        gone += rows
    if not gone:
        return 0
    stored = stored_checkpoint(connection)
    assert stored is not None  # noqa: S101 - its snapshot was read from it
    packed = Packer().pack(replace(snapshot, learned=learned))
    there = set(connection.execute(select(_PARTS.c.key)).scalars())
    new = [{"key": key, "data": data} for key, data in packed.pieces.items() if key not in there]
    if new:
        connection.execute(insert(CheckpointPartRow), new)
    connection.execute(delete(_PARTS).where(_PARTS.c.key.not_in(packed.named)))
    changed = replace(stored, state=packed.manifest)
    values = {"state": changed.state, "sha256": changed.sha256}
    connection.execute(update(CheckpointRow).values(values))
    return gone


def _snapshot(connection: Connection) -> Snapshot | None:
    try:
        stored = stored_checkpoint(connection)
        return None if stored is None else Snapshot.unpack(stored.state, stored.parts)
    except (CheckpointError, SnapshotError):
        return None


def _without(parts: _Parts, mentions: Mentions) -> tuple[_Parts, int]:
    """Return a family's frames without what is about somebody, and how many rows went."""
    naming = {name: _naming(frame, mentions) for name, frame in parts.items()}
    keyed = [rows[_KEY] for rows in naming.values() if _KEY in rows.columns]
    keys = pl.concat(keyed) if keyed else pl.Series(_KEY, [], pl.UInt64)
    left: dict[str, pl.DataFrame] = {}
    gone = 0
    for name, frame in parts.items():
        kept = _not_naming(frame, mentions)
        if _KEY in kept.columns:
            kept = kept.filter(~pl.col(_KEY).is_in(keys.implode()))
        gone += frame.height - kept.height
        left[name] = kept if kept.height < frame.height else frame
    return left, gone


def _naming(frame: pl.DataFrame, mentions: Mentions) -> pl.DataFrame:
    return frame.filter(_named(frame, mentions))


def _not_naming(frame: pl.DataFrame, mentions: Mentions) -> pl.DataFrame:
    return frame.filter(~_named(frame, mentions))


def _named(frame: pl.DataFrame, mentions: Mentions) -> pl.Expr:
    """Mark the rows with a text that names somebody; each distinct text is looked at once."""
    marks = [pl.lit(value=False)]
    for column in frame.select(pl.col(pl.String)).iter_columns():
        texts = column.unique().drop_nulls().to_list()
        found = [text for text in texts if mentions.erased_from(text) != text]
        marks.append(pl.col(column.name).is_in(found).fill_null(value=False))
    return pl.any_horizontal(marks)
