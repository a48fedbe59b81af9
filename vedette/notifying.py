"""Who is told of incidents, by the settings: targets and routes."""

from typing import Final

from alerts.routing import Routing
from alerts.target import Target
from detectors.findings import Level
from vedette.settings import Settings

#: The name of the target that `notify.url` is.
DEFAULT_TARGET: Final = "default"


def targets_of(settings: Settings) -> list[Target]:
    """Return the targets that the settings name."""
    if settings.notify.url is None:
        return []
    return [Target(DEFAULT_TARGET, settings.notify.url, Level[settings.notify.min_level.upper()])]


def routing_of(settings: Settings) -> Routing:
    """Return the routes that the settings have."""
    return Routing.everything_to(*(target.name for target in targets_of(settings)))
