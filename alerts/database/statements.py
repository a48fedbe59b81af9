"""What statements over many rows share."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

#: Values that one statement names.
_CHUNK: Final = 500

T = TypeVar("T")


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into as many as one statement may name."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def insert_or_ignore(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], unique: Sequence[str]
) -> None:
    """Insert rows, except those whose unique columns are there already."""
    if not rows:
        return
    statement = inserting(connection, table)
    connection.execute(statement.on_conflict_do_nothing(index_elements=list(unique)), rows)


def inserting(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what to do about rows that are there already."""
    is_postgresql = connection.dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)
