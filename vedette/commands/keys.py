"""vedette keys: who may use the incident API."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from alerts.database import open_database
from alerts.keys import KeyStore, Role
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.folders import secret_file
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings

#: Characters of a key's name.
NAME_LIMIT = 64


@contextmanager
def key_store(settings: Settings) -> Iterator[KeyStore]:
    """Open the keys of the service's database."""
    engine = open_database(settings.store.url.get_secret_value())
    try:
        yield KeyStore(engine, secret_file())
    finally:
        engine.dispose()


@reports_failures
def create(name: str, role: str, config: Path | None) -> int:
    """Make a key and print it, once."""
    if not (name.isprintable() and 0 < len(name.strip()) <= NAME_LIMIT):
        note(terminal(stderr=True), f"vedette: a name has 1 to {NAME_LIMIT} printable characters")
        return WRONG_USE
    with key_store(load_settings(config)) as keys:
        key, text = keys.create_key(name, Role[role.upper()], datetime.now(UTC))
    note(terminal(stderr=True), f"Key {key.id} for {name} ({role}). It is not shown again:")
    note(terminal(), text.get_secret_value())
    return 0


@reports_failures
def show(config: Path | None) -> int:
    """Print a table of keys."""
    table = Table("id", "name", "role", "created (UTC)", "last used (UTC)", "state")
    with key_store(load_settings(config)) as keys:
        listed = keys.list_keys()
    for key in listed:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        state = "revoked" if key.revoked_at else "works"
        created = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role.label, created, used, state)
    terminal().print(table)
    return 0


@reports_failures
def revoke(key_id: str, config: Path | None) -> int:
    """End a key at once."""
    with key_store(load_settings(config)) as keys:
        done = keys.revoke_key(key_id, datetime.now(UTC))
    text = f"Key {key_id} is revoked." if done else f"vedette: no working key {key_id}"
    note(terminal(stderr=not done), text)
    return 0 if done else FAILED
