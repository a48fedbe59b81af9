"""Incidents as CSV (RFC 4180), in which a spreadsheet finds no formula.

A spreadsheet takes a cell for a formula that begins with one of = + - @ (also as full-width
forms) or with a tab or line end before these. If it was told another separator, or splits what is
pasted, what follows a separator or a quote begins a cell, too. Before each such character stands
an apostrophe here, which spreadsheets take for "this is text", and every cell is quoted.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from alerts.incidents.views import IncidentView
from alerts.lists.details import Geo
from ingest.masking import printable

#: Columns, in their order. Of several values in one cell the separator is a blank.
COLUMNS: Final = (
    "id",
    "severity",
    "status",
    "resolution",
    "assignee",
    "labels",
    "entity_type",
    "entity",
    "member_count",
    "started_at",
    "last_at",
    "stages",
    "services",
    "detectors",
    "tags",
    "countries",
    "asns",
    "parent_id",
    "merged_into",
    "summary",
)

LINE_END: Final = "\r\n"

#: What begins a formula: at the beginning of a cell, after a separator, or after a quote. Blanks
#: between the two do not help; the lookahead leaves them in place.
_FORMULA: Final = re.compile(
    r"(^|[,;:|\t\r\n\"'`\u201c\u201d\u201e\u2018\u2019\uff0c\uff1b\uff02\uff07])"
    r"(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b])"
)


def header() -> str:
    """Return the first line."""
    return _line(COLUMNS)


def row(incident: IncidentView, geo: Geo) -> str:
    """Return an incident as one line."""
    values = incident.to_dict()
    values["countries"] = [name for name, _ in geo.countries]
    values["asns"] = [number for number, _ in geo.asns]
    return _line(values[column] for column in COLUMNS)


def cell(value: Any) -> str:  # noqa: ANN401 - plain data of any shape
    """Return one quoted cell: text that stays text, whatever it holds; None is empty."""
    if value is None:
        return '""'
    values = value if isinstance(value, list) else [value]
    text = " ".join(_FORMULA.sub(r"\1'", printable(str(each))) for each in values)
    return '"' + text.replace('"', '""') + '"'


def _line(values: Iterable[Any]) -> str:
    return ",".join(map(cell, values)) + LINE_END
