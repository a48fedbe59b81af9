"""Clients of a distributed finding, and the incident that one is part of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "members",
        sa.Column("finding_id", ROW_ID, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["finding_id"], ["findings.id"], name=op.f("fk_members_finding_id")
        ),
        sa.PrimaryKeyConstraint("finding_id", "client", name=op.f("pk_members")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_members_client"), "members", ["client"])
    op.add_column(
        "findings", sa.Column("member_count", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "incidents", sa.Column("member_count", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute("UPDATE incidents SET member_count = 1 WHERE entity_type = 'client'")
    op.add_column(
        "incidents",
        sa.Column(
            "parent_id",
            ROW_ID,
            sa.ForeignKey("incidents.id", name=op.f("fk_incidents_parent_id")),
            nullable=True,
        ),
        inline_references=True,
    )
    op.create_index(
        op.f("ix_incidents_parent_id_last_at_id"), "incidents", ["parent_id", "last_at", "id"]
    )
