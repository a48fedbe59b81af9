"""The heavy half of the inventory: requests counted per route, role and pane."""

from typing import Final

import numpy as np
import polars as pl

from detectors.learned.inventory.entries import PANE
from ingest.evidence import SHOWN, SHOWN_SCHEMA
from ingest.lines import Flags, Ints

PANE_US: Final = PANE.seconds * 1_000_000
DAY_US: Final = 86_400_000_000
PANES_A_DAY: Final = DAY_US // PANE_US

#: What is counted, and how it adds up.
COUNTS: Final = (
    "requests",
    "answered",  # see _took_a_form
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "with_user",
    "with_api_key",
    "anonymous",  # answered without either
    "over_http",
    "over_https",
    "answered_over_http",  # seen where clients arrive
)

#: Sums of one route in one pane. `role` is where they were seen: "edge" or "internal".
SUMS_SCHEMA: Final = pl.Schema(
    {
        "route": pl.String(),
        "role": pl.String(),
        "pane": pl.Int64(),  # panes since 1970
        **dict.fromkeys(COUNTS, pl.Int64()),
        "first": pl.Int64(),  # effective times, us since 1970
        "last": pl.Int64(),
        "answered_first": pl.Int64(),  # null if nothing was answered
        "answered_last": pl.Int64(),
        "service": pl.String(),
        "method": pl.String(),
        "shown": pl.Struct(dict(SHOWN_SCHEMA)),  # the first request that was answered
    }
)

#: How rows of one route, role and pane become one.
ADDED: Final = (
    *(pl.col(name).sum() for name in COUNTS),
    pl.col("first", "answered_first").min(),
    pl.col("last", "answered_last").max(),
)

#: Counters of a slice of so many rows fit three to an integer: sums of few columns are quicker.
_ROWS: Final = 1 << 20
_BITS: Final = 21
_MASK: Final = (1 << _BITS) - 1

_ANSWERED: Final = 1
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


def _of_statuses() -> tuple[Ints, Ints]:
    """Return what each status adds: answered, 2xx, 3xx; and 4xx, 5xx."""
    ranges = ((0, 200, 1), (0, 300, 2), (1, 400, 0), (1, 500, 1))
    found = np.zeros((2, 1_000), np.int64)
    for which, first, place in ranges:
        found[which, first : first + 100] += 1 << (_BITS * place)
    found[0, [101, *range(200, 300)]] += _ANSWERED
    return found[0], found[1]


_STATUS, _ERRORS = _of_statuses()


def sums_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return what a batch (BATCH_SCHEMA) adds, in SUMS_SCHEMA; events without a route do not."""
    parts = [_sums_of(part) for part in events.iter_slices(_ROWS) if part.height]
    return pl.concat(parts) if parts else pl.DataFrame(schema=SUMS_SCHEMA)


def _sums_of(events: pl.DataFrame) -> pl.DataFrame:
    found = _counted(events)
    at = found["row"]
    names = events.select("route", "service", "method")[at]
    return (
        found.with_columns(
            *names,
            events.select(SHOWN)[at].to_struct("shown"),
            role=pl.when("edge").then(pl.lit("edge")).otherwise(pl.lit("internal")),
        )
        .filter(pl.col("route").is_not_null())
        .with_columns(
            answered_first=pl.when(pl.col("answered") > 0).then("first"),
            answered_last=pl.when(pl.col("answered") > 0).then("last"),
            shown=pl.when(pl.col("answered") > 0).then("shown"),
        )
        .select(SUMS_SCHEMA.names())
        .cast(SUMS_SCHEMA)
    )


def _counted(events: pl.DataFrame) -> pl.DataFrame:
    """Return COUNTS, pane and times of each route and role, of answered and others apart.

    `row` is the first row that was counted.
    """
    time = events["effective_time"].to_physical()
    pane = time // PANE_US
    edge = events["edge"].to_numpy()
    status = events["status"].fill_null(0).to_numpy().clip(0, 999)
    first = _STATUS[status] + _ANSWERED * _took_a_form(events, status)
    answered = first & 1
    user, api_key = _is_there(events["user"]), _is_there(events["api_key"])
    second = _ERRORS[status] + (user << (2 * _BITS))
    third = api_key + _schemes(events["scheme"])
    apart = pane.to_numpy() * 4 + edge * 2 + answered
    key = events["route"].hash().to_numpy() ^ (apart.view(np.uint64) * _ODD)
    rows = pl.DataFrame({"key": key, "pane": pane, "time": time, "a": first, "b": second})
    rows = rows.with_columns(pl.Series("c", third), pl.Series("known", user | api_key))
    rows = rows.with_row_index("row")
    sums = rows.group_by("key").agg(
        pl.len().alias("requests"),
        pl.col("row", "pane").first(),
        pl.col("time").min().alias("first"),
        pl.col("time").max().alias("last"),
        pl.col("a", "b", "c", "known").sum(),
    )
    return sums.with_columns(
        answered=_part("a", 0),
        status_2xx=_part("a", 1),
        status_3xx=_part("a", 2),
        status_4xx=_part("b", 0),
        status_5xx=_part("b", 1),
        with_user=_part("b", 2),
        with_api_key=_part("c", 0),
        over_http=_part("c", 1),
        over_https=_part("c", 2),
        edge=pl.Series(edge[sums["row"].to_numpy()]),
    ).with_columns(
        anonymous=pl.when(pl.col("answered") > 0)
        .then(pl.col("requests") - pl.col("known"))
        .otherwise(0),
        answered_over_http=pl.when((pl.col("answered") > 0) & pl.col("edge"))
        .then("over_http")
        .otherwise(0),
    )


def _part(column: str, place: int) -> pl.Expr:
    return (pl.col(column) // (1 << (_BITS * place))) & _MASK


def _is_there(column: pl.Series) -> Ints:
    return column.is_not_null().to_numpy().astype(np.int64)


def _schemes(schemes: pl.Series) -> Ints:
    """Return one in the second place for plain HTTP, in the third for TLS."""
    if schemes.null_count() == len(schemes):
        return np.zeros(len(schemes), np.int64)
    found = np.zeros(len(schemes), np.int64)
    for place, names in ((1, ("http", "ws")), (2, ("https", "wss"))):
        for name in names:
            found += (schemes == name).fill_null(value=False).to_numpy().astype(np.int64) << (
                _BITS * place
            )
    return found


def _took_a_form(events: pl.DataFrame, status: Ints) -> Flags:
    """Return which events were answered with a redirect after something else than reading.

    An endpoint did something, rather than refuse or send somewhere else: 2xx; 101, the begin of a
    connection; and this.
    """
    found: Flags = (status == 302) | (status == 303)  # noqa: PLR2004
    at = np.flatnonzero(found)
    if len(at):
        reading = events["method"][at].is_in(["GET", "HEAD"]).fill_null(value=True)
        found[at] = ~reading.to_numpy()
    return found
