"""Quarantine: groups of lines that could not be read, where they were, samples."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "quarantine_groups",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replayed_events", sa.BigInteger(), nullable=True),
        sa.Column("replayed_rest", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine_groups")),
        sa.UniqueConstraint("key", name=op.f("uq_quarantine_groups_key")),
    )
    op.create_index(
        op.f("ix_quarantine_groups_last_seen_at"), "quarantine_groups", ["last_seen_at"]
    )
    op.create_table(
        "quarantine_spans",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("group_id", ROW_ID, nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("ranges", sa.JSON(), nullable=False),
        sa.Column("more_ranges", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["quarantine_groups.id"], name=op.f("fk_quarantine_spans_group_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine_spans")),
        sa.UniqueConstraint(
            "group_id", "first_position", name=op.f("uq_quarantine_spans_group_id_first_position")
        ),
    )
    op.create_index(op.f("ix_quarantine_spans_last_seen_at"), "quarantine_spans", ["last_seen_at"])
    op.create_table(
        "quarantine_samples",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("span_id", ROW_ID, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["span_id"], ["quarantine_spans.id"], name=op.f("fk_quarantine_samples_span_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine_samples")),
        sa.UniqueConstraint("span_id", "number", name=op.f("uq_quarantine_samples_span_id_number")),
    )
