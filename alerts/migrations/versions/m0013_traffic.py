"""Traffic by minute and hour, and what was asked for most in an hour."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "traffic",
        sa.Column("service", sa.String(512), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("client_errors", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("server_errors", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sa.Column("p50_us", sa.BigInteger(), nullable=True),
        sa.Column("p95_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("service", "role", "step", "start", name=op.f("pk_traffic")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_traffic_step_start"), "traffic", ["step", "start"])
    op.create_table(
        "traffic_tops",
        sa.Column("id", _ID, nullable=False),
        sa.Column("service", sa.String(512), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traffic_tops")),
        sa.UniqueConstraint(
            "service", "role", "kind", "start", name=op.f("uq_traffic_tops_service_role_kind_start")
        ),
    )
    op.create_index(op.f("ix_traffic_tops_start"), "traffic_tops", ["start"])
