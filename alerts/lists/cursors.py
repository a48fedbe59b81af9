"""Where the next page of a list begins, as a word that only the query that gave it can read."""

import base64
import binascii
from datetime import datetime
from typing import Any, Final

from alerts.database.models import IncidentRow
from alerts.incidents.views import IncidentView
from alerts.lists.filters import IncidentFilter, Sort, sort_keys
from detectors.findings import Level
from ingest.times import microseconds, moment

#: Levels and numbers of incidents are below this.
_LIMIT: Final = 2**63


class CursorError(ValueError):
    """The cursor is not one that this query gave."""


def cursor_after(last: IncidentView, wanted: IncidentFilter) -> str:
    """Return the cursor of the page that begins after an incident."""
    values = place_of(last, wanted.sort)
    plain = ".".join([*map(str, values), wanted.digest()])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def place_of(view: IncidentView, sort: Sort) -> list[int]:
    """Return the values of the sort keys of an incident; times in microseconds."""
    last = [microseconds(view.last_at), view.id]
    if sort == "start":
        return [microseconds(view.started_at), view.id]
    return last if sort == "last" else [int(Level[view.severity.upper()]), *last]


def read_cursor(cursor: str, wanted: IncidentFilter) -> tuple[int | datetime, ...]:
    """Return the values of the sort keys after which the page begins; raises CursorError."""
    keys = sort_keys(wanted.sort)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        *numbers, digest = plain.split(".")
        values = [_value(key, int(number)) for key, number in zip(keys, numbers, strict=True)]
    except (binascii.Error, ValueError, OverflowError) as error:
        raise CursorError("the cursor cannot be read; begin again without one") from error
    if digest != wanted.digest():
        raise CursorError("the cursor belongs to other filters; begin again without one")
    return tuple(values)


def _value(key: Any, number: int) -> int | datetime:  # noqa: ANN401 - a column of any type
    if key.key in {IncidentRow.last_at.key, IncidentRow.started_at.key}:
        return moment(number)
    if not 0 <= number < _LIMIT:
        raise ValueError("no such number")
    return number
