"""vedette run: the service."""

import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from ingest.durations import parse_duration
from ingest.masking import printable
from vedette.failures import WRONG_USE, reports_failures
from vedette.folders import secret_file
from vedette.login_link import introduced
from vedette.screen import Ticker, note, terminal
from vedette.service import Ready, run_until_stopped
from vedette.settings import SettingsError, load_settings


@reports_failures
def run_service(config: Path | None, seconds: str | None) -> int:
    """Run the service with the settings until stopped; print incidents as they open."""
    settings = load_settings(config)
    if not settings.sources:
        note(
            terminal(stderr=True),
            f"vedette: {config or 'settings'}: sources: there is none, so there is nothing to do.",
            'Add one:  [[sources]]  paths = ["/var/log/nginx/access.log*"]   (vedette init)',
        )
        return WRONG_USE
    screen = terminal()

    said: set[str] = set()

    def ready(state: Ready) -> None:
        for problem in state.problems:
            note(screen, f"vedette: {printable(problem)}")
        introduction = _introduction(state)
        note(screen, *(line for about, line in introduction.items() if about not in said))
        said.update(introduction)
        if state.standby_for is None:
            note(screen, "Following the sources. Ctrl-C stops.", "")
        else:
            note(
                screen,
                f"Standing by: {printable(state.standby_for)} works on this database.",
                "This process takes over within seconds when that one stops. Ctrl-C stops.",
                "",
            )

    run_until_stopped(
        settings,
        secret_file(),
        announce=Ticker(screen).show,
        ready=ready,
        limit=None if seconds is None else duration(seconds),
        # Who closes a terminal does not mean: read the settings anew.
        anew=None if sys.stdin.isatty() else partial(load_settings, config),
    )
    note(screen, "Stopped.")
    return 0


def _introduction(state: Ready) -> dict[str, str]:
    """Return what is said once, by what it is about."""
    lines = {}
    if state.login is not None:
        lines["login"] = introduced(state.login)
    if state.api_url:
        lines["address"] = f"Incident API: {state.api_url}/api/v1/incidents"
    if state.first_key is not None:
        key = state.first_key.get_secret_value()
        lines["key"] = f"First key (admin), not shown again: {key}"
    return lines


def duration(text: str) -> timedelta:
    """Read a length of time from the command line; raises SettingsError."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"--for: {error}") from error
