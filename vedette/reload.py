"""Settings read anew while the service runs: all of them or none.

They are read and tried in full, to the rules and the database, while the service works on; only
then it takes a place to go on from, ends, and begins anew with them, which takes seconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from alerts.database.opening import open_database
from vedette.duty import Duty
from vedette.failures import expected_errors
from vedette.settings import Settings

_log: Final = structlog.get_logger("vedette.service")


class Reload:
    """Reads settings and keeps them for the next run of the service."""

    def __init__(self, read: Callable[[], Settings], secret_file: Path) -> None:
        self._read = read
        self._secret_file = secret_file
        self._waiting: Settings | None = None

    def ask(self) -> bool:
        """Read and try the settings; whether they can be taken. If not, the log says why."""
        expected: tuple[type[Exception], ...] = (*expected_errors(), OSError)
        try:
            settings = self._read()
            self._try(settings)
        except expected as error:
            _log.error("the settings are not taken, those before stay", reason=str(error))
            return False
        _log.info("the settings are read anew")
        self._waiting = settings
        return True

    def take(self) -> Settings | None:
        """Return the settings that wait to be taken, once."""
        waiting, self._waiting = self._waiting, None
        return waiting

    def _try(self, settings: Settings) -> None:
        engine = open_database(settings.store.url.get_secret_value())
        try:
            Duty(engine, settings, self._secret_file, lambda _: None)
        finally:
            engine.dispose()
