"""Since when each series is known, and the hour that goes on."""

from collections.abc import Mapping
from typing import ClassVar

from detectors.learned.spikes.arrays import Arrays, Bools, Field, Ints
from detectors.learned.spikes.tails import Floats


class Series(Arrays):
    """Since when each series is known (us), for how many panes, and its hour that is not over."""

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "since": Field(int),
        "age": Field(int),
        "hour_counted": Field(float),
        "hour_out_of": Field(float),
    }
    since: Ints
    age: Ints
    hour_counted: Floats
    hour_out_of: Floats

    @property
    def alive(self) -> Bools:
        """Which series are there."""
        found: Bools = self.since > 0
        return found

    def end_hour(self) -> tuple[Floats, Floats]:
        """Return what was counted in the hour that is over, out of how much; begin the next."""
        counted, out_of = self.hour_counted, self.hour_out_of
        self.hour_counted, self.hour_out_of = counted * 0.0, out_of * 0.0
        return counted, out_of
