"""Detector state in the database: pieces that are written once, each in a short transaction.

A piece counts only if the checkpoint's manifest names it. So pieces are written before the
transaction that stores the manifest, and deleted when neither the stored manifest nor the one to
come names them; a crash in between leaves pieces that nobody asks for, until the next checkpoint.
No transaction of these holds up other writers for long, however large the state is.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from alerts.database.models import CheckpointPartRow, CheckpointRow, table_of
from detectors.snapshot import SnapshotError, named

#: Bytes that one transaction writes, and pieces that one deletes.
_BYTES: Final = 2 << 20
_PIECES: Final = 16

_PARTS: Final = table_of(CheckpointPartRow)


class CheckpointParts:
    """The pieces that a database holds; `engine` is one for writing, used by one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stored: set[str] | None = None
        self._named: frozenset[str] = frozenset()

    def prepare(self, pieces: Mapping[str, bytes], wanted: frozenset[str]) -> None:
        """Have all pieces in the database that a manifest to come names (`wanted`).

        Raises SQLAlchemyError; it can be called again then.
        """
        stored = self._known()
        self._named |= wanted
        try:
            for some in _chunks(stored - self._named):
                with self._engine.begin() as connection:
                    connection.execute(delete(_PARTS).where(_PARTS.c.key.in_(some)))
                stored.difference_update(some)
            missing = {key: data for key, data in pieces.items() if key not in stored}
            for some in _portions(missing):
                rows = [{"key": key, "data": missing[key]} for key in some]
                with self._engine.begin() as connection:
                    connection.execute(insert(_PARTS), rows)
                stored.update(some)
        except SQLAlchemyError:
            self._stored = None  # whether the last one was committed is not known
            raise

    def settled(self, wanted: frozenset[str]) -> None:
        """Take note that the manifest that names `wanted` is stored: no other counts."""
        self._named = wanted

    def _known(self) -> set[str]:
        if self._stored is None:
            with self._engine.connect() as connection:
                whole = {key: _is_whole(key, data) for key, data in _every(connection)}
                self._named |= _named_now(connection)
            damaged = {key for key, is_whole in whole.items() if not is_whole}
            for some in _chunks(damaged):  # else they would stay for as long as they are named
                with self._engine.begin() as connection:
                    connection.execute(delete(_PARTS).where(_PARTS.c.key.in_(some)))
            self._stored = whole.keys() - damaged
        return self._stored


def load_parts(connection: Connection) -> dict[str, bytes]:
    """Return all pieces by their key, as they are: whether they are whole is for the reader."""
    return dict(_every(connection))


def _every(connection: Connection) -> Iterator[tuple[str, bytes]]:
    query = select(_PARTS).execution_options(yield_per=_PIECES)
    with connection.execute(query) as rows:
        for row in rows:
            yield row.key, row.data


def _is_whole(key: str, data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == key


def _named_now(connection: Connection) -> frozenset[str]:
    manifest = connection.execute(select(CheckpointRow.state)).scalar_one_or_none()
    try:
        return named(manifest) if manifest is not None else frozenset()
    except SnapshotError:  # damaged: nothing can be restored from it
        return frozenset()


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _PIECES):
        yield ordered[start : start + _PIECES]


def _portions(pieces: Mapping[str, bytes]) -> Iterator[list[str]]:
    """Yield keys of pieces that are together as large as one transaction may be."""
    portion: list[str] = []
    size = 0
    for key, data in pieces.items():
        if portion and size + len(data) > _BYTES:
            yield portion
            portion, size = [], 0
        portion.append(key)
        size += len(data)
    if portion:
        yield portion
