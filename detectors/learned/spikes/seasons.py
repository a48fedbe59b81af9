"""How often each hour of the week has what: the shape of a week that counts are expected to have.

Hours are those of people, in a set time zone: when clocks change, the shape moves with them. An
hour that comes twice on the night clocks go back counts as one visit. What was seen is forgotten
slowly (KEEP a week), so that a season of the year can pass.

Of each series and hour two sums are kept: what was counted, and out of how much (panes, for
volumes; requests, for shares). A week is, first of all, hours of the day times days of the week,
fitted by turns as Poisson counts (iterative proportional fitting; Bishop, Fienberg and Holland,
Discrete Multivariate Analysis, 3.5): so each is learned from all days and all hours, and one odd
hour tells little. An hour of the week is shrunk towards that product by PRIOR counts (the mean of a
Gamma posterior) and, until it was seen SEEN times, by Buehlmann's credibility n / (n + s / t): n
visits, s the relative variance of one visit, t that of hours around the product (Buehlmann and
Gisler, A Course in Credibility Theory, 3.1): where weekends have a shape of their own, one of them
tells a lot. What may remain between an hour and its rate, t (1 - n / (n + s / t)), is said with it.
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

#: By what part of a change of slope a straight line between two hours is off.
BENT: Final = 0.25
PRIOR: Final = 5.0

#: What is not known of an hour is not known of those before it either, and so is in the level.
DOUBTS: Final = 2.0

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


class Rates(NamedTuple):
    """Rates of an hour of the week, and the relative variances of what is not known of them.

    `uncertain` is as rates are made from counts, `doubt` as the hour has been seen too seldom.
    """

    rate: Floats
    uncertain: Floats
    doubt: Floats


class _Fit(NamedTuple):
    """Rates by hour of the day, factors by day of the week, and what they leave unexplained.

    `between` is the relative variance of the hours of each day around the product of the two,
    `uncertain` that of the product, as it is made from counts, of each day and hour.
    """

    of_hour: Floats
    of_day: Floats
    between: Floats
    uncertain: Floats


class Seasons:
    """The week of every series of a table. `changed` are the hours that changed since cleared."""

    def __init__(self, rows: int, kinds: int) -> None:
        self.hours = [Hour(rows, kinds) for _ in range(HOURS)]
        self.noise: Floats = np.zeros((rows, kinds))
        self.clump: Floats = np.ones((rows, kinds))
        self.changed: set[int] = set(range(HOURS))
        self._cached: dict[int, Rates] = {}
        self._total: tuple[Floats, Floats] | None = None
        self._fitted: _Fit | None = None

    def grow(self, rows: int) -> None:
        """Make room for so many entities."""
        for hour in self.hours:
            hour.grow(rows)
        more = ((0, rows - len(self.noise)), (0, 0))
        self.noise = np.pad(self.noise, more)
        self.clump = np.pad(self.clump, more, constant_values=1.0)
        self.touch(range(HOURS))

    def touch(self, hours: range) -> None:
        """Note that hours changed."""
        self.changed.update(hours)
        self._cached.clear()
        self._total = self._fitted = None

    def fold(
        self,
        at: int,
        began: int,
        *,
        counted: Floats,
        out_of: Floats,
        alive: npt.NDArray[np.bool_],
        noise: Floats,
        clump: Floats,
    ) -> None:
        """Add an hour that is over: what was counted in it, out of how much, and who was there.

        `noise` is the relative variance of one visit, beyond chance; `clump` is how many counts
        come at once, so that chance is as much larger.
        """
        hour = self.hours[at]
        again = began - hour.began < DAY
        keep = 1.0 if again else KEEP
        hour.counted = keep * hour.counted + counted
        hour.out_of = keep * hour.out_of + out_of
        if not again:
            hour.visits = hour.visits + alive
        hour.began = began
        self.noise, self.clump = noise, clump
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
        self.clump[row, kinds] = 1.0
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

    def rates(self, at: int) -> Rates:
        """Return the rates of an hour of the week."""
        if at not in self._cached:
            self._cached[at] = self._rates(at)
        return self._cached[at]

    def _rates(self, at: int) -> Rates:
        if self._fitted is None:
            self._fitted = self._fit()
        fitted = self._fitted
        expected = fitted.of_hour[at % 24] * fitted.of_day[at // 24]
        hour = self.hours[at]
        prior = PRIOR * self.clump
        of_week = (hour.counted + prior) / (hour.out_of + prior / expected)
        visits = hour.visits[:, None]
        one = self.noise + visits * self.clump / (hour.counted + LEAST)
        between = fitted.between[at // 24]
        lacking = np.where(visits < SEEN, one / between, 0.0)
        trust = visits / np.maximum(visits + lacking, LEAST)
        rate = trust * of_week + (1.0 - trust) * expected
        return Rates(rate, fitted.uncertain[at // 24, at % 24], (1.0 - trust) * between)

    def _fit(self) -> _Fit:
        """Fit hours of the day times days of the week (Poisson likelihood, by turns)."""
        counted = np.array([hour.counted for hour in self.hours])
        out_of = np.array([hour.out_of for hour in self.hours])
        shape = (7, 24, *counted.shape[1:])
        counted, out_of = counted.reshape(shape), out_of.reshape(shape)
        by_hour, by_day = counted.sum(axis=0), counted.sum(axis=1)
        total = by_day.sum(axis=0)
        mean = (total + LEAST) / np.maximum(out_of.sum(axis=(0, 1)), 1.0)
        prior = PRIOR * self.clump
        of_hour = (by_hour + prior) / (out_of.sum(axis=0) + prior / mean)
        of_day = np.ones_like(by_day)
        for _ in range(2):
            of_day = (by_day + prior) / ((out_of * of_hour).sum(axis=1) + prior)
            through = (out_of * of_day[:, None]).sum(axis=0)
            of_hour = (by_hour + prior) / (through + prior / mean)
        whole = of_hour * of_day[:, None]
        apart = out_of * (counted / np.maximum(out_of, 1.0) - whole) ** 2
        chance = self.clump * (out_of > 0) * whole  # what `apart` were if that were all
        beyond, weight = (apart - chance).sum(axis=1), (out_of * whole**2).sum(axis=1)
        beyond, weight = beyond + beyond.mean(axis=0), weight + weight.mean(axis=0)
        between = beyond / np.maximum(weight, 1e-9) - self.noise
        uncertain = self.clump * (
            1.0 / np.minimum(by_hour + prior, total + LEAST) + 1.0 / (by_day + prior)[:, None]
        )
        return _Fit(of_hour, of_day, np.maximum(between, 1e-6), uncertain)

    def around(self, moment: Moment, length: int) -> tuple[Floats, Floats]:
        """Return the rates in the middle of a pane that begins then, and their relative variance.

        An hour's rate is that of its middle; between two of them it is a straight line. That comes
        from few counts; and where the slope changes, as at the begin of a weekend, the line is off
        by about BENT of the change.
        """
        part = moment.part + length / 2 / HOUR - 0.5
        side = 1 if part > 0 else -1
        here, uncertain, doubt = self.rates(moment.hour)
        before, beside, after = (
            self.rates((moment.hour + by * side) % HOURS).rate for by in (-1, 1, 2)
        )
        rate = here + (beside - here) * abs(part)
        bent = np.maximum(abs(before - 2 * here + beside), abs(here - 2 * beside + after))
        line = (BENT * bent / np.maximum(rate, 1e-12)) ** 2
        return rate, uncertain + line + DOUBTS * doubt

    def known(self, at: int) -> npt.NDArray[np.bool_]:
        """Return which entities have seen this hour of the day on some day."""
        seen = [self.hours[day * 24 + at % 24].visits for day in range(7)]
        found: npt.NDArray[np.bool_] = np.sum(seen, axis=0) > 0
        return found
