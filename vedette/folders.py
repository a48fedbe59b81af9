"""Where state lives when nobody says otherwise."""

import os
from pathlib import Path


def state_folder() -> Path:
    """Return the folder for databases and keys: XDG_STATE_HOME, or ~/.local/state/vedette."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "vedette"


def secret_file() -> Path:
    """Return the file of the server's secret."""
    return state_folder() / "server.secret"


def sqlite_url(file: Path) -> str:
    """Return the database URL of an SQLite file."""
    return f"sqlite:///{file}"
