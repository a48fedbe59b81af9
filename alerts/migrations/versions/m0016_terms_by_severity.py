"""What lists look incidents up by knows how severe they are."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "incident_terms",
        sa.Column("severity", sa.SmallInteger(), nullable=False, server_default="0"),
    )
    terms = sa.table("incident_terms", sa.column("incident_id"), sa.column("severity"))
    incidents = sa.table("incidents", sa.column("id"), sa.column("severity"))
    its = sa.select(incidents.c.severity).where(incidents.c.id == terms.c.incident_id)
    op.execute(terms.update().values(severity=its.scalar_subquery()))
    sorted_so = sa.text("kind <> 'word'")
    op.create_index(
        op.f("ix_incident_terms_kind_value_severity_last_at_incident_id"),
        "incident_terms",
        ["kind", "value", "severity", "last_at", "incident_id"],
        sqlite_where=sorted_so,
        postgresql_where=sorted_so,
    )
