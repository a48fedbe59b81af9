"""vedette erase: everything that is kept about one client, user or other entity."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table
from sqlalchemy import Engine

from alerts.access.secret import server_secret
from alerts.database.backup import all_backups
from alerts.database.opening import open_database
from alerts.database.safety import safe_name
from alerts.database.times import utc_now
from alerts.deletion.erasure import PEOPLE, Erased, compact, erase_entity, kept_about
from alerts.recovery.checkpoint import has_checkpoint
from alerts.storage.tombstones import Tombstones
from detectors.findings import EntityType
from detectors.naming import name_of
from ingest.masking import printable
from ingest.networks import canonical_address
from ingest.pseudonyms import Pseudonyms
from vedette.failures import WRONG_USE, reports_failures
from vedette.folders import secret_file, sqlite_url
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings
from vedette.stores import kept_database, last_scan_file, nothing_stored

if TYPE_CHECKING:
    from vedette.backtest.cache import Cache

#: The event column behind a type of entity, for its pseudonyms.
_COLUMNS: Final = {
    "client": "client_ip",
    "network": "client_network",
    "user": "user",
    "api_key": "api_key",
}

#: What each count is of.
_WORDS: Final = {
    "incidents": "incidents",
    "findings": "findings",
    "members": "times counted among the clients of an incident",
    "evidence": "lines of evidence",
    "timeline": "entries of timelines, comments included",
    "notifications": "notifications",
    "deliveries": "messages in the history",
    "quarantine_samples": "samples of lines that could not be read",
    "endpoints": "endpoints",
    "traffic": "minutes and hours of the traffic of services that are called so",
    "learned": "rows of what detectors have learned",
    "texts": "other texts that named it",
}


#: What no program can delete for somebody.
_ELSEWHERE: Final = (
    "Not deleted: the logs themselves, messages that were sent, what you exported, copies of the"
    " database made by others, and what back-tests keep in folders of their --cache"
    " (docs/retention.md)."
)


@reports_failures
def erase_everywhere(
    entity_type: EntityType, value: str, config: Path | None, database: str | None, *, yes: bool
) -> int:
    """Ask, delete, and say what was deleted and what cannot be."""
    settings = load_settings(config)
    whom = printable(f"{entity_type} {value}")
    screen = terminal(stderr=True)
    with ExitStack() as opened:
        databases = _databases(settings, database, opened, configured=config is not None)
        secret = server_secret(secret_file())
        names = stored_names(entity_type, value, secret)
        kept = {
            name: (engine, kept_about(engine, entity_type, names)) for name, engine in databases
        }
        logs = _kept_of_logs(settings) if entity_type in PEOPLE else None
        if logs is None and not any(found.anything for _, found in kept.values()):
            note(screen, f"Nothing is kept about {whom}.", _ELSEWHERE)
            return 0
        for name, (_, found) in kept.items():
            if found.anything:
                note(screen, f"Kept about {whom} in {name}")
                screen.print(_table(found))
        if logs is not None:
            note(screen, f"Back-tests keep logs in {logs.folder}: it goes altogether.")
        if not yes and not _agreed(whom):
            note(screen, "Nothing was deleted; --yes deletes without asking.")
            return WRONG_USE
        for name, (engine, _) in kept.items():
            erased = erase_entity(
                engine, entity_type, names, tombstones=Tombstones(secret), now=utc_now()
            )
            if erased.anything:
                note(terminal(), f"Deleted from {name}")
                terminal().print(_table(erased))
            note(screen, *_left(engine, name))
        if logs is not None:
            note(terminal(), f"Removed what back-tests kept of logs: {logs.clear():,} bytes")
    note(screen, _ELSEWHERE)
    return 0


def stored_names(entity_type: EntityType, value: str, secret: bytes) -> list[str]:
    """Return the names under which an entity may be stored: masked, cut, or a pseudonym."""
    names = [value]
    if entity_type == "client":
        names += filter(None, [canonical_address(value)])
    names += [name_of(entity_type, name) for name in names]
    column = _COLUMNS.get(entity_type)
    if column and (column != "client_ip" or canonical_address(value)):
        names.append(Pseudonyms(secret).pseudonym(column, value))
    return list(dict.fromkeys(map(safe_name, names)))


def _kept_of_logs(settings: Settings) -> "Cache | None":
    """Return what back-tests keep of logs, None if it is nothing.

    Whom it names is not looked for: it is made again from the logs when it is wanted.
    """
    from vedette.commands.backtest import cache_of

    cache = cache_of(settings, None)
    return cache if cache.size() else None


def _databases(
    settings: Settings, database: str | None, opened: ExitStack, *, configured: bool
) -> list[tuple[str, Engine]]:
    """Open the database that is named; else the service's, and that of the last scan.

    None is made here. Raises DatabaseError if there is none.
    """
    found = []
    if database is None and last_scan_file().exists():
        found = [("the last scan", open_database(sqlite_url(last_scan_file())))]
    if not found or configured or not nothing_stored(settings):
        engine, name = kept_database(settings, database, configured=configured)
        found.insert(0, (name, engine))
    for _, engine in found:
        opened.callback(engine.dispose)
    return found


def _agreed(whom: str) -> bool:
    """Ask a person; nobody there means no."""
    if not _somebody_there():
        return False
    sys.stderr.write(f"Delete all of it about {whom}? It cannot be brought back. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _somebody_there() -> bool:
    return sys.stdin.isatty()


def _table(erased: Erased) -> Table:
    table = Table(header_style="bold")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for kind in fields(erased):
        number = getattr(erased, kind.name)
        if number:
            table.add_row(_WORDS[kind.name], f"{number:,}")
    return table


def _left(engine: Engine, name: str) -> Iterable[str]:
    """Say what is left in a database, and when it goes."""
    if not compact(engine):
        yield (
            f"{name}: another program holds it, so parts of the file that are not used may still"
            " hold what was deleted; run this command again when the service is stopped."
        )
    if has_checkpoint(engine):
        yield (
            f"{name}: the detectors' state knows who was active lately, and forgets it as the"
            " service runs on, a day after the last request at most. Until then new requests can"
            " open incidents about it. What the service has learned from them is stored again if"
            " it runs: stop it, and run this command again."
        )
    copies = all_backups(engine.url)
    if copies:
        listed = ", ".join(map(str, copies))
        yield f"{name}: copies made before an update are as they were; delete them: {listed}"
