"""Where messages go: one Apprise address under a name."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from detectors.findings import Level

#: How messages are written; auto: as the receiver shows them best.
Format = Literal["auto", "text", "markdown", "html", "slack"]

#: Longest time in seconds that one delivery may take.
DELIVERY_SECONDS: Final = 30.0


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
