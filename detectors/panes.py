"""Panes: slots of event time aligned to the epoch, and the windows made of them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

SECOND_US: Final = 1_000_000
PANE_SECONDS: Final = (1, 5, 10, 30, 60)
PANES_PER_WINDOW: Final = 60
LONGEST_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Panes:
    """How a window is cut: pane length in microseconds, and how many panes a window spans.

    The window is never shorter than the rule says, and at most one pane longer.
    """

    length: int
    width: int

    @classmethod
    def of(cls, window: timedelta) -> Self:
        """Return the panes of a window: the smallest length that cuts it into at most 60.

        Raises ValueError for a window that is not positive, or longer than 24 hours.
        """
        if not timedelta(0) < window <= LONGEST_WINDOW:
            hours = window / timedelta(hours=1)
            raise ValueError(f"a window must be longer than 0 and at most 24 h, not {hours:g} h")
        span = window // timedelta(microseconds=1)
        fitting = (s for s in PANE_SECONDS if -(-span // (s * SECOND_US)) <= PANES_PER_WINDOW)
        length = next(fitting, PANE_SECONDS[-1]) * SECOND_US
        return cls(length, -(-span // length) + 1)

    @property
    def span(self) -> int:
        """Microseconds from the start of a window's first pane to the end of its last."""
        return self.length * self.width

    def start(self, time: int) -> int:
        """Return the start of the pane that holds a time (both in microseconds)."""
        return time // self.length * self.length
