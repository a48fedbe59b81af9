"""What people decide, where evidence came from, deliveries, silences, tombstones."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _incidents()
    _evidence()
    _deliveries()
    _notifications()
    op.create_table(
        "silences",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"])
    op.create_table(
        "tombstones",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("reason", sa.String(length=8), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
    )
    op.create_index(op.f("ix_tombstones_digest_last_at"), "tombstones", ["digest", "last_at"])
    op.create_index(op.f("ix_tombstones_last_at"), "tombstones", ["last_at"])


def _incidents() -> None:
    for name in ("stages", "services", "labels"):
        op.add_column(
            "incidents", sa.Column(name, sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
        )
    op.add_column("incidents", sa.Column("assignee", sa.String(length=100), nullable=True))
    op.add_column("incidents", sa.Column("assigned_at", TIME, nullable=True))
    op.add_column("incidents", sa.Column("decided_at", TIME, nullable=True))
    op.add_column("incidents", sa.Column("decided_severity", sa.SmallInteger(), nullable=True))
    op.create_index(op.f("ix_incidents_started_at_id"), "incidents", ["started_at", "id"])
    op.create_index(
        op.f("ix_incidents_assignee_last_at_id"), "incidents", ["assignee", "last_at", "id"]
    )


def _evidence() -> None:
    op.add_column("evidence", sa.Column("service", sa.Text(), nullable=True))
    op.add_column("evidence", sa.Column("country", sa.String(length=2), nullable=True))
    op.add_column("evidence", sa.Column("asn", sa.BigInteger(), nullable=True))


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_deliveries_idempotency_key")),
    )
    op.create_index(
        op.f("ix_deliveries_target_state_next_attempt_at"),
        "deliveries",
        ["target", "state", "next_attempt_at"],
    )
    op.create_index(
        op.f("ix_deliveries_target_group_key_sent_at"),
        "deliveries",
        ["target", "group_key", "sent_at"],
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("delivery_id", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_attempts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
        sa.UniqueConstraint(
            "delivery_id", "number", name=op.f("uq_delivery_attempts_delivery_id_number")
        ),
    )


def _notifications() -> None:
    """Move what was tried so far into deliveries of one notification each."""
    op.drop_index(op.f("ix_notifications_target_state_next_attempt_at"), table_name="notifications")
    op.rename_table("notifications", "notifications_before")
    # PostgreSQL keeps the names of indexes and constraints when their table is renamed.
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute("ALTER INDEX pk_notifications RENAME TO pk_notifications_0003")
        op.execute("ALTER SEQUENCE notifications_id_seq RENAME TO notifications_0003_id_seq")
        op.execute(
            "ALTER INDEX uq_notifications_incident_id_transition_target"
            " RENAME TO uq_notifications_0003"
        )
    op.create_table(
        "notifications",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("incident_id", ROW_ID, nullable=False),
        sa.Column("transition", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("delivery_id", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_notifications_incident_id")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_notifications_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint(
            "incident_id",
            "transition",
            "target",
            name=op.f("uq_notifications_incident_id_transition_target"),
        ),
    )
    op.execute(
        "INSERT INTO deliveries (id, target, group_key, idempotency_key, digest, title, created_at,"
        " state, attempts, next_attempt_at, last_error, sent_at)"
        " SELECT id, target, '', idempotency_key, false, '', created_at, state, attempts,"
        " next_attempt_at, last_error, sent_at FROM notifications_before"
        " WHERE state IN ('sent', 'dead') OR (state = 'pending' AND attempts > 0)"
    )
    op.execute(
        "INSERT INTO notifications (id, incident_id, transition, target, route, created_at, state,"
        " due_at, reason, delivery_id)"
        " SELECT id, incident_id, transition, target, '', created_at,"
        " CASE WHEN state = 'pending' AND attempts > 0 THEN 'bundled' ELSE state END,"
        " next_attempt_at, CASE WHEN state = 'suppressed' THEN last_error END,"
        " (SELECT d.id FROM deliveries d WHERE d.id = n.id) FROM notifications_before n"
    )
    op.drop_table("notifications_before")
    if postgresql:
        for table in ("notifications", "deliveries"):
            op.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608 - own names
                f" (SELECT COALESCE(MAX(id), 0) + 1 FROM {table}), false)"
            )
    op.create_index(
        op.f("ix_notifications_target_state_due_at"),
        "notifications",
        ["target", "state", "due_at"],
    )
    op.create_index(op.f("ix_notifications_delivery_id"), "notifications", ["delivery_id"])
