"""vedette demo: the service on a made-up stream of API traffic with attacks in it."""

import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from ingest.sources import FileSource
from vedette.commands.run import duration
from vedette.failures import StartError, reports_failures
from vedette.folders import sqlite_url
from vedette.login_link import introduced
from vedette.screen import Ticker, note, terminal
from vedette.service import Ready, run_until_stopped
from vedette.settings import ApiSettings, Settings, StoreSettings, settings_from
from vedette.simulation.demo import DemoStream, appending


@reports_failures
def run_demo(seconds: str | None, *, speed: float, seed: int, port: int) -> int:
    """Replay a simulated shop into the service; print incidents as they open."""
    screen = terminal()
    limit = None if seconds is None else duration(seconds)
    with tempfile.TemporaryDirectory(prefix="vedette-demo-") as name:
        folder = Path(name)
        stream = DemoStream(
            appending(folder / "access.log"),
            seed,
            speed,
            start=datetime.now(UTC).replace(microsecond=0),
        )

        def ready(state: Ready) -> None:
            note(screen, *_introduction(speed, state))
            stream.start()

        note(screen, "Starting Vedette on a made-up shop: nine services, 25 requests a second.")
        (folder / "access.log").touch()
        try:
            for chosen in dict.fromkeys((port, 0)):
                try:
                    run_until_stopped(
                        _settings(folder, stream, chosen),
                        folder / "server.secret",
                        announce=Ticker(screen).show,
                        ready=ready,
                        limit=limit,
                        log_level=logging.WARNING,
                    )
                    break
                except StartError as error:
                    if chosen == 0:
                        raise
                    note(screen, f"{error}", "Taking a free port instead.")
        finally:
            stream.stop()
    note(screen, "", "Stopped. The demo kept nothing. Your own logs: vedette scan FILES")
    return 0


def _settings(folder: Path, stream: DemoStream, port: int) -> Settings:
    """Return the stream's own settings, with everything in the demo's folder."""
    base = settings_from(stream.settings_toml)
    return base.model_copy(
        update={
            "sources": (FileSource(paths=(str(folder / "access.log"),), format="combined"),),
            "store": StoreSettings(url=SecretStr(sqlite_url(folder / "demo.db"))),
            "api": ApiSettings(port=port),
        }
    )


def _introduction(speed: float, state: Ready) -> list[str]:
    key = state.first_key.get_secret_value() if state.first_key is not None else ""
    return [
        f"Time runs {speed:g} times faster than on the clock; attacks come every few seconds.",
        "",
        *([introduced(state.login), ""] if state.login is not None else []),
        f"Incident API  {state.api_url}/api/v1/incidents",
        f"Key           {key}",
        f"Try           curl -H 'Authorization: Bearer {key}' {state.api_url}/api/v1/incidents",
        "",
        "Incidents as they open (Ctrl-C stops):",
        "",
    ]
