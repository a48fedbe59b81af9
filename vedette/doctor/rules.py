"""The rules: they compile, how many there are, what the settings change about them in vain."""

from collections.abc import Iterator
from typing import Final

from detectors.catalogue import UnknownDetectorError, UnknownPlaceholderError
from detectors.detector import DetectorSettingsError
from detectors.documents import RuleError
from detectors.overrides import RuleOverride
from detectors.registry import active_detectors
from vedette.doctor.remark import Remark, fail, ok, warn
from vedette.doctor.surroundings import Surroundings
from vedette.notifying import check_detectors
from vedette.rules import catalogue_of, detector_names
from vedette.settings import SettingsError

_WRONG: Final = (
    UnknownDetectorError,
    UnknownPlaceholderError,
    DetectorSettingsError,
    SettingsError,
)


def check_rules(at: Surroundings) -> Iterator[Remark]:
    """Compile all rules as the settings want them."""
    try:
        catalogue = catalogue_of(at.settings)
        others = active_detectors(at.settings.detectors)
        check_detectors(at.settings, detector_names(at.settings, catalogue))
    except RuleError as error:
        yield fail(str(error), "mend or remove the rule; vedette rules check FILE tries it alone")
        return
    except _WRONG as error:
        yield fail(str(error), "correct the settings")
        return
    except OSError as error:
        yield fail(f"{error.filename}: {error.strerror}", "correct rules.folders")
        return
    count = len(catalogue.rules) + len(others)
    off = sum(not given.enabled for given in at.settings.detectors.values())
    quiet = sum(given.mode == "monitor" for given in at.settings.detectors.values())
    yield ok(f"{count} detectors are on, {off} off by the settings, {quiet} only monitor")
    for name, given in at.settings.detectors.items():
        yield from _idle(name, given, at)


def _idle(name: str, given: RuleOverride, at: Surroundings) -> Iterator[Remark]:
    """Say what is set about a detector and changes nothing."""
    if given == RuleOverride():
        yield warn(f"detectors.{name}: it changes nothing", "remove it, or set threshold or level")
    over = [entry for entry in given.exceptions if entry.until and entry.until < at.now]
    for entry in over:
        yield warn(
            f"detectors.{name}.exceptions: one was over at {entry.until:%Y-%m-%d %H:%M}"
            f" ({entry.why})",
            "remove it, or set another until",
        )
