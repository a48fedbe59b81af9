"""The rows of a page as one text, which the database writes: one answer instead of one a row.

For each row that it hands over, SQLite's driver lets other threads run and then waits for its turn:
beside a busy worker that would be most of what a list takes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Select, Text, cast, func, select

from alerts.database.models import IncidentRow, table_of
from alerts.incidents.views import IncidentView
from detectors.findings import Level

_INCIDENTS: Final = table_of(IncidentRow)
_NAMES: Final = tuple(IncidentView.__dataclass_fields__)
_TIMES: Final = ("started_at", "last_at")
_LISTS: Final = ("members", "detectors", "tags", "stages", "services", "labels")
_LABELS: Final = {int(level): level.label for level in Level}


def written_together(query: Select[Any], dialect: str) -> Select[Any]:
    """Return the query for one text with the views of all rows of incidents that a query gives."""
    rows = query.with_only_columns(_ROW[dialect].label("view")).subquery()
    if dialect == "postgresql":
        return select(cast(func.json_agg(rows.c.view), Text))
    return select(cast(func.json_group_array(func.json(rows.c.view)), Text))


def read_views(written: str | None) -> Iterator[IncidentView]:
    """Yield the incidents of such a text, in the order of the rows."""
    for values in from_json(written or "[]"):
        yield _view(dict(zip(_NAMES, values, strict=True)))


def _of_sqlite(name: str) -> ColumnElement[Any]:
    return func.json(_INCIDENTS.c[name]) if name in _LISTS else _INCIDENTS.c[name]


_ROW: Final[dict[str, ColumnElement[Any]]] = {
    "postgresql": func.json_build_array(*(_INCIDENTS.c[name] for name in _NAMES)),
    "sqlite": func.json_array(*map(_of_sqlite, _NAMES)),
}


def _view(row: dict[str, Any]) -> IncidentView:
    row["severity"] = _LABELS[row["severity"]]
    for name in _LISTS:
        row[name] = tuple(row[name])
    for name in _TIMES:
        time = datetime.fromisoformat(row[name])
        row[name] = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return IncidentView(**row)
