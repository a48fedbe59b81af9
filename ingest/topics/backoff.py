"""How long to wait before a failed connection is tried again."""

from random import Random
from typing import Final

FIRST_SECONDS: Final = 0.5
LAST_SECONDS: Final = 30.0


class Backoff:
    """Doubles from half a second to 30 s, with up to a quarter of it added at random."""

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random()  # noqa: S311 - not for secrets
        self._failures = 0

    def seconds(self) -> float:
        """Return the next wait, after one more failure."""
        wait = min(FIRST_SECONDS * 2.0**self._failures, LAST_SECONDS)
        self._failures += wait < LAST_SECONDS
        return wait * self._random.uniform(1.0, 1.25)

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._failures = 0
