"""What the detectors of spikes expect of the routes of a log, for notebooks.

pandas is imported when it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from detectors.findings import Finding, merge_runs
from detectors.learned.spikes import SpikesSettings
from detectors.learned.spikes.arrays import Bools
from detectors.learned.spikes.baselines import Baselines
from detectors.learned.spikes.judging import LESS, MORE
from detectors.learned.spikes.kinds import AUTH, LEVELS, SLOW, VOLUME, WATCHED
from detectors.learned.spikes.scores import DOWN, UP, Limits, chance_of
from detectors.learned.spikes.seasons import DAY
from detectors.learned.spikes.sums import LATENCY, LENGTHS, SUM_SCHEMA, added, sums_of
from detectors.learned.spikes.table import Told
from detectors.learned.spikes.tails import Floats, lower, upper
from detectors.learned.spikes.telling import finding
from ingest.reader import LogReader
from ingest.times import microseconds, moment
from vedette.settings import load_settings
from vedette.simulation.arrivals import intensity
from vedette.sources import enrichment_of, sources_for

if TYPE_CHECKING:
    import pandas as pd

LENGTH: Final = LENGTHS["route"]
WINDOWS: Final = (1, 6)

#: Routes of a log that are looked at: those with the most requests.
MOST_ROUTES: Final = 50

#: Requests in five minutes, sessions of so many, and the share refused, of the simulated shop.
_SHOP: Final = {
    "shop GET /items/{id}": (220.0, 6.0, 0.0),
    "shop GET /search": (90.0, 3.0, 0.0),
    "shop POST /login": (40.0, 1.5, 0.06),
    "shop POST /orders": (25.0, 1.2, 0.01),
}
_START: Final = datetime(2026, 10, 26, tzinfo=UTC)
_DAYS: Final = 14

#: What happens in the second week: what, where, when, for how many panes, times how much.
_HAPPENS: Final = (
    ("flood", "shop GET /items/{id}", timedelta(days=8, hours=10), 6, 2.5),
    ("outage", None, timedelta(days=9, hours=14), 5, 0.25),
    ("guessing", "shop POST /login", timedelta(days=10, hours=20), 6, 12.0),
    ("launch", "shop GET /search", timedelta(days=11, hours=9), 10_000, 2.2),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of routes by pane: (panes, routes, kinds) from `start` (us) on; what is known of them.

    `happened` has what happened, where, from when to when.
    """

    start: int
    routes: tuple[str, ...]
    counted: Floats = field(repr=False)
    happened: tuple[tuple[str, str, datetime, datetime], ...] = ()

    def __str__(self) -> str:
        """Say what it is in a line."""
        days = len(self.counted) * LENGTH / DAY
        total = self.counted[:, :, VOLUME].sum()
        return f"{total:,.0f} requests to {len(self.routes)} routes in {days:.1f} days"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was expected of each pane (panes, routes, kinds), and what was found.

    `spread` is the relative variance beyond chance; `chances` the p-values of the side and window
    that are least likely, (panes, routes, kinds), of those that matter; before `judged_from` (a
    pane) is only learned. `plain` are p-values of single panes, of both sides. `limit` is what the
    `budget` of false alarms a day comes to.
    """

    counts: Counts
    expected: Floats = field(repr=False)
    spread: Floats = field(repr=False)
    chances: Floats = field(repr=False)
    plain: Floats = field(repr=False)
    budget: float
    limit: float
    judged_from: int
    findings: tuple[Finding, ...] = field(repr=False)


def simulated_counts(seed: int = 3) -> Counts:
    """Return two weeks of a shop: sessions, rates that wander, and four things that happen."""
    rng = np.random.default_rng(seed)
    start, panes = microseconds(_START), _DAYS * DAY // LENGTH
    middles = (start + (np.arange(panes) + 0.5) * LENGTH) / 1e6
    routes = tuple(_SHOP)
    means, sessions, refused = (np.array(each) for each in zip(*_SHOP.values(), strict=True))
    keep = np.exp(-LENGTH / 1.2e9)  # wanders within twenty minutes
    wander = rng.normal(size=(panes, len(routes))) * np.sqrt(1 - keep**2)
    for at in range(1, panes):
        wander[at] += keep * wander[at - 1]
    rates = means * intensity(np.asarray(middles, np.float64))[:, None] * np.exp(0.08 * wander)
    share, happened = np.tile(refused, (panes, 1)), []
    for name, where, after, length, factor in _HAPPENS:
        begin = round(after / timedelta(microseconds=LENGTH))
        part = slice(begin, min(begin + length, panes))
        columns = [routes.index(where)] if where else list(range(len(routes)))
        if name == "guessing":
            rates[part, columns] *= factor / 4
            share[part, columns] = 0.8
        else:
            rates[part, columns] *= factor
        span = (moment(start + part.start * LENGTH), moment(start + part.stop * LENGTH))
        happened += [(name, routes[column], *span) for column in columns]
    counted = np.zeros((panes, len(routes), SLOW))
    each = rng.poisson(rates / sessions)
    counted[:, :, VOLUME] = each + rng.poisson(each * (sessions - 1))
    counted[:, :, AUTH] = rng.binomial(counted[:, :, VOLUME].astype(np.int64), share)
    return Counts(start, routes, counted, tuple(happened))


def read_counts(files: Sequence[str], config: str | Path | None = None) -> Counts:
    """Read logs as `vedette learn` does: paths, folders or globs; compressed ones too.

    Raises OSError if a file cannot be read, and what `vedette learn` tells of settings.
    """
    settings = load_settings(None if config is None else Path(config))
    enrichment = enrichment_of(settings, bytes(32))
    sources = sources_for(list(files), settings, "auto")
    reader = LogReader(sources, enrichment=enrichment)
    return counts_of(added([sums_of(batch.events) for batch in reader.batches()]))


def counts_of(sums: pl.DataFrame) -> Counts:
    """Return the counts of the routes with the most requests, of sums (SUM_SCHEMA)."""
    ours = sums.match_to_schema(SUM_SCHEMA).filter(
        pl.col("type") == "route", pl.col("measure") < LATENCY
    )
    if ours.is_empty():
        raise ValueError("no requests to routes: is the format of the log known?")
    totals = ours.group_by("entity").agg(pl.col("count").sum())
    routes = totals.sort("count", "entity", descending=[True, False])["entity"].head(MOST_ROUTES)
    column = {name: at for at, name in enumerate(routes)}
    start = int(ours["pane"].to_numpy().min())
    panes = (int(ours["pane"].to_numpy().max()) - start) // LENGTH + 1
    counted = np.zeros((panes, len(column), SLOW))
    for entity, pane, measure, count in ours.select(
        "entity", "pane", "measure", "count"
    ).iter_rows():
        if entity in column:
            place = (pane - start) // LENGTH, column[entity]
            counted[*place, VOLUME] += count
            if measure != VOLUME:
                counted[*place, measure] += count
    return Counts(start, tuple(routes), counted)


def watch(
    counts: Counts, *, false_alarms_per_day: float, learning_days: int = 7, time_zone: str = "UTC"
) -> Watched:
    """Learn and judge counts pane after pane, as the service does with routes.

    Raises ValidationError for settings that the service would refuse.
    """
    settings = SpikesSettings(
        false_alarms_per_day=false_alarms_per_day, learning_days=learning_days, time_zone=time_zone
    )
    panes, rows, kinds = counts.counted.shape
    base = Baselines(
        kinds=kinds,
        length=LENGTH,
        windows=WINDOWS,
        zone=ZoneInfo(settings.time_zone),
        learning=settings.learning_days * DAY,
    )
    base.reserve(rows)
    for row in range(rows):
        base.add(row, counts.start)
    detectors = {(w.kind, w.side): w.detector for w in WATCHED if w.kind < kinds}
    limits = _limits(base, settings.false_alarms_per_day)
    expected, spread, chances = (np.zeros(counts.counted.shape) for _ in range(3))
    plain = np.ones((panes, rows, kinds, 2))
    chances[:] = 1.0
    judged_from = settings.learning_days * DAY // LENGTH
    found: list[Finding] = []
    for at in range(panes):
        time, counted = counts.start + at * LENGTH, counts.counted[at]
        out_of = np.repeat(counted[:, :1], kinds, axis=1)
        out_of[:, VOLUME] = 1.0
        for each in base.step(time, counted, out_of, limits):
            told = Told(("route", counts.routes[each.row]), time, each)
            found.append(finding(told, detectors[each.kind, each.side], LENGTH))
        expected[at], spread[at] = base.scores.expected[:, 0], base.scores.spread[:, 0]
        if at >= judged_from:
            chances[at], plain[at] = _chances(base, limits)
    findings = tuple(sorted(merge_runs([], found), key=lambda each: each.first))
    limit = float(limits.chance[0, 0])
    budget = settings.false_alarms_per_day
    return Watched(counts, expected, spread, chances, plain, budget, limit, judged_from, findings)


def _limits(base: Baselines, budget: float) -> Limits:
    """Return the limits that the budget comes to: a third of it is of routes."""
    least, judged = np.zeros((2, base.kinds)), np.zeros((2, base.kinds), np.bool_)
    for each in WATCHED:
        if each.kind < base.kinds:
            least[each.side, each.kind] = each.detector.threshold
            judged[each.side, each.kind] = True
    tests = DAY // LENGTH * len(WINDOWS) * base.rows * int(judged.sum())
    chance = np.full((base.rows, 1), chance_of(budget / LEVELS, tests))
    return Limits(chance, (least[UP], least[DOWN]), (judged[UP], judged[DOWN]))


def _chances(base: Baselines, limits: Limits) -> tuple[Floats, Floats]:
    """Return the least p-value of what matters, and those of single panes, of both sides."""
    scores, shape = base.scores, (base.rows, base.kinds)
    rows, kinds = (each.ravel() for each in np.indices(shape))
    plain, least = np.ones((*shape, 2)), np.ones(shape)
    for at in range(len(WINDOWS)):
        counted, mean = scores.counted[:, at], scores.expected[:, at]
        for side in (UP, DOWN):
            chance = base.chances(at, side, (rows, kinds)).reshape(shape)
            chance = np.where(scores.valid[:, at], chance, 1.0)
            far: Bools = (counted - mean >= limits.least[UP]) & (counted >= MORE * mean)
            if side == DOWN:
                far = (mean - counted >= limits.least[DOWN]) & (counted <= LESS * mean)
            least = np.minimum(least, np.where(far & limits.judged[side], chance, 1.0))
            if at == 0:
                plain[:, :, side] = chance
    return least, plain


def intervals(watched: Watched, route: str, kind: int, chance: float) -> tuple[Floats, Floats]:
    """Return the counts between which all but a chance on either side are, pane by pane."""
    row = watched.counts.routes.index(route)
    mean, spread = watched.expected[:, row, kind], watched.spread[:, row, kind]
    inner, outer = mean.copy(), 10.0 * mean + 30.0
    low, high = np.zeros_like(mean), mean.copy()
    for _ in range(24):
        middle = (inner + outer) / 2
        beyond = upper(middle, mean, spread) < chance
        inner, outer = np.where(beyond, inner, middle), np.where(beyond, middle, outer)
        below = (low + high) / 2
        beyond = lower(below, mean, spread) < chance
        low, high = np.where(beyond, below, low), np.where(beyond, high, below)
    return low, inner


def findings(watched: Watched) -> "pd.DataFrame":
    """Return what was found, a row each, with what happened then, as far as that is known."""
    import pandas as pd

    rows = [
        {
            "detector": each.detector,
            "route": each.entity,
            "from": f"{each.first:%a %d %H:%M}",
            "to": f"{each.last:%a %d %H:%M}",
            "value": each.value,
            "limit": each.threshold,
            "happened": ", ".join(_happened(watched.counts, each)) or "",
            "note": each.note,
        }
        for each in watched.findings
    ]
    columns = ["detector", "route", "from", "to", "value", "limit", "happened", "note"]
    return pd.DataFrame(rows, columns=columns)


def _happened(counts: Counts, found: Finding) -> list[str]:
    return [
        name
        for name, route, begin, end in counts.happened
        if route == found.entity and begin <= found.last and found.first <= end
    ]


def by_budget(watched: Watched, budgets: Sequence[float]) -> "pd.DataFrame":
    """Return for other budgets the limit of p, how many runs are found, and what of them happened.

    Runs are panes below the limit with less than half an hour between; what they would teach the
    expectation is left out, so it is nearly what the service would find.
    """
    import pandas as pd

    own = watched.limit
    rows = []
    for budget in budgets:
        limit = own * budget / watched.budget
        known, unknown = _runs(watched, limit)
        rows.append(
            {"budget a day": budget, "1 in": round(1 / limit), **known, "nothing known": unknown}
        )
    return pd.DataFrame(rows).set_index("budget a day")


def _runs(watched: Watched, limit: float) -> tuple[dict[str, str], int]:
    """Return of each thing that happened if it is found, and the number of other runs."""
    counts, odd = watched.counts, watched.chances < limit
    found = dict.fromkeys((name for name, *_ in counts.happened), "")
    unknown = 0
    for row, kind in np.argwhere(odd.any(axis=0)).tolist():
        places = np.flatnonzero(odd[:, row, kind])
        for at in places[np.diff(places, prepend=-1_000) > max(WINDOWS)].tolist():
            time = moment(counts.start + at * LENGTH)
            names = [
                name
                for name, route, begin, end in counts.happened
                if route == counts.routes[row]
                and begin <= time < end + timedelta(microseconds=max(WINDOWS) * LENGTH)
            ]
            found |= dict.fromkeys(names, "found")
            unknown += not names
    return found, unknown
