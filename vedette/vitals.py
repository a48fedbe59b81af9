"""What the worker measures of itself: delays, and what checkpoints take."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from alerts.database.times import utc_now
from alerts.incidents.views import Transition
from api.histogram import Histogram
from detectors.findings import Level

#: Seconds from an event to its incident: from at once to what is read after a long stop.
DELAYS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

#: Seconds that storing a checkpoint takes.
CHECKPOINTS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

#: Without a checkpoint for so many seconds the worker does not do its work.
TOO_OLD: Final = 60.0


class Vitals:
    """Written by the worker's thread, read by those that ask how it fares."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self.delays = Histogram(DELAYS)
        self.checkpoints = Histogram(CHECKPOINTS)
        self.checkpoint_bytes = 0
        self.opened = dict.fromkeys((level.label for level in Level), 0)

    def stored(self, transitions: Iterable[Transition]) -> None:
        """Note incidents that were stored just now: how severe, how long after their event."""
        for transition in transitions:
            if transition.kind == "opened":
                delay = self._now() - transition.incident.last_at
                self.delays.observe(max(delay.total_seconds(), 0.0))
                self.opened[transition.incident.severity] += 1

    def saved(self, seconds: float, size: int) -> None:
        """Note a checkpoint: how long it took from its making to its end, and its bytes."""
        self.checkpoints.observe(seconds)
        self.checkpoint_bytes = size
