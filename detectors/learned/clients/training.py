"""Trains a client model from a history: a forest, and a limit that keeps to the budget."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from detectors.learned.clients.features import (
    FEATURES,
    LEAST_REQUESTS,
    WINDOWS_SCHEMA,
    judged,
    matrix,
)
from detectors.learned.clients.forest import Trees
from detectors.learned.clients.model import (
    About,
    ClientModel,
    Usual,
    libraries,
    points_of,
)
from detectors.learned.clients.panes import Panes
from detectors.learned.clients.sums import PANE_US, sums_of
from ingest.times import moment

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

#: Windows of one client and day that are learned from: no machine outvotes the people.
WINDOWS_A_DAY: Final = 3
#: Windows that are learned from at most.
MOST_WINDOWS: Final = 300_000
#: With fewer clients nothing can be said of what is usual.
LEAST_CLIENTS: Final = 100
#: The limit in points where the history has no client that could be judged.
UNKNOWN_LIMIT: Final = 600
#: Odd clients and regulars that are kept and shown at most.
REGULARS: Final = 10_000

_TREES: Final = 200
_SAMPLE: Final = 256
_PANES_A_DAY: Final = 86_400_000_000 // PANE_US
_DAY_US: Final = 86_400_000_000


class HistoryError(ValueError):
    """A history that no model can be trained from; the message says what to do."""


class Trained(NamedTuple):
    """A model, and what people should look at before they use it.

    `odd` are the clients of the history that are odd enough to be told (WINDOWS_SCHEMA with
    `points` and `days`, the days on which they were judged), the oddest first: each at its oddest.
    """

    model: ClientModel
    odd: pl.DataFrame


class History:
    """Collects what is known of clients from batches, in order of time, without some of them."""

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = list(without)
        self._panes = Panes()
        self._found: list[pl.DataFrame] = []
        self._first: int | None = None
        self._last = 0

    def add(self, events: pl.DataFrame, watermark: int | None) -> None:
        """Take in a batch (BATCH_SCHEMA), after which time is complete up to the watermark (us)."""
        if events.height:
            times = events["effective_time"].to_physical().to_numpy()
            first = int(times.min())
            self._first = first if self._first is None else min(first, self._first)
            self._last = max(self._last, int(times.max()))
        sums = sums_of(events)
        self._panes.add(sums.filter(~pl.col("client").is_in(self._without)))
        if watermark is not None:
            self._close(watermark)

    def finish(self) -> None:
        """Say that the history has ended."""
        self._close(None)

    @property
    def span(self) -> tuple[int, int]:
        """The first and last effective time (us since 1970); zeros without events."""
        return self._first or 0, self._last

    @property
    def found(self) -> pl.DataFrame:
        """All windows (WINDOWS_SCHEMA and `pane`) so far, in order."""
        schema = pl.Schema({**WINDOWS_SCHEMA, "pane": pl.Int64()})
        return pl.concat([pl.DataFrame(schema=schema), *self._found])

    def _close(self, watermark: int | None) -> None:
        for pane, rows in self._panes.close(watermark):
            self._found.append(rows.with_columns(pl.lit(pane, pl.Int64).alias("pane")))


def train(
    history: History,
    *,
    false_alarms_per_day: float = 1.0,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a model from a history that is finished. Raises HistoryError.

    The limit is such that of clients as those of the history `false_alarms_per_day` are told.
    Each half of the clients is scored by a forest of the other half, so that none is judged by
    what it taught itself; of a client's windows, which are much alike, only the oddest counts.
    Clients that are judged on several days of the history are its regulars: they do not count,
    and are told only when they get odder than both forests found them. The same history, budget and
    seed give the same model.
    """
    found = history.found.with_columns((pl.col("pane") // _PANES_A_DAY).alias("day"))
    clients = found["key"].n_unique()
    if clients < LEAST_CLIENTS:
        raise HistoryError(
            f"only {clients} clients made {LEAST_REQUESTS} requests within six hours, and"
            f" {LEAST_CLIENTS} are needed to learn what is usual: give logs of more days or"
            " of busier services"
        )
    lessons = _lessons(found, seed)
    on_step("scoring each half by the other")
    worst = _by_client(_scored_across(lessons, judged(found), seed))
    first, last = history.span
    days = max((last - first) / _DAY_US, 1e-6)
    limit = _limit(worst.filter(pl.col("days") == 1), false_alarms_per_day * days)
    on_step("growing the forest")
    forest = _grown(lessons, seed)
    worst = _as_they_will_be(worst, judged(found), Trees.of(forest))
    odd = worst.filter(pl.col("points") >= limit).sort("points", "key", descending=[True, False])
    regulars = odd.filter(pl.col("days") > 1).head(REGULARS)
    about = About(
        features=tuple(FEATURES),
        since=moment(first),
        until=moment(last),
        days=days,
        windows=lessons.height,
        clients=clients,
        judged=worst.height,
        false_alarms_per_day=false_alarms_per_day,
        limit=limit,
        seed=seed,
        usual=_usual(lessons),
        regulars=dict(regulars.select("key", "points").rows()),
        libraries=libraries(),
    )
    return Trained(ClientModel(about, forest), odd)


def _lessons(found: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return some windows of each client and day."""
    turn = pl.int_range(pl.len()).over("key", "day")
    some = found.filter(turn < WINDOWS_A_DAY)
    return some if some.height <= MOST_WINDOWS else some.sample(MOST_WINDOWS, seed=seed)


def _scored_across(lessons: pl.DataFrame, found: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return windows with `points`, each half's by the forest of the other half's clients."""
    half = pl.col("key") % 2
    parts = []
    for mine in (0, 1):
        trees = Trees.of(_grown(lessons.filter(half != mine), seed))
        rows = found.filter(half == mine)
        parts.append(rows.with_columns(points_of(trees, rows)))
    return pl.concat(parts)


def _by_client(scored: pl.DataFrame) -> pl.DataFrame:
    """Return each client's oddest window, with the number of its `days`."""
    days = pl.col("day").n_unique().over("key").cast(pl.Int64).alias("days")
    order = scored.with_columns(days).sort("key", "points", "pane", descending=[False, True, False])
    return order.unique("key", keep="first", maintain_order=True)


def _as_they_will_be(worst: pl.DataFrame, found: pl.DataFrame, trees: Trees) -> pl.DataFrame:
    """Return clients with the points that `trees`, too, give those of several days, if greater.

    A regular is held against what it was; a forest of half of the clients may have found it less
    odd than the forest does that will judge it.
    """
    scored = found.select("key", points_of(trees, found).alias("own"))
    most = scored.group_by("key").agg(pl.col("own").max())
    greater = pl.max_horizontal("points", "own")
    points = pl.when(pl.col("days") > 1).then(greater).otherwise("points").alias("points")
    return worst.join(most, on="key", how="left").with_columns(points).drop("own")


def _limit(worst: pl.DataFrame, alarms: float) -> int:
    """Return the score that `alarms` of these clients reach, and none above it.

    The k-th greatest of a sample is exceeded k times on average in another one as big. A history
    too short for one alarm gets a limit that none of its clients reaches.
    """
    points: list[int] = worst["points"].sort(descending=True).to_list()
    allowed = int(alarms)
    if not points:
        return UNKNOWN_LIMIT
    if allowed < 1:
        return points[0] + 1
    return points[min(allowed, len(points)) - 1] + 1


def _usual(lessons: pl.DataFrame) -> dict[str, Usual]:
    """Return between which values nine of ten windows are."""
    return {
        name: Usual(low=_quantile(lessons[name], 0.05), high=_quantile(lessons[name], 0.95))
        for name in FEATURES
    }


def _quantile(values: pl.Series, share: float) -> float:
    found = values.quantile(share, "nearest")
    return 0.0 if found is None else float(found)


def _grown(lessons: pl.DataFrame, seed: int) -> "IsolationForest":
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - costs seconds

    forest = IsolationForest(
        n_estimators=_TREES, max_samples=min(_SAMPLE, lessons.height), random_state=seed
    )
    fitted: IsolationForest = forest.fit(matrix(lessons))
    return fitted
