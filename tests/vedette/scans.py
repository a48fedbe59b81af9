"""Scans in a test's own folder, and what they found."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.database.opening import open_database
from alerts.incidents.views import IncidentView
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from detectors.registry import rule_overrides
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.commands.scan import stored
from vedette.scan import scan
from vedette.settings import settings_from

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def incidents_of(
    logs: Iterable[Path], folder: Path, settings: str = "", chunk_bytes: int = 8 << 20
) -> list[IncidentView]:
    """Scan logs as `vedette scan` does, into a database of their own in the folder."""
    given = settings_from(settings)
    number = len(list(folder.glob("*.db")))
    engine = open_database(f"sqlite:///{folder / f'{number}.db'}")
    source = FileSource(paths=tuple(str(log) for log in logs))
    reader = LogReader([source], chunk_bytes=chunk_bytes)
    scan(
        reader,
        Detection(load_catalogue(rule_overrides(given.detectors)), given.detectors),
        lambda: Store(engine),
    )
    found = stored(engine)
    engine.dispose()
    return found


def contents(incidents: Iterable[IncidentView]) -> list[dict[str, Any]]:
    """What must be the same in two runs: all but the numbers of incidents."""
    return sorted(
        ({k: v for k, v in i.to_dict().items() if k != "id"} for i in incidents),
        key=json.dumps,
    )


def combined(
    second: float,
    *,
    client: str = "203.0.113.7",
    request: str = "GET / HTTP/1.1",
    status: int = 200,
    agent: str = "curl/8.5",
    referrer: str = "-",
    user: str = "-",
) -> str:
    """A combined log line so many seconds after 2 November 2026, 08:00 UTC."""
    clock = f"08:{int(second) // 60:02}:{int(second) % 60:02}"
    return (
        f'{client} - {user} [02/Nov/2026:{clock} +0000] "{request}" {status} 512 '
        f'"{referrer}" "{agent}"'
    )


def written(path: Path, lines: Sequence[str]) -> Path:
    """The path, with these lines in it."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
