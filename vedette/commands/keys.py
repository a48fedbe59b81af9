"""vedette keys: who may use the incident API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from alerts.access.keys import (
    OVERLAP,
    SCOPES,
    ApiKey,
    KeyNameError,
    KeyReplacedError,
    KeyStore,
    Role,
)
from alerts.database.opening import open_database
from alerts.database.times import utc_now
from ingest.durations import parse_duration
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.folders import secret_file
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings


@contextmanager
def key_store(settings: Settings) -> Iterator[KeyStore]:
    """Open the keys of the service's database."""
    engine = open_database(settings.store.url.get_secret_value())
    try:
        yield KeyStore(engine, secret_file())
    finally:
        engine.dispose()


@reports_failures
def create(
    name: str, role: str, scopes: Sequence[str], life: str | None, config: Path | None
) -> int:
    """Make a key and print it, once."""
    screen = terminal(stderr=True)
    now = utc_now()
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong:
        note(screen, f"vedette: --scope: {wrong[0]!r} is none of {', '.join(SCOPES)}")
        return WRONG_USE
    chosen = [scope for scope in SCOPES if scope in scopes]
    try:
        until = None if life is None else now + parse_duration(life)
        with key_store(load_settings(config)) as keys:
            key, text = keys.create_key(name, Role[role.upper()], now, until, chosen)
    except (KeyNameError, ValueError) as error:
        note(screen, f"vedette: {error}")
        return WRONG_USE
    note(screen, f"Key {key.id} for {key.name} ({_may(key)}). It is not shown again:")
    note(terminal(), text.get_secret_value())
    return 0


@reports_failures
def rotate(key_id: str, config: Path | None) -> int:
    """Make a key that replaces another, and print it, once."""
    screen = terminal(stderr=True)
    try:
        with key_store(load_settings(config)) as keys:
            made = keys.rotate_key(key_id, utc_now())
    except KeyReplacedError as error:
        note(screen, f"vedette: {error}")
        return FAILED
    if made is None:
        note(screen, f"vedette: no working key {key_id}")
        return FAILED
    key, text = made
    hours = OVERLAP.total_seconds() / 3600
    note(
        screen,
        f"Key {key.id} replaces {key_id}, which works for {hours:.0f} hours more."
        " It is not shown again:",
    )
    note(terminal(), text.get_secret_value())
    return 0


@reports_failures
def show(config: Path | None) -> int:
    """Print a table of keys."""
    now = utc_now()
    table = Table("id", "name", "may", "created (UTC)", "last used (UTC)", "expires (UTC)", "state")
    with key_store(load_settings(config)) as keys:
        listed = keys.list_keys()
    for key in listed:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        created = f"{key.created_at:%Y-%m-%d %H:%M}"
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
        table.add_row(key.id, Text(key.name), _may(key), created, used, expires, _state(key, now))
    terminal().print(table)
    return 0


@reports_failures
def revoke(key_id: str, config: Path | None) -> int:
    """End a key at once."""
    with key_store(load_settings(config)) as keys:
        done = keys.revoke_key(key_id, utc_now())
    text = f"Key {key_id} is revoked." if done else f"vedette: no working key {key_id}"
    note(terminal(stderr=not done), text)
    return 0 if done else FAILED


def _state(key: ApiKey, now: datetime) -> str:
    if not key.works(now):
        return "revoked" if key.revoked_at else "expired"
    return f"replaced by {key.replaced_by}" if key.replaced_by else "works"


def _may(key: ApiKey) -> str:
    """Say what a key may do."""
    return f"{key.role.label}: {', '.join(key.scopes)}" if key.scopes else key.role.label
