"""How far a detector has learned, as the API tells it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LearningAnswer:
    """How far a detector has learned what is usual: `learned` of `series` things well enough.

    It is `ready` where it has learned any of them: of the others it finds nothing yet, and
    `waits_for` says why. `since` is when learning began; `day` of `of_days` is how far the
    least of them is.
    """

    ready: bool
    series: int
    learned: int
    day: int
    of_days: int
    since: datetime | None
    waits_for: str | None
