"""What is expected of many series of counts at once, and how much more or less there was.

Each series is a rate that follows its week (`seasons`) times a level that follows the last hours:
a Gamma-Poisson model with forgetting. Its level has a Gamma distribution; what was counted adds to
its shape and what was expected to its rate, and both are forgotten with a half-life (West and
Harrison, Bayesian Forecasting and Dynamic Models, 2nd ed., 10.8 and 14.3). So the next count is
negative binomial (`tails`). Traffic varies more than such a model says: the relative variance that
remains (`spread`) is learned by the method of moments, for each window of its own, because bursts
make neighbouring panes alike, and sums over several of them vary more than single panes tell.

Windows are sums over the last 1 to REACH panes. A pane is learned only when no window can reach it
any more, and not if it was part of one that was out of the ordinary; so a slow start of something
unusual is not learned before it is seen. What lasts for LASTING on one side is the new level.

Bursts have heavier tails than any Gamma mixture that fits the rest, so p-values are held against
those that came before: with E = -ln p, which is exponential where the model is right, what exceeds
E_u = -ln TAIL is taken as exponential with the mean excess that was seen (peaks over threshold,
Coles, An Introduction to Statistical Modeling of Extreme Values, 4.3, with shape 0), and as often
exceeded as it was. A series is shrunk towards all of its kind. The larger p-value counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.learned.spikes.seasons import DAY, HOUR, LEAST, Moment, Seasons, local
from detectors.learned.spikes.tails import Floats, lower, upper

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Cells = tuple[Ints, Ints]

#: Deviation on one side that has lasted so long is the new level.
LASTING: Final = DAY

#: Half-lives (us) of the level, and of the relative variance.
LEVEL_HALF_LIFE: Final = 2 * HOUR
SPREAD_HALF_LIFE: Final = 7 * DAY

#: Counts that the level's prior (its season is right) is worth.
LEVEL_PRIOR: Final = 10.0

#: The relative variance that is assumed at first, and how much seeing that is worth.
SPREAD_PRIOR: Final = 0.05
SPREAD_WEIGHT: Final = 50.0

#: Counts no further from their mean than this many standard deviations are in no tail.
NEAR: Final = 1.2

#: Counts further than so many standard deviations teach the variance as if they were so far.
FAR: Final = 3.5

#: What the variance of the time of learning is worth afterwards, when weekends are known.
FIRST_WEEK: Final = 0.25

#: P-values below this are held against those that came before; an excess (of -ln p) counts up to
#: the most; and how many exceeding panes a prior is worth: for one series all of its kind, for all
#: of them a model that is nearly right.
TAIL: Final = 0.02
MOST_EXCESS: Final = 8.0
TAIL_WEIGHT: Final = 30.0
TAIL_EXCESS: Final = 1.2

#: Counts that are not so many times what is expected matter to nobody, however unlikely.
MORE: Final = 1.5
LESS: Final = 2 / 3

UP, DOWN = 0, 1

#: Halvings of the interval in which a limit is looked for; what is told is near enough.
_HALVINGS: Final = 24


class Limits(NamedTuple):
    """What must be exceeded: arrays that broadcast to (rows, kinds), those of sides UP and DOWN.

    `chance` is the p-value, `least` by how many counts; `judged` are the kinds that are judged.
    """

    chance: Floats
    least: tuple[Floats, Floats]
    judged: tuple[Bools, Bools]


@dataclass(frozen=True, slots=True)
class Score:
    """A window of each series: what was counted and expected, and the relative variance of that.

    `uncertain` is the part of it that comes from what is not known yet.
    """

    panes: int
    counted: Floats
    expected: Floats
    spread: Floats
    uncertain: Floats
    valid: Bools


@dataclass(frozen=True, slots=True)
class Violation:
    """A window of one series that is out of the ordinary, and when it begins (us).

    `ends` says that it has been so for so long that it is the new level.
    """

    row: int
    kind: int
    side: int
    panes: int
    counted: int
    expected: float
    limit: int
    chance: float
    began: int
    ends: bool = False


class Baselines:
    """The state of all series of one pane length: rows are entities, columns are kinds.

    `windows` are lengths in panes; the longest is the reach of all. `learning` (us) is how long a
    series only learns.
    """

    def __init__(
        self, *, kinds: int, length: int, windows: Sequence[int], zone: ZoneInfo, learning: int
    ) -> None:
        self.kinds, self.length, self.windows = kinds, length, tuple(windows)
        self.reach = max(windows)
        self.learning = learning
        self._zone = zone
        self._level_keep = 0.5 ** (length / LEVEL_HALF_LIFE)
        self._spread_keep = 0.5 ** (length / SPREAD_HALF_LIFE)
        self.rows = 0
        self.seasons = Seasons(0, kinds)
        self.hour = -1
        self.hour_began = 0
        self.scores: list[Score] = []
        self._allocate(0)

    def _allocate(self, rows: int) -> None:
        shape, wide = (rows, self.kinds), (rows, len(self.windows), self.kinds)
        ring = (rows, self.reach, self.kinds)
        self.since: Ints = np.zeros(shape, np.int64)
        self.shape_sum: Floats = np.zeros(shape)
        self.rate_sum: Floats = np.zeros(shape)
        self.spread_sum: Floats = np.full(wide, SPREAD_PRIOR * SPREAD_WEIGHT)
        self.spread_weight: Floats = np.full(wide, SPREAD_WEIGHT)
        tails = (rows, len(self.windows), 2, self.kinds)
        self.tail_panes: Floats = np.zeros(tails)
        self.tail_beyond: Floats = np.zeros(tails)
        self.tail_excess: Floats = np.zeros(tails)
        self.ring_excess: Floats = np.zeros((rows, self.reach, len(self.windows), 2, self.kinds))
        self.hour_counted: Floats = np.zeros(shape)
        self.hour_out_of: Floats = np.zeros(shape)
        self.ring_counted: Floats = np.zeros(ring)
        self.ring_out_of: Floats = np.zeros(ring)
        self.ring_expected: Floats = np.zeros(ring)
        self.ring_odd: Bools = np.zeros(ring, np.bool_)
        self.age: Ints = np.zeros(shape, np.int64)
        sides = (rows, 2, self.kinds)
        self.run_began: Ints = np.zeros(sides, np.int64)
        self.run_last: Ints = np.zeros(sides, np.int64)
        self.run_counted: Floats = np.zeros(sides)
        self.run_expected: Floats = np.zeros(sides)

    #: Arrays of the state, by their names; all have entities as their first axis.
    ARRAYS: Final = (
        "since",
        "shape_sum",
        "rate_sum",
        "spread_sum",
        "spread_weight",
        "tail_panes",
        "tail_beyond",
        "tail_excess",
        "hour_counted",
        "hour_out_of",
        "ring_counted",
        "ring_out_of",
        "ring_expected",
        "ring_odd",
        "ring_excess",
        "age",
        "run_began",
        "run_last",
        "run_counted",
        "run_expected",
    )

    def add(self, row: int, time: int) -> None:
        """Begin anew with a row, of an entity that is first seen in the pane of this time."""
        if row >= self.rows:
            self._grow(max(8, 2 * self.rows, row + 1))
        self.clear(row, list(range(self.kinds)), time)

    def reserve(self, rows: int) -> None:
        """Make room for so many rows."""
        if rows > self.rows:
            self._grow(rows)

    def _grow(self, rows: int) -> None:
        old = {name: getattr(self, name) for name in self.ARRAYS}
        self._allocate(rows)
        for name, array in old.items():
            getattr(self, name)[: len(array)] = array
        self.seasons.grow(rows)
        self.rows = rows

    def clear(self, row: int, kinds: list[int], time: int) -> None:
        """Forget all that is known of some series; they learn from this time on."""
        for name in self.ARRAYS:
            getattr(self, name)[row][..., kinds] = self._first.get(name, 0)
        self.since[row, kinds] = time
        self.seasons.clear(row, kinds)

    #: What arrays have at first that do not begin with zeros.
    _first: Final = {"spread_sum": SPREAD_PRIOR * SPREAD_WEIGHT, "spread_weight": SPREAD_WEIGHT}

    def mature(self, time: int) -> Bools:
        """Return which series have learned for long enough."""
        found: Bools = (self.since > 0) & (time - self.since >= self.learning)
        return found

    def _begin(self, time: int) -> None:
        """Let go of the levels of series that have just learned their week.

        Until then each hour was expected to be as on other days; the level of the last hours of a
        first Sunday, against the other days, says nothing about the Monday after. Nor do the tails
        of such a week, and little its variance.
        """
        fresh = (self.since > 0) & (time - self.since == self.learning)
        if not fresh.any():
            return
        self.shape_sum[fresh] = self.rate_sum[fresh] = 0.0
        rows, kinds = np.nonzero(fresh)
        for name in ("tail_panes", "tail_beyond", "tail_excess"):
            getattr(self, name)[rows, :, :, kinds] = 0.0
        for name in ("spread_sum", "spread_weight"):
            getattr(self, name)[rows, :, kinds] *= FIRST_WEEK

    def step(self, time: int, counted: Floats, out_of: Floats, limits: Limits) -> list[Violation]:
        """Score the pane that begins at a time; what left the windows with it is learned first.

        `counted` and `out_of` are arrays over (rows, kinds); where there is nothing to count out
        of, nothing is expected.
        """
        slot = time // self.length % self.reach
        self._learn_oldest(time, slot)
        self._begin(time)
        moment = local(time, self._zone)
        rates, certain = self.seasons.around(moment, self.length)
        self.ring_counted[:, slot] = counted
        self.ring_out_of[:, slot] = out_of
        self.ring_expected[:, slot] = rates * out_of
        self.ring_odd[:, slot] = False
        self.age += self.since > 0
        self.scores = [self._score(at, slot, certain) for at in range(len(self.windows))]
        self._note_tails(moment, slot)
        found = self._follow(time, slot, self._violations(time, limits))
        self._learn_spread(moment)
        return found

    def pause(self) -> None:
        """Note that panes were not seen: no window reaches over them, and none is learned."""
        self.age[:] = 0

    def _learn_oldest(self, time: int, slot: int) -> None:
        """Learn the pane that leaves all windows, where it was nothing out of the ordinary."""
        known = (self.age >= self.reach) & ~self.ring_odd[:, slot]
        if not known.any():
            return
        was = local(time - self.reach * self.length, self._zone)
        if was.began != self.hour_began:
            self._fold()
            self.hour, self.hour_began = was.hour, was.began
        self._learn_tails(slot, known)
        counted, out_of = self.ring_counted[:, slot], self.ring_out_of[:, slot]
        self.hour_counted += known * counted
        self.hour_out_of += known * out_of
        keep = np.where(known, self._level_keep, 1.0)
        self.shape_sum = keep * self.shape_sum + known * counted
        self.rate_sum = keep * self.rate_sum + known * self.ring_expected[:, slot]

    def _fold(self) -> None:
        if self.hour < 0:
            return
        alive = (self.since[:, 0] > 0) & (self.since[:, 0] <= self.hour_began)
        noise = np.maximum(self.spread_sum[:, -1] / self.spread_weight[:, -1], 0.0)
        self.seasons.fold(
            self.hour,
            self.hour_began,
            counted=self.hour_counted,
            out_of=self.hour_out_of,
            alive=alive,
            noise=noise,
        )
        self.hour_counted = np.zeros_like(self.hour_counted)
        self.hour_out_of = np.zeros_like(self.hour_out_of)

    def _score(self, at: int, slot: int, certain: Floats) -> Score:
        panes = self.windows[at]
        slots = (slot - np.arange(panes)) % self.reach
        counted = self.ring_counted[:, slots].sum(axis=1)
        season = self.ring_expected[:, slots].sum(axis=1)
        shape = LEVEL_PRIOR + self.shape_sum
        expected = season * shape / (LEVEL_PRIOR + self.rate_sum)
        uncertain = 1.0 / shape + 1.0 / certain
        learned = self.spread_sum[:, at] / self.spread_weight[:, at]
        spread = np.maximum(learned, 0.0) + uncertain
        valid = (self.age >= panes) & (expected > 0)
        return Score(panes, counted, expected, spread, uncertain, valid)

    def _learn_spread(self, moment: Moment) -> None:
        """Learn how far counts are from what is expected, beyond chance and what is uncertain.

        Weights are those of quasi-likelihood: the inverse of the variance of each estimate.
        """
        calm = (self.run_began == 0).all(axis=1)
        known = self.seasons.known(moment.hour)[:, None] & calm
        if not known.any():
            return
        for at, score in enumerate(self.scores):
            mean = score.expected
            ours = known & score.valid
            weight = np.where(ours, 1.0 / (1.0 + score.spread * mean) ** 2, 0.0)
            chance = mean + mean * mean * score.uncertain
            keep = np.where(ours, self._spread_keep, 1.0)
            squared = np.minimum(
                (score.counted - mean) ** 2, FAR**2 * mean * (1.0 + score.spread * mean)
            )
            excess = squared - chance
            self.spread_sum[:, at] = keep * self.spread_sum[:, at] + weight * excess
            self.spread_weight[:, at] = keep * self.spread_weight[:, at] + weight * mean * mean

    def chances(self, at: int, side: int, cells: Cells) -> Floats:
        """Return the p-values of some cells (rows, kinds) of a window's scores, as they are told.

        Held against those that came before.
        """
        score = self.scores[at]
        tail = lower if side == DOWN else upper
        plain = tail(score.counted[cells], score.expected[cells], score.spread[cells])
        often, mean = self._tails(at, side)
        excess = np.maximum(np.log(TAIL) - np.log(np.maximum(plain, 1e-300)), 0.0)
        held = often[cells] * np.exp(-excess / mean[cells])
        return np.where(plain < TAIL, np.maximum(plain, held), plain)

    def _tails(self, at: int, side: int) -> tuple[Floats, Floats]:
        """Return how often each series exceeds the threshold, and by how much in the mean."""
        panes, beyond = self.tail_panes[:, at, side], self.tail_beyond[:, at, side]
        excess = self.tail_excess[:, at, side]
        every = TAIL_WEIGHT / TAIL
        often_all = (beyond.sum(axis=0) + TAIL_WEIGHT) / (panes.sum(axis=0) + every)
        mean_all = (excess.sum(axis=0) + TAIL_EXCESS * TAIL_WEIGHT) / (
            beyond.sum(axis=0) + TAIL_WEIGHT
        )
        often = (beyond + often_all * every) / (panes + every)
        mean = (excess + mean_all * TAIL_WEIGHT) / (beyond + TAIL_WEIGHT)
        return np.maximum(often, TAIL), np.maximum(mean, 1.0)

    def _violations(self, time: int, limits: Limits) -> list[Violation]:
        """Return of each series and side the least likely window that is beyond the limits."""
        mature = self.mature(time)
        if not mature.any():
            return []
        best: dict[tuple[int, int, int], Violation] = {}
        for at, score in enumerate(self.scores):
            able = mature & score.valid
            more = score.counted - score.expected
            high = (more >= limits.least[UP]) & (score.counted >= MORE * score.expected)
            low = (-more >= limits.least[DOWN]) & (score.counted <= LESS * score.expected)
            for side, beyond in ((UP, high), (DOWN, low)):
                rows, kinds = np.nonzero(able & beyond & limits.judged[side])
                if not len(rows):
                    continue
                for each in self._unlikely(at, side, (rows, kinds), time, limits):
                    key = each.row, each.kind, each.side
                    if key not in best or each.chance < best[key].chance:
                        best[key] = each
        return list(best.values())

    def _unlikely(
        self, at: int, side: int, cells: Cells, time: int, limits: Limits
    ) -> Iterator[Violation]:
        """Yield the violations among some cells of a window's scores."""
        score = self.scores[at]
        chance = self.chances(at, side, cells)
        limit = np.broadcast_to(limits.chance, score.counted.shape)[cells]
        odd = chance < limit
        if not odd.any():
            return
        cells, chance, limit = (cells[0][odd], cells[1][odd]), chance[odd], limit[odd]
        usual = self._usual(at, side, cells, limit)
        for i, (row, kind) in enumerate(zip(*(each.tolist() for each in cells), strict=True)):
            expected = float(score.expected[row, kind])
            least = float(np.broadcast_to(limits.least[side], score.counted.shape)[row, kind])
            far = max(expected + least, MORE * expected)
            if side == DOWN:
                far = min(expected - least, LESS * expected)
            yield Violation(
                row=row,
                kind=kind,
                side=side,
                panes=score.panes,
                counted=round(float(score.counted[row, kind])),
                expected=expected,
                limit=math.ceil(max(usual[i], far)) if side == UP else int(min(usual[i], far)),
                chance=float(chance[i]),
                began=time - (score.panes - 1) * self.length,
            )

    def _usual(self, at: int, side: int, cells: Cells, limit: Floats) -> Floats:
        """Return the first counts beyond what is as likely as a limit, by halving intervals."""
        score = self.scores[at]
        often, mean = (each[cells] for each in self._tails(at, side))
        plain = np.minimum(limit, TAIL * (limit / often) ** mean)
        expected, spread = score.expected[cells], score.spread[cells]
        tail = lower if side == DOWN else upper
        inside, outside = expected, score.counted[cells]
        for _ in range(_HALVINGS):
            middle = np.floor((inside + outside) / 2)
            odd = tail(middle, expected, spread) < plain
            outside = np.where(odd, middle, outside)
            inside = np.where(odd, inside, middle)
        return outside

    def _note_tails(self, moment: Moment, slot: int) -> None:
        """Note how far p-values are below TAIL (in -ln p); -1 where nothing is known."""
        known = self.seasons.known(moment.hour)[:, None]
        self.ring_excess[:, slot] = -1.0
        if not known.any():
            return
        for at, score in enumerate(self.scores):
            deviation = np.sqrt(score.expected * (1.0 + score.expected * score.spread))
            away = (score.counted - score.expected) / np.maximum(deviation, 1e-9)
            ours = known & score.valid
            for side, near in ((UP, away > NEAR), (DOWN, away < -NEAR)):
                noted = np.where(ours, 0.0, -1.0)
                rows, kinds = np.nonzero(ours & near)
                if len(rows):
                    cells = rows, kinds
                    tail = lower if side == DOWN else upper
                    plain = tail(score.counted[cells], score.expected[cells], score.spread[cells])
                    excess = np.log(TAIL) - np.log(np.maximum(plain, 1e-300))
                    noted[cells] = np.clip(excess, 0.0, MOST_EXCESS)
                self.ring_excess[:, slot, at, side] = noted

    def _learn_tails(self, slot: int, known: Bools) -> None:
        """Learn how often p-values were small, and how small, of the pane that leaves.

        What is out of the ordinary is missing from the tail then: of an exponential one that
        reaches from TAIL to a limit of 1e-5 that is less than 1 in 1,000.
        """
        excess = self.ring_excess[:, slot]
        ours = known[:, None, None, :] & (excess >= 0)
        keep = np.where(ours, self._spread_keep, 1.0)
        self.tail_panes = keep * self.tail_panes + ours
        self.tail_beyond = keep * self.tail_beyond + (ours & (excess > 0))
        self.tail_excess = keep * self.tail_excess + np.where(ours, excess, 0.0)

    def _follow(self, time: int, slot: int, found: list[Violation]) -> list[Violation]:
        """Keep account of what is out of the ordinary, and take what lasts as the new level."""
        for each in found:
            place = each.row, each.side, each.kind
            if not self.run_began[place]:
                self.run_began[place] = each.began
            self.run_last[place] = time
            slots = (slot - np.arange(each.panes)) % self.reach
            self.ring_odd[each.row, slots, each.kind] = True
        running = self.run_began > 0
        if not running.any():
            return found
        level = (LEVEL_PRIOR + self.shape_sum) / (LEVEL_PRIOR + self.rate_sum)
        expected = level * self.ring_expected[:, slot]
        self.run_counted += running * self.ring_counted[:, slot][:, None]
        self.run_expected += running * expected[:, None]
        self.ring_odd[:, slot] |= running.any(axis=1)
        told = [self._ended(each) if self._lasts(each, time) else each for each in found]
        over = running & (time - self.run_last >= self.reach * self.length)
        self._close(over)
        return told

    def _lasts(self, each: Violation, time: int) -> bool:
        began = int(self.run_began[each.row, each.side, each.kind])
        return time + self.length - began >= LASTING

    def _ended(self, each: Violation) -> Violation:
        """Take the level of a run as the new one."""
        row, side, kind = each.row, each.side, each.kind
        factor = (self.run_counted[row, side, kind] + LEAST) / (
            self.run_expected[row, side, kind] + LEAST
        )
        self.seasons.scale(row, kind, float(factor))
        self.hour_counted[row, kind] *= factor
        self.shape_sum[row, kind] = self.rate_sum[row, kind] = 0.0
        self.age[row, kind] = 0
        both = np.zeros_like(self.run_began, dtype=np.bool_)
        both[row, :, kind] = True
        self._close(both)
        return replace(each, ends=True)

    def _close(self, over: Bools) -> None:
        for name in ("run_began", "run_last", "run_counted", "run_expected"):
            getattr(self, name)[over] = 0
