"""Where messages go: one Apprise address under a name."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from apprise import Apprise, AppriseAsset, PersistentStoreMode
from pydantic import SecretStr

from detectors.findings import Level

#: How messages are written; auto: as the receiver shows them best.
Format = Literal["auto", "text", "markdown", "html", "slack"]

#: Longest time in seconds that one delivery may take.
_DELIVERY_SECONDS = 30.0


class TargetError(ValueError):
    """A target cannot be used; the message names it, never its address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver of messages about incidents of `min_level` and above.

    `url` is an Apprise address and secret: most hold a password or a token. `template` is a
    file of the user's own, `fallback` the target that is told what this one could not be.
    Of more than `max_messages` within `per`, the rest goes as one digest.
    """

    name: str
    url: SecretStr
    min_level: Level = Level.INFORMATIONAL
    format: Format = "auto"
    template: Path | None = None
    fallback: str | None = None
    send_resolved: bool = True
    max_messages: int = 20
    per: timedelta = timedelta(minutes=10)

    @property
    def keeps_alerts(self) -> bool:
        """Whether the receiver holds what it is told as firing until it hears of the end."""
        return self.url.get_secret_value().lower().startswith("alertmanager")


def service_of(target: Target) -> Apprise:
    """Return Apprise set up for the target alone. Raises TargetError."""
    _hear_apprise()
    asset = AppriseAsset(
        app_id="Vedette",
        app_desc="Vedette",
        app_url="",
        image_url_mask="",  # nothing in a message is fetched from elsewhere
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        storage_mode=PersistentStoreMode.MEMORY,
        service_timeout=_DELIVERY_SECONDS,
        allow_templates=False,
    )
    service = Apprise(asset=asset)
    if not service.add(target.url.get_secret_value()):
        raise TargetError(
            f"target {target.name}: its address is not one that Apprise knows; see"
            " https://appriseit.com/services/ for how to write it"
        )
    return service


def _hear_apprise() -> None:
    """Have Apprise say all to whoever asks for a result, and nothing to the program's log."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # it names addresses and passwords
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
