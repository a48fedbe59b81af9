"""What lists look incidents up by: a row for each detector, service, tag, stage, label and word.

They follow from the incident's own row, which has them as lists, and are written in the same
transaction. With them stands when the incident was active last, and how severe it is, so that a
list by any of them is read in its order and ends with the page. What was merged into another
incident has none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, FromClause, bindparam, delete, insert, select

from alerts.database.models import IncidentRow, TermRow, table_of
from alerts.database.safety import bounded
from alerts.database.statements import chunks
from ingest.masking import printable

Kind = Literal["detector", "service", "tag", "stage", "label", "word"]

#: Characters of a value; a longer one ends in a digest of the whole.
VALUE_LIMIT: Final = 128

#: Words of an incident's name that it is found by.
WORD_LIMIT: Final = 24

#: The columns of `incidents` whose lists are looked up, by kind.
_COLUMNS: Final[dict[Kind, str]] = {
    "detector": "detectors",
    "service": "services",
    "tag": "tags",
    "stage": "stages",
    "label": "labels",
}

_INCIDENTS: Final = table_of(IncidentRow)
_TERMS: Final = table_of(TermRow)

#: What stands between words, and between the pieces of a word with letters.
_BETWEEN: Final = re.compile(r"[^\w.:@%+-]+")
_WITHIN: Final = re.compile(r"[\W_]+")
_LETTER: Final = re.compile(r"[^\W\d_]")


def words_of(text: str) -> list[str]:
    """Return the words of a name, lower case: whole, and those with letters in pieces, too."""
    found: dict[str, None] = {}
    for word in _BETWEEN.split(text.lower()):
        pieces = _WITHIN.split(word) if _LETTER.search(word) else []
        found |= dict.fromkeys(each[:VALUE_LIMIT] for each in (word, *pieces) if each)
    return list(found)[:WORD_LIMIT]


def probe_of(text: str) -> str | None:
    """Return the longest word of a text that names with it have a word that begins so."""
    found: list[str] = []
    for word in _BETWEEN.split(text.lower()):
        found += _WITHIN.split(word) if _LETTER.search(word) else [word]
    probe = max(found, key=len, default="")[:VALUE_LIMIT]
    return probe or None


def write_terms(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write what incidents are looked up by, in place of what was written before.

    `rows` have the columns id, entity, last_at, severity, detectors, services, tags, stages and
    labels.
    """
    given = list(rows)
    drop_terms(connection, [row["id"] for row in given])
    terms = [
        {
            "kind": kind,
            "value": value,
            "last_at": row["last_at"],
            "incident_id": row["id"],
            "severity": row["severity"],
        }
        for row in given
        for kind, value in _terms_of(row)
    ]
    if terms:
        connection.execute(insert(_TERMS), terms)


def drop_terms(connection: Connection, incidents: Sequence[int]) -> None:
    """Delete what incidents are looked up by."""
    if incidents:
        connection.execute(
            delete(_TERMS).where(_TERMS.c.incident_id == bindparam("incident")),
            [{"incident": identity} for identity in incidents],
        )


def renew_terms(connection: Connection, incidents: Sequence[int]) -> None:
    """Work out anew what incidents are looked up by, as their rows are now."""
    for chunk in chunks(incidents):
        query = select(_INCIDENTS).where(_INCIDENTS.c.id.in_(chunk))
        rows = connection.execute(query).mappings().all()
        write_terms(connection, [dict(row) for row in rows if row["merged_into"] is None])


def named(kind: Kind, value: str, terms: FromClause = _TERMS) -> list[ColumnElement[bool]]:
    """Return what the rows of one value fulfil."""
    shown = bounded(printable(value), VALUE_LIMIT)
    return [terms.c.kind == kind, terms.c.value == shown]


def beginning(word: str) -> list[ColumnElement[bool]]:
    """Return what the rows of words fulfil that begin so."""
    return [
        _TERMS.c.kind == "word",
        _TERMS.c.value >= word,
        _TERMS.c.value < word + "\U0010ffff",
    ]


def _terms_of(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    found = {
        (kind, bounded(value, VALUE_LIMIT))
        for kind, column in _COLUMNS.items()
        for value in row[column]
    }
    return found | {("word", word) for word in words_of(row["entity"])}
