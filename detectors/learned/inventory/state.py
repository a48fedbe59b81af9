"""What the inventory keeps: endpoints, their counts by day, open panes, services, what was told."""

from typing import Final

import polars as pl
import polars_hash as plh

from detectors.learned.inventory.sums import ADDED, COUNTS, PANES_A_DAY
from detectors.naming import shown

_COUNTED: Final = {
    **dict.fromkeys(COUNTS, pl.Int64()),
    "first": pl.Int64(),
    "last": pl.Int64(),
}

_NAMED: Final = ("key", "route", "role", "service", "method", "template")

#: An endpoint. `key` is a hash of route and role.
ENDPOINT_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "route": pl.String(),
        "role": pl.String(),
        "service": pl.String(),
        "method": pl.String(),
        "template": pl.String(),
        "since": pl.Int64(),  # pane of the first answer; nothing before it is counted
        "fresh": pl.Boolean(),  # its service had been watched for long when it came
        "requests": pl.Int64(),  # in closed panes
        "last": pl.Int64(),
    }
)

#: Counts of closed panes by day (UTC, days since 1970).
DAY_SCHEMA: Final = pl.Schema({"key": pl.UInt64(), "day": pl.Int64(), **_COUNTED})

#: Sums of open panes.
OPEN_SCHEMA: Final = pl.Schema(
    {
        "key": pl.UInt64(),
        "pane": pl.Int64(),
        **_COUNTED,
        "answered_first": pl.Int64(),
        "answered_last": pl.Int64(),
    }
)

#: What is called how, as findings may tell it: of all that was answered in open panes.
NAME_SCHEMA: Final = pl.Schema({name: ENDPOINT_SCHEMA[name] for name in _NAMED})

#: A service. `days` with answers until `last_day`; `covered` is the pane in which a path that a
#: document declares was answered first; `evicted` endpoints were forgotten.
SERVICE_SCHEMA: Final = pl.Schema(
    {
        "service": pl.String(),
        "since": pl.Int64(),
        "last_day": pl.Int64(),
        "days": pl.Int64(),
        "covered": pl.Int64(),
        "evicted": pl.Int64(),
    }
)

TOLD_SCHEMA: Final = pl.Schema({"detector": pl.String(), "entity": pl.String(), "pane": pl.Int64()})

BUDGET_SCHEMA: Final = pl.Schema(
    {
        "detector": pl.String(),
        "service": pl.String(),
        "day": pl.Int64(),
        "told": pl.Int64(),
    }
)


def keyed(sums: pl.DataFrame) -> pl.DataFrame:
    """Return sums with the key of their route and role."""
    text = plh.concat_str("role", "route", separator=" ")
    return sums.with_columns(key=text.nchash.xxh3_64())


def added(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of OPEN_SCHEMA, one of each key and pane, in their order."""
    found = rows.group_by("key", "pane").agg(*ADDED).select(OPEN_SCHEMA.names())
    return found.sort("pane", "key")


def by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of OPEN_SCHEMA or DAY_SCHEMA as one of DAY_SCHEMA for each key and day."""
    if "day" not in rows.columns:
        rows = rows.with_columns(day=pl.col("pane") // PANES_A_DAY)
    found = rows.group_by("key", "day").agg(
        *(pl.col(name).sum() for name in COUNTS), pl.col("first").min(), pl.col("last").max()
    )
    return found.select(DAY_SCHEMA.names()).sort("day", "key")


def template_of(route: str, service: str | None, method: str | None) -> str:
    """Return the path template of a route: "shop GET /orders/{id}" without what is before it."""
    plain = route.removeprefix(f"{service} ") if service is not None else route
    return plain.removeprefix(f"{method} ") if method is not None else plain


def named(sums: pl.DataFrame) -> pl.DataFrame:
    """Return what keyed sums (SUMS_SCHEMA) are called, in NAME_SCHEMA.

    Texts are copies, which hold on to no batch that they came from, without secrets.
    """
    rows = sums.select("route", "service", "method").rows()
    texts = [
        *(route for route, _, _ in rows),
        *(service for _, service, _ in rows),
        *(method for _, _, method in rows),
        *(template_of(*row) for row in rows),
    ]
    told = shown(pl.Series(texts, dtype=pl.String)).to_list()
    count = len(rows)
    columns = [told[place * count : (place + 1) * count] for place in range(4)]
    names = dict(zip(("route", "service", "method", "template"), columns, strict=True))
    found = {"key": sums["key"].to_list(), "role": sums["role"].to_list(), **names}
    return pl.DataFrame(found, {name: NAME_SCHEMA[name] for name in found}).select(
        NAME_SCHEMA.names()
    )
