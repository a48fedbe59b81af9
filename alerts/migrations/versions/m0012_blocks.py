"""The block list."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
    )
    for column in ("address", "since", "removed_at"):
        op.create_index(op.f(f"ix_blocks_{column}"), "blocks", [column])
    op.create_table(
        "block_switch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("off_by", sa.Text(), nullable=False),
        sa.Column("off_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block_switch")),
    )
