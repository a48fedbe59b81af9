"""The heavy half: requests, statuses, latencies and sizes counted by entity and pane."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.learned.spikes.kinds import AUTH, MISSING, SERVER, THROTTLED
from detectors.naming import shown

Ints = npt.NDArray[np.int64]

MINUTE_US: Final = 60_000_000

#: Length of panes (us) of each type of entity.
LENGTHS: Final = {"all": MINUTE_US, "service": MINUTE_US, "route": 5 * MINUTE_US}

#: One row per entity, pane and what was counted. Rows of the same of these add up.
SUM_SCHEMA: Final = pl.Schema(
    {
        "type": pl.String(),  # all, service or route
        "entity": pl.String(),  # masked, as findings call it
        "pane": pl.Int64(),  # start, us since 1970; LENGTHS
        "measure": pl.Int64(),  # 0 other answers, AUTH... THROTTLED by status, LATENCY, SIZE
        "bucket": pl.Int64(),  # of LATENCY (us) and SIZE (bytes), half an octave each; else 0
        "count": pl.Int64(),
    }
)

LATENCY: Final = 5
SIZE: Final = 6
BUCKETS: Final = 64

_STATUSES: Final = 600
_HALF: Final = np.float32(np.sqrt(0.5))


def _classes() -> npt.NDArray[np.int64]:
    found = np.zeros(_STATUSES + 1, np.int64)
    found[[401, 403]] = AUTH
    found[404] = MISSING
    found[500:600] = SERVER
    found[429] = THROTTLED
    return found


_CLASS: Final = _classes()


def no_sums() -> pl.DataFrame:
    """Return a frame of SUM_SCHEMA without rows."""
    return pl.DataFrame(schema=SUM_SCHEMA)


def sums_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return SUM_SCHEMA of a batch (BATCH_SCHEMA).

    Only what clients sent counts (`edge`), so that a request seen at the gateway and in the service
    counts once; and not what is more than a minute late.
    """
    for column in ("windowed", "edge"):
        if not events[column].all():
            events = events.filter(pl.col(column))
    if events.is_empty():
        return no_sums()
    code, routes = _routes(events)
    minute = events["effective_time"].to_physical().to_numpy() // MINUTE_US
    begin = int(minute.min())
    span = int(minute.max()) - begin + 1
    cell = code * span + (minute - begin)
    status = events["status"].fill_null(0).clip(0, _STATUSES).to_numpy()
    counted = [
        _tally(cell * BUCKETS + _CLASS[status], LATENCY, measured=False),
        _histogram(cell, events["duration_us"], LATENCY),
        _histogram(cell, events["response_bytes"], SIZE),
    ]
    cells = pl.concat(counted)
    place = (pl.col("cell") // span).alias("code")
    minutes = (pl.col("cell") % span + begin) * MINUTE_US
    named = cells.select(place, minutes.alias("pane"), "measure", "bucket", "count").join(
        routes, on="code"
    )
    return pl.concat(_level(named, level) for level in LENGTHS).select(*SUM_SCHEMA)


def _routes(events: pl.DataFrame) -> tuple[Ints, pl.DataFrame]:
    """Return a number for each event's route, and the names of route and service by number.

    A route names its service; what has no route is numbered by its service.
    """
    route = events["route"].cast(pl.Categorical).to_physical().cast(pl.Int64)
    lacking = route.is_null()
    if lacking.any():
        least = route.max()
        free = least + 1 if isinstance(least, int) else 0
        service = events["service"].cast(pl.Categorical).to_physical().cast(pl.Int64) + 1
        route = route.fill_null(service.fill_null(0) + free)
    codes = route.to_numpy()
    first = pl.Series(codes).arg_unique()
    rows = events[first]
    names = pl.DataFrame(
        {
            "code": codes[first.to_numpy()],
            "route": shown(rows["route"]),
            "service": shown(rows["service"]),
        }
    )
    return codes, names


def _histogram(cell: Ints, values: pl.Series, measure: int) -> pl.DataFrame:
    given = values.is_not_null()
    if not given.all():
        cell, values = cell[given.to_numpy()], values.drop_nulls()
    if not len(values):
        return _tally(np.zeros(0, np.int64), measure, measured=True)
    part, octave = np.frexp(values.to_numpy().astype(np.float32))
    bucket = np.clip(2 * octave - (part < _HALF), 0, BUCKETS - 1)
    return _tally(cell * BUCKETS + bucket, measure, measured=True)


def _tally(code: Ints, measure: int, *, measured: bool) -> pl.DataFrame:
    """Count equal codes of cell and bucket; where nothing is measured, buckets are measures."""
    if len(code) and int(code.max()) <= 4 * len(code) + 1_000_000:
        every = np.bincount(code)
        places = np.flatnonzero(every)
        counts = every[places]
    else:
        places, counts = np.unique(code, return_counts=True)
    bucket = places % BUCKETS
    return pl.DataFrame(
        {
            "cell": places // BUCKETS,
            "measure": np.full(len(places), measure) if measured else bucket,
            "bucket": bucket if measured else np.zeros(len(places), np.int64),
            "count": counts.astype(np.int64),
        }
    )


def _level(named: pl.DataFrame, level: str) -> pl.DataFrame:
    entity = pl.lit("all") if level == "all" else pl.col(level)
    start = pl.col("pane") // LENGTHS[level] * LENGTHS[level]
    return (
        named.select(
            pl.lit(level).alias("type"), entity.alias("entity"), start, "measure", "bucket", "count"
        )
        .drop_nulls("entity")
        .group_by("type", "entity", "pane", "measure", "bucket")
        .agg(pl.col("count").sum())
    )


def added(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of SUM_SCHEMA as one, each row once."""
    if len(frames) == 1:
        return frames[0]
    keys = [name for name in SUM_SCHEMA if name != "count"]
    return pl.concat([no_sums(), *frames]).group_by(keys).agg(pl.col("count").sum())
