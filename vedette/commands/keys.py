"""vedette keys: who may use the incident API."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from alerts.database import open_database
from alerts.keys import KeyStore, Role
from vedette.failures import FAILED, reports_failures
from vedette.folders import state_folder
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings


def key_store(settings: Settings) -> KeyStore:
    """Return the keys of the service's database."""
    engine = open_database(settings.store.url.get_secret_value())
    return KeyStore(engine, state_folder() / "server.secret")


@reports_failures
def create(name: str, role: str, config: Path | None) -> int:
    """Make a key and print it, once."""
    key, text = key_store(load_settings(config)).create_key(
        name, Role[role.upper()], datetime.now(UTC)
    )
    note(terminal(stderr=True), f"Key {key.id} for {name} ({role}). It is not shown again:")
    note(terminal(), text.get_secret_value())
    return 0


@reports_failures
def show(config: Path | None) -> int:
    """Print a table of keys."""
    table = Table("id", "name", "role", "created (UTC)", "last used (UTC)", "state")
    for key in key_store(load_settings(config)).list_keys():
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        state = "revoked" if key.revoked_at else "works"
        created = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role.label, created, used, state)
    terminal().print(table)
    return 0


@reports_failures
def revoke(key_id: str, config: Path | None) -> int:
    """End a key at once."""
    done = key_store(load_settings(config)).revoke_key(key_id, datetime.now(UTC))
    text = f"Key {key_id} is revoked." if done else f"vedette: no working key {key_id}"
    note(terminal(stderr=not done), text)
    return 0 if done else FAILED
