"""What lists look incidents up by: detectors, services, tags, stages, labels and words."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BATCH: Final = 2_000
_LENGTH: Final = 128

#: As alerts.storage.terms had it when this was written.
_COLUMNS = {
    "detector": "detectors",
    "service": "services",
    "tag": "tags",
    "stage": "stages",
    "label": "labels",
}


def upgrade() -> None:
    terms = op.create_table(
        "incident_terms",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("value", _BYTEWISE, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incident_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_terms_incident_id")
        ),
        sa.PrimaryKeyConstraint(
            "kind", "value", "last_at", "incident_id", name=op.f("pk_incident_terms")
        ),
        sqlite_with_rowid=False,
    )
    incidents = sa.table(
        "incidents",
        sa.column("id", _ID),
        sa.column("entity", sa.Text()),
        sa.column("last_at", sa.DateTime(timezone=True)),
        sa.column("merged_into", _ID),
        *(sa.column(name, sa.JSON()) for name in _COLUMNS.values()),
    )
    bind = op.get_bind()
    after = 0
    while True:
        query = sa.select(incidents).where(incidents.c.id > after).order_by(incidents.c.id)
        rows = bind.execute(query.limit(_BATCH)).mappings().all()
        if not rows:
            break
        after = rows[-1]["id"]
        found = [
            term for row in rows if row["merged_into"] is None for term in _terms_of(dict(row))
        ]
        if found:
            bind.execute(terms.insert(), found)
    op.create_index(op.f("ix_incident_terms_incident_id"), "incident_terms", ["incident_id"])
    op.drop_index(op.f("ix_incidents_last_at_id"), "incidents")
    columns = ["last_at", "id", "started_at"]  # so that a list up to some time looks at no rows
    op.create_index(op.f("ix_incidents_last_at_id_started_at"), "incidents", columns)


def _terms_of(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = {
        (kind, _bounded(value)) for kind, column in _COLUMNS.items() for value in row[column] or ()
    }
    for kind, value in found | {("word", word) for word in _words_of(row["entity"])}:
        yield {
            "kind": kind,
            "value": value,
            "last_at": row["last_at"],
            "incident_id": row["id"],
        }


def _bounded(text: str) -> str:
    if len(text) <= _LENGTH:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[:111]}…{digest}"


def _words_of(text: str) -> list[str]:
    found: dict[str, None] = {}
    for word in re.split(r"[^\w.:@%+-]+", text.lower()):
        pieces = re.split(r"[\W_]+", word) if re.search(r"[^\W\d_]", word) else []
        found |= dict.fromkeys(each[:_LENGTH] for each in (word, *pieces) if each)
    return list(found)[:24]
