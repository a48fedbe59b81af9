"""Runs the migrations on the connection that alerts.database.opening hands over."""

from alembic import context

from alerts.database.models import Model

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Model.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
