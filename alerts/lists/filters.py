"""Which incidents a list shows, and how it is sorted; as SQL that both databases understand."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, FromClause, SQLColumnExpression, collate, func, select
from sqlalchemy.orm import InstrumentedAttribute

from alerts.database.models import IncidentRow, TermRow, table_of
from alerts.database.safety import safe_name
from alerts.incidents.views import json_ready
from alerts.storage.terms import Kind, named
from detectors.findings import EntityType, Level, Mode
from ingest.masking import printable

Sort = Literal["last", "start", "severity"]

#: Orders of a list; each begins with the greatest.
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

#: Characters of what is looked for.
TEXT_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list, in which order; None and nothing do not restrict.

    Of several `statuses` or `severities` one is enough. `text` is what an analyst remembers: any
    part of the entity's name or of the summary (an address, a user, a path, what was counted),
    upper and lower case alike. It is looked for in the 10,000 incidents that were active last; in
    those before them only in the entity's name, of which a word must begin with its longest word.
    `tag` is one of a rule's tags, `label` one that people gave, `service` one of the evidence,
    `stage` one that the attack reached; all of them whole names.

    `since` and `until` keep those that were active between the two. What was merged into
    another incident is left out, and unless `mode` says so, what is only monitored. Incidents
    that are part of one about many clients are left out, too, unless `parent` names that one or
    `include_members` is set.
    """

    statuses: tuple[str, ...] = ()
    severities: tuple[Level, ...] = ()
    severity_min: Level | None = None
    entity_type: str | None = None
    entity: str | None = None
    detector: str | None = None
    service: str | None = None
    tag: str | None = None
    stage: str | None = None
    label: str | None = None
    assignee: str | None = None
    unassigned: bool = False
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mode: Mode | Literal["any"] = "alert"
    parent: int | None = None
    include_members: bool = False
    sort: Sort = "last"

    def digest(self) -> str:
        """Name this filter in a cursor."""
        plain = json.dumps(json_ready(asdict(self)), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:8]

    def branches(self) -> "list[IncidentFilter]":
        """Return filters of one status each (or severity, if only of these there are several).

        Each of them follows an index in its order; together they would sort all there is.
        """
        if len(self.statuses) > 1:
            return [replace(self, statuses=(each,)) for each in dict.fromkeys(self.statuses)]
        if self.sort == "last" and (self.severities or self.severity_min):
            return [replace(self, severities=(each,), severity_min=None) for each in self._levels()]
        return [self]

    def _levels(self) -> list[Level]:
        least = self.severity_min or min(Level)
        return [each for each in dict.fromkeys(self.severities or Level) if each >= least]


def sort_keys(sort: Sort) -> tuple[InstrumentedAttribute[Any], ...]:
    """Return the columns that a list is sorted by, each with the greatest first."""
    return {
        "last": (IncidentRow.last_at, IncidentRow.id),
        "start": (IncidentRow.started_at, IncidentRow.id),
        "severity": (IncidentRow.severity, IncidentRow.last_at, IncidentRow.id),
    }[sort]


def conditions(
    dialect: str,
    wanted: IncidentFilter,
    severity: SQLColumnExpression[int] = IncidentRow.severity,
) -> list[ColumnElement[bool]]:
    """Return what the wanted incidents fulfil, apart from what is looked up (`terms_of`).

    `severity` is where an incident's is read.
    """
    found: list[ColumnElement[bool]] = [without(dialect, IncidentRow.merged_into)]
    for attribute, value in (
        (IncidentRow.entity_type, wanted.entity_type),
        (IncidentRow.entity, None if wanted.entity is None else safe_name(wanted.entity)),
        (IncidentRow.assignee, _safe(wanted.assignee)),
        (IncidentRow.mode, None if wanted.mode == "any" else wanted.mode),
        (IncidentRow.parent_id, wanted.parent),
    ):
        if value is not None:
            found.append(attribute == value)
    if wanted.unassigned:
        found.append(IncidentRow.assignee.is_(None))
    if wanted.entity is not None and wanted.entity_type is None:
        found.append(IncidentRow.entity_type.in_(get_args(EntityType)))  # for the index
    if wanted.parent is None and not wanted.include_members:
        found.append(_apart(dialect, wanted))
    return [*found, *_levels(wanted, severity), *_times(wanted), *_text(dialect, wanted)]


def _apart(dialect: str, wanted: IncidentFilter) -> ColumnElement[bool]:
    """Whether an incident is part of no other, said so that no better index is passed over.

    That of the parents is the best for a list without other conditions, in its usual order.
    """
    other = (wanted.statuses, wanted.severities, wanted.severity_min, wanted.entity)
    more = (wanted.entity_type, wanted.assignee, wanted.text, wanted.until, *terms_of(wanted))
    if wanted.sort == "last" and not any((*other, *more)):
        return IncidentRow.parent_id.is_(None)
    return without(dialect, IncidentRow.parent_id)


def without(dialect: str, attribute: SQLColumnExpression[int | None]) -> ColumnElement[bool]:
    """Whether a row names no other incident there.

    PostgreSQL knows how many do not; SQLite would take the index of that column for "is null",
    and sort all there is.
    """
    if dialect == "postgresql":
        return attribute.is_(None)
    return func.coalesce(attribute, 0) == 0


def _levels(
    wanted: IncidentFilter, severity: SQLColumnExpression[int]
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(_one_of(IncidentRow.status, wanted.statuses))
    if wanted.severities:
        found.append(_one_of(severity, [int(each) for each in wanted.severities]))
    if wanted.severity_min is not None:
        found.append(severity >= int(wanted.severity_min))
    return found


def _times(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(IncidentRow.last_at >= wanted.since)
    if wanted.until is not None:
        found.append(IncidentRow.started_at <= wanted.until)
    return found


def terms_of(wanted: IncidentFilter) -> list[tuple[Kind, str]]:
    """Return what is looked up: what there may be little of first."""
    given: tuple[tuple[Kind, str | None], ...] = (
        ("label", wanted.label),
        ("tag", wanted.tag),
        ("detector", wanted.detector),
        ("stage", wanted.stage),
        ("service", wanted.service),
    )
    return [(kind, value) for kind, value in given if value is not None]


def named_so(kind: Kind, value: str) -> ColumnElement[bool]:
    """Whether an incident has a value of that kind: looked up for one incident after the other.

    Said with EXISTS, PostgreSQL would read all that have the value first.
    """
    terms = table_of(TermRow).alias("others")
    found = select(terms.c.incident_id).where(same_incident(terms), *named(kind, value, terms))
    return found.limit(1).correlate(IncidentRow).scalar_subquery().is_not(None)


def same_incident(terms: FromClause) -> ColumnElement[bool]:
    """Whether a row of terms is of an incident.

    That both were active last at the same time goes without saying: PostgreSQL would take it for a
    second condition, expect hardly any rows, and sort all there are.
    """
    return terms.c.incident_id == IncidentRow.id


def _text(dialect: str, wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    if not wanted.text:
        return []
    text = printable(wanted.text)[:TEXT_LIMIT]
    # PostgreSQL takes twice as long where it must know the case of letters that are not asked for.
    plain = dialect == "postgresql" and text.isascii()
    entity, summary = (
        collate(attribute, "C") if plain else attribute
        for attribute in (IncidentRow.entity, IncidentRow.summary)
    )
    return [entity.icontains(text, autoescape=True) | summary.icontains(text, autoescape=True)]


def _one_of(
    attribute: SQLColumnExpression[Any], values: tuple[str, ...] | list[int]
) -> ColumnElement[bool]:
    return attribute == values[0] if len(values) == 1 else attribute.in_(values)


def _safe(text: str | None) -> str | None:
    return None if text is None else printable(text)
