"""What findings counted over time."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("findings", sa.Column("curve", sa.JSON(), nullable=False, server_default="{}"))
