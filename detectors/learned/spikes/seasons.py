"""How often each hour of the week has what: the shape of a week that counts are expected to have.

Hours are those of people, in a set time zone: when clocks change, the shape moves with them. An
hour that comes twice on the night clocks go back counts as one visit. What was seen is forgotten
slowly (KEEP a week), so that a season of the year can pass.

Of each series and hour two sums are kept: what was counted, and out of how much (panes, for
volumes; requests, for shares). A rate is the one by the other, shrunk towards a broader one by
PRIOR counts (the mean of a Gamma posterior): the hour of the day towards the mean of all hours, the
hour of the week towards that of the day. Until it was seen SEEN times, an hour of the week is also
blended with the hour of the day, by Buehlmann's credibility n / (n + s / t): n visits, s the
relative variance of one visit, t that between the days (Buehlmann and Gisler, A Course in
Credibility Theory, 3.1): where weekends are unlike weekdays, one of them tells a lot.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.learned.spikes.tails import Floats

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
HOURS: Final = 168
KEEP: Final = 0.8
SEEN: Final = 4
PRIOR: Final = 5.0

#: Half a count: what was never seen is not impossible (Jeffreys' prior of a Poisson rate).
LEAST: Final = 0.5

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """A time as people say it: the hour of the week, when it began (us), and what part is over."""

    hour: int
    began: int
    part: float


def local(time: int, zone: ZoneInfo) -> Moment:
    """Return the hour of the week (Monday 0 h is 0) of a time in microseconds since 1970."""
    moment = (_EPOCH + timedelta(microseconds=time)).astimezone(zone)
    into = moment.minute * 60_000_000 + moment.second * 1_000_000 + moment.microsecond
    return Moment(moment.weekday() * 24 + moment.hour, time - into, into / HOUR)


class Hour:
    """What an hour of the week has: arrays over series, and how often each was visited."""

    __slots__ = ("began", "counted", "out_of", "visits")

    def __init__(self, rows: int, kinds: int) -> None:
        self.counted: Floats = np.zeros((rows, kinds))
        self.out_of: Floats = np.zeros((rows, kinds))
        self.visits: npt.NDArray[np.int64] = np.zeros(rows, np.int64)
        self.began = -DAY

    def grow(self, rows: int) -> None:
        """Make room for so many entities."""
        more = rows - len(self.visits)
        self.counted = np.pad(self.counted, ((0, more), (0, 0)))
        self.out_of = np.pad(self.out_of, ((0, more), (0, 0)))
        self.visits = np.pad(self.visits, (0, more))


class Seasons:
    """The week of every series of a table. `changed` are the hours that changed since cleared."""

    def __init__(self, rows: int, kinds: int) -> None:
        self.hours = [Hour(rows, kinds) for _ in range(HOURS)]
        self.noise: Floats = np.zeros((rows, kinds))
        self.changed: set[int] = set(range(HOURS))
        self._cached: dict[int, tuple[Floats, Floats]] = {}
        self._total: tuple[Floats, Floats] | None = None
        self._days: Floats | None = None

    def grow(self, rows: int) -> None:
        """Make room for so many entities."""
        for hour in self.hours:
            hour.grow(rows)
        self.noise = np.pad(self.noise, ((0, rows - len(self.noise)), (0, 0)))
        self.touch(range(HOURS))

    def touch(self, hours: range) -> None:
        """Note that hours changed."""
        self.changed.update(hours)
        self._cached.clear()
        self._total = self._days = None

    def fold(
        self,
        at: int,
        began: int,
        *,
        counted: Floats,
        out_of: Floats,
        alive: npt.NDArray[np.bool_],
        noise: Floats,
    ) -> None:
        """Add an hour that is over: what was counted in it, out of how much, and who was there.

        `noise` is the relative variance of one visit, beyond chance.
        """
        hour = self.hours[at]
        again = began - hour.began < DAY
        keep = 1.0 if again else KEEP
        hour.counted = keep * hour.counted + counted
        hour.out_of = keep * hour.out_of + out_of
        if not again:
            hour.visits = hour.visits + alive
        hour.began = began
        self.noise = noise
        self.touch(range(at, at + 1))

    def scale(self, row: int, kind: int, factor: float) -> None:
        """Multiply all hours of a series: its level has changed, its shape has not."""
        _, out_of = self.total()
        least = LEAST / max(float(out_of[row, kind]), 1.0)
        for hour in self.hours:
            hour.counted[row, kind] += least * hour.out_of[row, kind]
            hour.counted[row, kind] *= factor
        self.touch(range(HOURS))

    def clear(self, row: int, kinds: list[int]) -> None:
        """Forget some series of an entity."""
        self.noise[row, kinds] = 0.0
        for hour in self.hours:
            hour.counted[row, kinds] = 0.0
            hour.out_of[row, kinds] = 0.0
            if len(kinds) == hour.counted.shape[1]:
                hour.visits[row] = 0
        self.touch(range(HOURS))

    def total(self) -> tuple[Floats, Floats]:
        """Return what all hours together have: counted, out of how much."""
        if self._total is None:
            counted = np.sum([hour.counted for hour in self.hours], axis=0)
            self._total = counted, np.sum([hour.out_of for hour in self.hours], axis=0)
        return self._total

    def rates(self, at: int) -> tuple[Floats, Floats]:
        """Return the rates of an hour of the week, and how many counts they are made from."""
        if at not in self._cached:
            self._cached[at] = self._rates(at)
        return self._cached[at]

    def _rates(self, at: int) -> tuple[Floats, Floats]:
        counted, out_of = self.total()
        mean = (counted + LEAST) / np.maximum(out_of, 1.0)
        same = self._of_day(at % 24)
        day_counted: Floats = np.sum([hour.counted for hour in same], axis=0)
        day_out_of: Floats = np.sum([hour.out_of for hour in same], axis=0)
        of_day = (day_counted + PRIOR) / (day_out_of + PRIOR / mean)
        hour = self.hours[at]
        of_week = (hour.counted + PRIOR) / (hour.out_of + PRIOR / of_day)
        visits = hour.visits[:, None]
        one = self.noise + visits / (hour.counted + LEAST)
        lacking = np.where(visits < SEEN, one / self._between(), 0.0)
        trust = visits / np.maximum(visits + lacking, LEAST)
        rate = trust * of_week + (1.0 - trust) * of_day
        return rate, np.minimum(day_counted + PRIOR, counted + LEAST)

    def _of_day(self, at: int) -> list[Hour]:
        return [self.hours[day * 24 + at] for day in range(7)]

    def _between(self) -> Floats:
        """Return the relative variance of the seven days of one hour, as a mean over the hours."""
        if self._days is None:
            counted = np.array([hour.counted for hour in self.hours])
            out_of = np.array([hour.out_of for hour in self.hours])
            shape = (7, 24, *counted.shape[1:])
            counted, out_of = counted.reshape(shape), out_of.reshape(shape)
            whole = counted.sum(axis=0) / np.maximum(out_of.sum(axis=0), 1.0)
            apart = out_of * (counted / np.maximum(out_of, 1.0) - whole) ** 2
            chance = (out_of > 0).sum(axis=0) * whole  # what `apart` were if all days were alike
            excess = (apart.sum(axis=0) - chance).sum(axis=0)
            weight = (out_of.sum(axis=0) * whole**2).sum(axis=0)
            self._days = np.maximum(excess / np.maximum(weight, 1e-9) - self.noise, 1e-6)
        return self._days

    def around(self, moment: Moment, length: int) -> tuple[Floats, Floats]:
        """Return the rates in the middle of a pane that begins then, and their counts.

        An hour's rate is that of its middle; between two of them it is a straight line.
        """
        part = moment.part + length / 2 / HOUR - 0.5
        here, counts = self.rates(moment.hour)
        beside, _ = self.rates((moment.hour + (1 if part > 0 else -1)) % HOURS)
        return here + (beside - here) * abs(part), counts

    def known(self, at: int) -> npt.NDArray[np.bool_]:
        """Return which entities have seen this hour of the day on some day."""
        seen = [self.hours[day * 24 + at % 24].visits for day in range(7)]
        found: npt.NDArray[np.bool_] = np.sum(seen, axis=0) > 0
        return found
