"""From errors that people can mend to a message and an exit status, in one place."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Final, ParamSpec

from vedette.screen import note, terminal

FAILED: Final = 1
WRONG_USE: Final = 2
PARTLY_READ: Final = 3
INTERRUPTED: Final = 130

P = ParamSpec("P")


class StartError(Exception):
    """The service cannot start; the message says what to change."""


def reports_failures(command: Callable[P, int]) -> Callable[P, int]:
    """Turn a command's expected errors into a message on stderr and an exit status."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        console = terminal(stderr=True)
        try:
            return command(*args, **kwargs)
        except wrong_use() as error:
            note(console, f"vedette: {error}")
            return WRONG_USE
        except failures() as error:
            note(console, f"vedette: {error}")
            return FAILED
        except BrokenPipeError:
            # The reader of our output (head, less) has seen enough. What is still buffered must
            # go somewhere when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            note(console, f"vedette: {place}{error.strerror or error}")
            return FAILED
        except KeyboardInterrupt:
            note(console, "vedette: interrupted")
            return INTERRUPTED

    return run


def expected_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose messages say what people can do about them."""
    return *wrong_use(), *failures()


def wrong_use() -> tuple[type[Exception], ...]:
    """Errors of the settings and rules; imported only when something went wrong."""
    from detectors.catalogue import UnknownDetectorError, UnknownPlaceholderError
    from detectors.detector import DetectorSettingsError
    from detectors.documents import RuleError
    from ingest.geo import GeoError
    from ingest.route_documents import RouteDocumentError
    from vedette.evaluation.episodes import TruthError
    from vedette.evaluation.picture import PictureError
    from vedette.settings import SettingsError

    about_settings = SettingsError, RuleError, UnknownDetectorError, GeoError, RouteDocumentError
    about_rules = DetectorSettingsError, UnknownPlaceholderError
    return *about_settings, *about_rules, TruthError, PictureError


def failures() -> tuple[type[Exception], ...]:
    """Return the errors of what is around the program: the database, files, ports."""
    from alerts.access.secret import SecretError
    from alerts.database.opening import DatabaseError
    from vedette.client_model import ClientModelError

    return DatabaseError, SecretError, StartError, ClientModelError
