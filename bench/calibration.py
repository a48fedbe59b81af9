"""Whether p-values of spikes are what they say, how many false alarms come, and what is found.

    python -m bench.calibration [--seeds 20] [--series 12] [--first 0]

Counts of benign fortnights are drawn straight into the baselines, many series at once: a week of
hours with its nights and weekends, days that differ by 5 %, an intensity that wanders (AR(1), 20
minutes), noise of single panes beyond chance, and bursts by the day. The first week is learned, the
second is judged. Then the same with a doubling or a halving of half an hour in series of 100 per
five minutes, and with traffic that doubles for good.
"""

import argparse
import time
from dataclasses import dataclass
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.learned.spikes.baselines import Baselines
from detectors.learned.spikes.kinds import LEVELS
from detectors.learned.spikes.scores import DOWN, UP, Limits, chance_of
from detectors.learned.spikes.seasons import DAY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]

MONDAY: Final = 1_699_833_600_000_000
DAYS: Final = 14
LEARNED: Final = 7
ACCEPTED: Final = 1.0 / LEVELS
LEAST: Final = 30.0
ALPHAS: Final = (0.01, 0.001)
SATURDAY: Final = 5

#: Sites of 200 series that are drawn.
LARGE: Final = 4

#: Changes are tried where traffic is within this of its mean.
NEAR_MEAN: Final = 0.1

#: Mean counts a pane; a third of the series each.
MEANS: Final = {1: (5.0, 100.0, 1_000.0), 5: (10.0, 100.0, 2_000.0)}
WINDOWS: Final = {1: (1, 5, 30), 5: (1, 6)}


@dataclass(frozen=True, slots=True)
class Noise:
    """What benign traffic does beyond its week and chance; `bursts` a day."""

    wander: float
    panes: float
    bursts: float
    size: float


NOISES: Final = {
    "calm": Noise(0.08, 0.05, 0.5, 0.2),
    "usual": Noise(0.15, 0.10, 1.0, 0.2),
    "wild": Noise(0.25, 0.20, 3.0, 0.3),
}


def week(minutes: Floats) -> Floats:
    """Relative traffic, linear between full hours: two humps a day, less at the weekend."""
    hours = np.arange(169) % 168
    day = hours % 24
    humps = 1 + 0.75 * np.sin((day - 9) / 12 * np.pi) + 0.25 * np.sin((day - 6) / 6 * np.pi)
    shape = np.maximum(humps, 0.15) * np.where(hours // 24 >= SATURDAY, 0.6, 1.0)
    found: Floats = np.interp((minutes / 60) % 168, np.arange(169), shape / shape[:168].mean())
    return found


def intensity(
    rng: np.random.Generator, means: Floats, minutes: int, noise: Noise, days: int = DAYS
) -> Floats:
    """Expected counts of each pane and series before chance."""
    panes, series = days * 1440 // minutes, len(means)
    keep = np.exp(-minutes / 20)
    steps = rng.normal(size=(panes, series)) * np.sqrt(1 - keep**2)
    wander = np.empty((panes, series))
    wander[0] = rng.normal(size=series)
    for at in range(1, panes):
        wander[at] = keep * wander[at - 1] + steps[at]
    by_day = np.exp(rng.normal(0, 0.05, (days, series))).repeat(1440 // minutes, axis=0)
    shape = 1 / noise.panes**2
    found = means * week(np.arange(panes) * float(minutes))[:, None] * by_day
    found = found * np.exp(noise.wander * wander - noise.wander**2 / 2)
    found *= rng.gamma(shape, 1 / shape, (panes, series))
    for one in range(series):
        for _ in range(rng.poisson(noise.bursts * days)):
            begin = rng.integers(panes)
            length = max(1, round(rng.exponential(10) / minutes))
            found[begin : begin + length, one] *= 1 + rng.exponential(noise.size)
    return np.asarray(found, np.float64)


@dataclass(frozen=True, slots=True)
class Judged:
    """Runs of violations: pane, series and side of each beginning; and p-values below ALPHAS."""

    runs: list[tuple[int, int, int]]
    below: Ints
    panes: int
    changed: list[tuple[int, int]]


def judge(counts: Ints, minutes: int, chance: float) -> Judged:
    """Learn and judge counts; p-values are those of all windows and both sides."""
    panes, series = counts.shape
    length = minutes * 60_000_000
    base = Baselines(
        kinds=1,
        length=length,
        windows=WINDOWS[minutes],
        zone=ZoneInfo("UTC"),
        learning=LEARNED * DAY,
    )
    base.reserve(series)
    for row in range(series):
        base.add(row, MONDAY)
    every = np.ones((series, 1), np.bool_)
    least = np.full((series, 1), LEAST)
    limits = Limits(np.full((series, 1), chance), (least, least), (every, every))
    cells = np.arange(series), np.zeros(series, np.int64)
    below = np.zeros((len(WINDOWS[minutes]), 2, len(ALPHAS)), np.int64)
    last: dict[tuple[int, int], int] = {}
    runs: list[tuple[int, int, int]] = []
    changed: list[tuple[int, int]] = []
    gap = max(WINDOWS[minutes])
    for at in range(panes):
        count = counts[at].astype(np.float64)[:, None]
        for each in base.step(MONDAY + at * length, count, np.ones_like(count), limits):
            key = each.row, each.side
            if at - last.get(key, -gap - each.panes) > gap:
                runs.append((at, *key))
            last[key] = at
            if each.ends:
                changed.append((at, each.row))
        if at >= LEARNED * 1440 // minutes:
            for window in range(len(base.windows)):
                for side in (UP, DOWN):
                    p = base.chances(window, side, cells)
                    below[window, side] += [(p < alpha).sum() for alpha in ALPHAS]
    return Judged(runs, below, (panes - LEARNED * 1440 // minutes) * series, changed)


def limit_of(minutes: int, series: int) -> float:
    """The limit of p: what is accepted over the tests a day, both sides."""
    tests = 1440 // minutes * len(WINDOWS[minutes]) * series * 2
    return chance_of(ACCEPTED, tests)


def benign(minutes: int, series: int, seeds: range, name: str) -> None:
    """Print the shares of small p-values and the mean alarms a day of a site."""
    began = time.process_time()
    drawn = []
    for seed in seeds:
        rng = np.random.default_rng([seed, minutes])
        means = np.resize(MEANS[minutes], series).astype(np.float64)
        drawn.append(rng.poisson(intensity(rng, means, minutes, NOISES[name])))
    judged = judge(np.concatenate(drawn, axis=1), minutes, limit_of(minutes, series))
    print(f"{name}, {minutes} min: {judged.panes:,} panes, {time.process_time() - began:.0f} s")
    for at, window in enumerate(WINDOWS[minutes]):
        shares = judged.below[at] / judged.panes / np.array(ALPHAS)
        told = "  ".join(
            f"{side} {shares[at_side, 0]:.2f} {shares[at_side, 1]:.2f}"
            for at_side, side in ((UP, "up"), (DOWN, "down"))
        )
        print(f"  window {window * minutes:2} min, share below 0.01 and 0.001 by nominal: {told}")
    alarms = len(judged.runs) / len(seeds) / (DAYS - LEARNED)
    print(f"  alarms a day and site of {series} series: {alarms:.3f} (accepted {ACCEPTED:.3f})")


def power(
    factor: float, series: int, name: str, *, minutes: int = 5, watched: int = 200, seed: int = 0
) -> float:
    """Print and return in how many series a change of half an hour is found.

    The limit is that of a site with `watched` series. The change comes at a time of its own in
    each series, where 100 per five minutes are expected. Nine series beside each have none: all
    learn from all, and what every series does once a week would be usual.
    """
    rng = np.random.default_rng([seed, round(factor * 100), minutes])
    rates = intensity(rng, np.full(10 * series, 20.0 * minutes), minutes, NOISES[name])
    panes = np.arange(len(rates))
    busy = np.abs(week(panes * float(minutes)) - 1) < NEAR_MEAN
    places = np.flatnonzero(busy & (panes * minutes > (LEARNED + 1) * 1440) & (panes < panes[-60]))
    begin = rng.choice(places, series)
    length = 30 // minutes
    for one, at in enumerate(begin):
        rates[at : at + length, one] *= factor
    judged = judge(rng.poisson(rates), minutes, limit_of(minutes, watched))
    wanted = UP if factor > 1 else DOWN
    found = {
        row
        for at, row, side in judged.runs
        if side == wanted
        and row < series
        and begin[row] <= at < begin[row] + length + max(WINDOWS[minutes]) - 1
    }
    share = len(found) / series
    print(
        f"{name}, x{factor} for 30 min, {minutes} min panes, {watched} series watched:"
        f" found in {share:.0%} of {series}"
    )
    return share


def launch(series: int, name: str, *, seed: int = 0) -> None:
    """Print how often traffic that doubles for good alarms, and that it becomes the new level."""
    rng = np.random.default_rng([seed, 11])
    rates = intensity(rng, np.full(series, 100.0), 5, NOISES[name], days=DAYS + 2)
    begin = (LEARNED + 1) * 288 + 120
    rates[begin:] *= 2
    judged = judge(rng.poisson(rates), 5, limit_of(5, 200))
    learned = {row: at for at, row in judged.changed}
    alarms = [(row, at) for at, row, _ in judged.runs if at >= begin]
    of_launch = [row for row, at in alarms if at <= learned.get(row, at)]
    once = (np.bincount(of_launch, minlength=series) == 1).mean()
    days = DAYS + 2 - begin / 288 - 1
    later = (len(alarms) - len(of_launch)) / series / days * 200
    print(
        f"{name}, doubled for good: one alarm until it is learned in {once:.0%}, learned in"
        f" {len(learned) / series:.0%}; in the {days:.0f} days after {later:.2f} alarms a day"
        f" and 200 series (accepted {ACCEPTED:.2f})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--series", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    for name in NOISES:
        for minutes in MEANS:
            benign(minutes, options.series, seeds, name)
        benign(5, 200, range(options.first, options.first + LARGE), name)
    for name in ("calm", "usual"):
        for factor, watched in product((2.0, 0.5), (200, 12)):
            power(factor, 100, name, watched=watched, seed=options.first)
        launch(50, name, seed=options.first)


if __name__ == "__main__":
    main()
