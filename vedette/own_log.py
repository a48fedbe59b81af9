"""Vedette's own access log as one of its sources."""

from pathlib import Path

from ingest.sources import OwnLog
from vedette.settings import Settings

#: What incidents call the service that its lines are of.
SERVICE = "vedette"


def own_log(secret_file: Path) -> Path:
    """Return the folder of the log: beside the server's secret."""
    return secret_file.parent / "access"


def own_sources(settings: Settings, folder: Path) -> tuple[OwnLog, ...]:
    """Return the log as a source, none if it is not wanted or nothing is served."""
    if not (settings.api.enabled and settings.api.access_log):
        return ()
    return (OwnLog(paths=(str(folder),), service=SERVICE),)
