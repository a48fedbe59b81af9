"""What is told of a client's last hours: numbers in which people, scrapers and machines differ."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.learned.clients.sums import FLAGS, PATH_WORDS, SLOTS, joined

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Panes of a window: six hours.
PANES: Final = 12

#: Of whom less is known in six hours, nothing is learned: requests, and busy slots.
LEAST_REQUESTS: Final = 15
LEAST_SLOTS: Final = 6

#: Who did less is not judged. What is done at once is for rules; this is for what goes on.
JUDGED_REQUESTS: Final = 60
JUDGED_SLOTS: Final = 40
JUDGED_PANES: Final = 4

#: A pause that ends a stretch of activity, in slots: ten minutes.
PAUSE: Final = 20

#: The features by name, and what people read of them.
FEATURES: Final = {
    "requests": "requests",
    "busy": "half minutes with requests",
    "stretch": "half minutes without a pause of ten minutes",
    "evenness": "percent evenness of its pauses",
    "paths": "paths",
    "paths_per_route": "paths per endpoint",
    "routes": "endpoints",
    "requests_per_route": "requests per endpoint",
    "writes": "percent writes",
    "refused": "percent answered 401, 403 or 429",
    "missing": "percent answered 404",
    "failed": "percent answered 5xx",
    "bytes": "bytes per answer",
    "agents": "user agents",
}

#: What the forest takes as it is. The others are counts, of which it takes the logarithm.
SHARES: Final = ("evenness", "writes", "refused", "missing", "failed")

#: One row a client: its hash and name, the first and last effective times of the window (us since
#: 1970), half hours with requests, and the features.
WINDOWS_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "client": pl.String(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "panes": pl.Int64(),
        **{name: pl.Float64() for name in FEATURES},
    }
)


def windows(panes: Mapping[int, pl.DataFrame], pane: int) -> pl.DataFrame:
    """Return what is known of the clients of `pane` over the window that ends with it.

    `panes` has the sums (SUMS_SCHEMA, one row a client) of panes by number; those outside of the
    window are passed over. The result has WINDOWS_SCHEMA, in the order of the clients' hashes. It
    is worked out from integers, over one pane's clients at once: the same however they were added
    up.
    """
    here = panes[pane].select("key")
    theirs = pl.concat(
        panes[each].join(here, on="key", how="semi")
        for each in range(pane - PANES + 1, pane + 1)
        if each in panes
    )
    totals = theirs.group_by("key").agg(pl.col("requests").sum())
    known = totals.filter(pl.col("requests") >= LEAST_REQUESTS)
    rows = theirs.join(known, on="key", how="semi").sort("key", "pane")
    if rows.is_empty():
        return pl.DataFrame(schema=WINDOWS_SCHEMA)
    whole = joined(rows, "key")
    told = {**_amounts(whole), **_paces(rows, pane)}
    found = pl.DataFrame(
        {**{name: whole[name] for name in ("key", "client", "first", "last")}, **told},
        schema_overrides=WINDOWS_SCHEMA,
    )
    return found.select(WINDOWS_SCHEMA.names()).filter(pl.col("busy") >= LEAST_SLOTS)


def judged(found: pl.DataFrame) -> pl.DataFrame:
    """Return the windows (WINDOWS_SCHEMA) of those who did enough for a judgement."""
    return found.filter(
        (pl.col("requests") >= JUDGED_REQUESTS)
        & (pl.col("busy") >= JUDGED_SLOTS)
        & (pl.col("panes") >= JUDGED_PANES)
    )


def matrix(found: pl.DataFrame) -> Floats:
    """Return the features as the forest takes them, one row a client."""
    return np.column_stack(
        [
            found[name].to_numpy() if name in SHARES else np.log1p(found[name].to_numpy())
            for name in FEATURES
        ]
    )


def _amounts(whole: pl.DataFrame) -> dict[str, Floats]:
    requests = whole["requests"].to_numpy().astype(np.float64)
    paths = _distinct([whole[f"paths_{word}"] for word in range(PATH_WORDS)])
    routes = _distinct([whole["routes"]])
    shares: dict[str, Floats] = {name: 100 * whole[name].to_numpy() / requests for name in FLAGS}
    return {
        "requests": requests,
        "paths": paths,
        "paths_per_route": paths / routes,
        "routes": routes,
        "requests_per_route": requests / routes,
        **shares,
        "bytes": whole["bytes"].to_numpy() / requests,
        "agents": _distinct([whole["agents"]]),
    }


def _distinct(words: list[pl.Series]) -> Floats:
    """Return about how many distinct values there were: linear counting (Whang et al. 1990)."""
    size = 64.0 * len(words)
    filled = np.zeros(len(words[0]))
    for word in words:
        filled += word.bitwise_count_ones().to_numpy()
    empty = np.maximum(size - filled, 0.5)
    found: Floats = np.maximum(np.round(-size * np.log(empty / size)), 1.0)
    return found


def _paces(rows: pl.DataFrame, pane: int) -> dict[str, Floats | Ints]:
    """Return what the slots tell, for each client of rows sorted by key and pane."""
    new = (rows["key"] != rows["key"].shift()).fill_null(value=True)
    number: Ints = new.to_numpy().cumsum() - 1
    clients = int(number[-1]) + 1
    bits = (rows["slots"].to_numpy()[:, None] >> np.arange(SLOTS, dtype=np.uint64)) & np.uint64(1)
    grid = np.zeros((clients, PANES, SLOTS), dtype=np.bool_)
    grid[number, rows["pane"].to_numpy() - (pane - PANES + 1)] = bits.astype(np.bool_)
    who, when = np.nonzero(grid.reshape(clients, PANES * SLOTS))
    fresh = np.diff(who, prepend=-1) != 0
    gap = np.where(fresh, 0, np.diff(when, prepend=0))
    return {
        "panes": grid.any(axis=2).sum(axis=1),
        "busy": np.bincount(who, minlength=clients).astype(np.float64),
        "stretch": _stretch(who, when, fresh | (gap > PAUSE), clients),
        "evenness": _evenness(who, gap, clients),
    }


def _stretch(who: Ints, when: Ints, new: Bools, clients: int) -> Floats:
    """Return each client's longest stretch of slots without a pause."""
    begins = np.flatnonzero(new)
    ends = np.append(begins[1:], len(when)) - 1
    longest = np.zeros(clients)
    np.maximum.at(longest, who[begins], when[ends] - when[begins] + 1.0)
    return longest


def _evenness(who: Ints, gap: Ints, clients: int) -> Floats:
    """Return how like each other the gaps between busy slots are, in percent.

    100 / (1 + coefficient of variation): 100 if all are the same, 50 if they come by chance.
    """
    inner = gap > 0
    many = np.maximum(np.bincount(who[inner], minlength=clients), 1)
    total = np.bincount(who[inner], gap[inner], clients)
    squares = np.bincount(who[inner], gap[inner] ** 2, clients)
    mean = total / many
    spread = np.sqrt(np.maximum(squares / many - mean**2, 0.0))
    evenness: Floats = np.round(100 / (1 + spread / np.maximum(mean, 1.0)))
    return evenness
