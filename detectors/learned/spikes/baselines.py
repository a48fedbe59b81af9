"""What is expected of many series of counts at once, and how much more or less there was.

Each series is a rate that follows its week (`seasons`) times a level that follows the last hours
(`levels`), and varies more than chance (`spreads`): the next count is negative binomial (`tails`),
and how unlikely it is, is held against what came before (`extremes`).

Windows are sums over the last 1 to `reach` panes. A pane is learned only when no window can reach
it any more, and not if it was part of one that was out of the ordinary; so a slow start of
something unusual is not learned before it is seen. What is out of the ordinary is followed until it
is over, or the new level (`runs`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from detectors.learned.spikes.arrays import Arrays, Bools, Cells
from detectors.learned.spikes.extremes import Extremes, excesses
from detectors.learned.spikes.judging import Judged
from detectors.learned.spikes.levels import HALF_LIFE as LEVEL_HALF_LIFE
from detectors.learned.spikes.levels import Levels
from detectors.learned.spikes.rings import Rings
from detectors.learned.spikes.runs import SLIGHT, Runs, bounds, inside
from detectors.learned.spikes.scores import SIDES, UP, Limits, Scores, Violation
from detectors.learned.spikes.seasons import LEAST, Seasons, local
from detectors.learned.spikes.series import Series
from detectors.learned.spikes.spreads import HALF_LIFE as SPREAD_HALF_LIFE
from detectors.learned.spikes.spreads import Spreads
from detectors.learned.spikes.tails import Floats

#: What variance and tails of the time of learning are worth afterwards, when weekends are known.
FIRST_WEEK: Final = 0.25


class Baselines:
    """The state of all series of one pane length: rows are entities, columns are kinds.

    `windows` are lengths in panes, ascending; the longest is the reach of all. `learning` (us) is
    how long a series only learns.
    """

    def __init__(
        self, *, kinds: int, length: int, windows: Sequence[int], zone: ZoneInfo, learning: int
    ) -> None:
        self.kinds, self.length, self.windows = kinds, length, tuple(windows)
        self.reach = self.windows[-1]
        self.learning = learning
        self._zone = zone
        self._level_keep = 0.5 ** (length / LEVEL_HALF_LIFE)
        self._spread_keep = 0.5 ** (length / SPREAD_HALF_LIFE)
        self.rows = 0
        self.hour = -1
        self.hour_began = 0
        self.scores = Scores.none(len(self.windows), kinds)
        sizes = {"windows": len(self.windows), "reach": self.reach, "sides": SIDES}
        self.seasons = Seasons(0, kinds)
        self.series = Series(kinds, sizes)
        self.levels = Levels(kinds, sizes)
        self.spreads = Spreads(kinds, sizes)
        self.extremes = Extremes(kinds, sizes)
        self.rings = Rings(kinds, sizes)
        self.runs = Runs(kinds, sizes)
        #: What is kept as arrays, by the names that they have in a snapshot.
        self.parts: dict[str, Arrays] = {
            "series": self.series,
            "levels": self.levels,
            "spreads": self.spreads,
            "extremes": self.extremes,
            "rings": self.rings,
            "runs": self.runs,
        }

    def add(self, row: int, time: int) -> None:
        """Begin anew with a row, of an entity that is first seen in the pane of this time."""
        if row >= self.rows:
            self.reserve(max(8, 2 * self.rows, row + 1))
        self.clear(row, list(range(self.kinds)), time)

    def reserve(self, rows: int) -> None:
        """Make room for so many rows."""
        if rows <= self.rows:
            return
        self.rows = rows
        for part in self.parts.values():
            part.grow(self.rows)
        self.seasons.grow(self.rows)

    def clear(self, row: int, kinds: list[int], time: int) -> None:
        """Forget all that is known of some series; they learn from this time on."""
        for part in self.parts.values():
            part.clear(row, kinds)
        self.series.since[row, kinds] = time
        self.seasons.clear(row, kinds)

    def mature(self, time: int) -> Bools:
        """Return which series have learned for long enough."""
        since = self.series.since
        found: Bools = (since > 0) & (time - since >= self.learning)
        return found

    def step(self, time: int, counted: Floats, out_of: Floats, limits: Limits) -> list[Violation]:
        """Score the pane that begins at a time; what left the windows with it is learned first.

        `counted` and `out_of` are arrays over (rows, kinds); where there is nothing to count out
        of, nothing is expected.
        """
        slot = time // self.length % self.reach
        self._clump, self._noise = self._varying()
        self._learn_oldest(time, slot)
        self._begin(time)
        moment = local(time, self._zone)
        rates, season = self.seasons.around(moment, self.length)
        self.rings.put(slot, counted, out_of, rates * out_of)
        self.series.age += self.series.alive
        self.scores = self._score(slot, season)
        known = self.seasons.known(moment.hour)[:, None] & self.series.alive
        excess = excesses(self.scores, known)
        self.rings.excess[:, slot] = excess
        judged = Judged(self.scores, self.extremes, limits, self.windows, time, self.length)
        found = self._follow(time, slot, judged.violations(self.mature(time)), excess)
        teaching = ~self.runs.open | (time - self.runs.began < self.reach * self.length)
        self.spreads.learn(self.scores, known & teaching.all(axis=1), self._spread_keep)
        return found

    def chances(self, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values of some cells (rows, kinds) of a window, as they are told."""
        return self.extremes.chances(self.scores, at, side, cells)

    def pause(self, panes: int) -> None:
        """Note that so many panes were not seen: no window or run reaches over them."""
        self.series.age[:] = 0
        self.levels.fade(self._level_keep**panes)
        self.runs.close(self.runs.open)

    def _varying(self) -> tuple[Floats, Floats]:
        """Return how many counts come at once, and the relative variance, of longest windows."""
        self._spread = self.spreads.now()
        return 1.0 + self._spread[0][:, -1], self._spread[1][:, -1]

    def _begin(self, time: int) -> None:
        """Let go of the levels of series that have just learned their week.

        Until then each hour was expected to be as on other days; the level of the last hours of a
        first Sunday, against the other days, says nothing about the Monday after. And the tails and
        the variance of such a week say little.
        """
        since = self.series.since
        fresh = (since > 0) & (time - since == self.learning)
        if fresh.any():
            self.levels.forget(fresh)
            self.extremes.weaken(fresh, FIRST_WEEK)
            self.spreads.weaken(fresh, FIRST_WEEK)

    def _learn_oldest(self, time: int, slot: int) -> None:
        """Learn the pane that leaves all windows, where it was nothing out of the ordinary."""
        rings = self.rings
        known = (self.series.age >= self.reach) & ~rings.odd[:, slot]
        if not known.any():
            return
        was = local(time - self.reach * self.length, self._zone)
        if was.began != self.hour_began:
            self._fold()
            self.hour, self.hour_began = was.hour, was.began
        counted, out_of = rings.counted[:, slot], rings.out_of[:, slot]
        excess = np.where(known[:, None, None], rings.excess[:, slot], -1.0)
        self.extremes.learn(excess, self._spread_keep)
        self.series.hour_counted += known * counted
        self.series.hour_out_of += known * out_of
        self.levels.learn(counted, rings.expected[:, slot], known, self._level_keep)

    def _fold(self) -> None:
        if self.hour < 0:
            return
        since = self.series.since[:, 0]
        counted, out_of = self.series.end_hour()
        self.seasons.fold(
            self.hour,
            self.hour_began,
            counted=counted,
            out_of=out_of,
            alive=(since > 0) & (since <= self.hour_began),
            noise=self._noise,
            clump=self._clump,
        )

    def _score(self, slot: int, season: Floats) -> Scores:
        counted, expected = self.rings.sums(slot, self.windows)
        level, doubt = self.levels.now(self._clump)
        expected *= level[:, None]
        uncertain = np.repeat((season + doubt)[:, None], len(self.windows), axis=1)
        clump, noise = self._spread
        spread = clump / np.maximum(expected, LEAST) + noise + uncertain
        deviation = np.sqrt(expected * (1.0 + expected * spread))
        age = self.series.age[:, None] >= np.array(self.windows)[None, :, None]
        return Scores(counted, expected, spread, uncertain, deviation, age & (expected > 0))

    def _follow(
        self, time: int, slot: int, found: list[Violation], excess: Floats
    ) -> list[Violation]:
        """Keep account of what is out of the ordinary, and take what lasts as the new level.

        A run is told often enough to stay one finding. Until it is over nothing is learned.
        """
        runs = self.runs
        told = [self._opened(each, time, slot, excess) for each in found]
        if not runs.open.any():
            return told
        level, _ = self.levels.now(self._clump)
        runs.account(self.rings.counted[:, slot], level * self.rings.expected[:, slot])
        back = inside(self.scores)
        runs.inside = np.where(back, runs.inside + 1, 0)
        runs.close(runs.open & (runs.inside >= self.reach))
        self.rings.odd[:, slot] |= runs.open.any(axis=1)
        lasting = runs.lasting(time + self.length)
        quiet = runs.open & ~lasting & (time - runs.last >= (self.reach - 1) * self.length)
        quiet &= (self.series.age >= self.reach)[:, None] & ~back
        ended = {(row, kind, side) for row, side, kind in np.argwhere(lasting).tolist()}
        return [
            *(each for each in told if (each.row, each.kind, each.side) not in ended),
            *(self._continued(row, side, kind, time) for row, side, kind in np.argwhere(quiet)),
            *(self._ended(row, side, kind, time) for row, kind, side in sorted(ended)),
        ]

    def _opened(self, each: Violation, time: int, slot: int, excess: Floats) -> Violation:
        """Note a violation: it begins a run, or belongs to that which is open."""
        runs, place = self.runs, (each.row, each.side, each.kind)
        if not runs.began[place]:
            runs.began[place] = each.began
            tails = excess[each.row, :, each.side, each.kind]
            self.extremes.learn_run(each.row, each.side, each.kind, tails)
        else:
            each = replace(each, began=min(each.began, int(runs.last[place])))
        runs.last[place] = time
        places = self.rings.places(slot, each.panes)
        self.rings.odd[each.row, places, each.kind] = True
        return each

    def _continued(self, row: int, side: int, kind: int, time: int) -> Violation:
        """Tell that a run goes on, though it is less unlikely than when it began."""
        at, runs, scores = len(self.windows) - 1, self.runs, self.scores
        bound, last = float(bounds(scores)[row, side, kind]), int(runs.last[row, side, kind])
        runs.last[row, side, kind] = time
        return Violation(
            row=int(row),
            kind=int(kind),
            side=int(side),
            panes=self.reach,
            counted=round(float(scores.counted[row, at, kind])),
            expected=float(scores.expected[row, at, kind]),
            limit=math.ceil(bound) if side == UP else int(bound),
            chance=float(self.chances(at, side, (np.array([row]), np.array([kind])))[0]),
            began=min(time - (self.reach - 1) * self.length, last),
            goes_on=True,
        )

    def _ended(self, row: int, side: int, kind: int, time: int) -> Violation:
        """Take the level of a run as the new one, and tell that."""
        runs, place = self.runs, (row, side, kind)
        counted, expected = float(runs.counted[place]), float(runs.expected[place])
        told = replace(
            self._continued(row, side, kind, time),
            counted=round(counted),
            expected=expected,
            limit=math.ceil(min(counted, SLIGHT * expected))
            if side == UP
            else int(max(counted, expected / SLIGHT)),
            began=int(runs.began[place]),
            goes_on=False,
            ends=True,
        )
        factor = (counted + LEAST) / (expected + LEAST)
        self.seasons.scale(row, kind, factor)
        self.series.hour_counted[row, kind] *= factor
        self.levels.clear(row, [kind])
        self.series.age[row, kind] = 0
        runs.clear(row, [kind])
        return told
