"""The heavy half: who came from where in each minute, and which countries services answered.

Only accepted requests count. Where an address has coordinates, arrivals have them, and whose
network it is in. Addresses that hide who uses them, and those of hosters, tell nothing about where
a person is.
"""

from collections.abc import Collection
from typing import Final

import polars as pl

from detectors.findings import EntityType
from detectors.learned import slots
from detectors.learned.slots import EXHIBIT_SCHEMA, SLOT_US, exhibits, keys, summed
from detectors.naming import shown

_COUNTRY: Final = "^[A-Z]{2}$"

#: What findings call the traffic of no named service.
ALL: Final = "all"

#: A row is about a user or API key (`type`) in a country and network, or about a service that
#: answered a country: then `network` is null, and `client` is given if the country is watched.
#: `key` is a fixed hash of type and entity, `pane` its start, `first` and `last` effective times
#: (us since 1970). `location` is where the address is, `operator` its autonomous system, or its
#: network if that is not known; both are null without coordinates. Rows that agree in SAME add up:
#: least `first`, greatest `last`, sum of `requests`. The columns of SHOWN are one of the requests.
ARRIVAL_SCHEMA: Final = pl.Schema(
    {
        "type": pl.String(),
        "entity": pl.String(),
        "key": pl.UInt64(),
        "pane": pl.Int64(),
        "country": pl.String(),
        "network": pl.String(),
        "location": pl.String(),
        "operator": pl.String(),
        "client": pl.String(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "requests": pl.Int64(),
        **EXHIBIT_SCHEMA,
    }
)
PLACE: Final = ("country", "network", "location", "operator", "client")
SAME: Final = ("type", "key", "pane", *PLACE)


def no_arrivals() -> pl.DataFrame:
    """Return a frame of ARRIVAL_SCHEMA without rows."""
    return pl.DataFrame(schema=ARRIVAL_SCHEMA)


def arrivals(
    events: pl.DataFrame,
    travellers: Collection[EntityType],
    *,
    services: bool,
    watched: pl.Expr,
) -> pl.DataFrame:
    """Return the arrivals (ARRIVAL_SCHEMA) of a batch (BATCH_SCHEMA).

    Counts events at the edge that are not over a minute late. `travellers` are types of entities,
    `services` says whether answers of services count, too. `watched` is the Boolean expression of
    the countries (column `country`) whose clients are to be named.
    """
    if events["country"].null_count() == events.height:
        return no_arrivals()
    time = pl.col("effective_time").to_physical()
    accepted = pl.col("status").is_between(200, 399) & pl.col("edge") & pl.col("windowed")
    rows = events.lazy().with_row_index("row").filter(accepted & pl.col("country").is_not_null())
    rows = rows.with_columns(pane=time // SLOT_US * SLOT_US, time=time)
    located = rows.filter(pl.col("anonymous").is_null())
    nothing = pl.lit(None, pl.String)
    place = (pl.col("client_network"), pl.col("location"), _operator())
    parts = [
        _summed(located.filter(pl.col(column).is_not_null()), events, column,
                place, client=nothing)
        for column in travellers if events[column].null_count() < events.height
    ]  # fmt: skip
    if services:
        client = pl.when(watched).then("client_ip")
        parts.append(_summed(rows, events, "service", (nothing, nothing, nothing), client=client))
    return pl.concat([no_arrivals(), *parts])


def added(sums: pl.DataFrame) -> pl.DataFrame:
    """Return arrivals with rows of the same added up, in order of pane, time, key and place."""
    order = ("pane", "first", "key", "last", *PLACE)
    return slots.added(sums, SAME, ("requests",), order)


def _summed(
    rows: pl.LazyFrame,
    events: pl.DataFrame,
    column: str,
    place: tuple[pl.Expr, pl.Expr, pl.Expr],
    *,
    client: pl.Expr,
) -> pl.DataFrame:
    network, location, operator = place
    chosen = rows.select(
        "row", "time", "pane", "country",
        entity=column, network=network, location=location, operator=operator, client=client,
    )  # fmt: skip
    sums = summed(chosen, ("entity", "pane", *PLACE))
    named = _named(sums, column)
    found = pl.concat([named, exhibits(events, sums["row"])], how="horizontal")
    found = found.filter(pl.col("country").str.contains(_COUNTRY))
    return found.select(ARRIVAL_SCHEMA.names()).cast(ARRIVAL_SCHEMA)


def _operator() -> pl.Expr:
    """Return whose network an address with coordinates is in, as far as that is known."""
    system = pl.concat_str(pl.lit("AS"), pl.col("asn"))
    return pl.when(pl.col("location").is_not_null()).then(
        pl.coalesce(system, pl.col("client_network"))
    )


def _named(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    names = rows["entity"]
    shows = names if column == "api_key" else shown(names)
    return rows.select(
        "pane", *PLACE, "first", "last", requests="number",
        type=pl.lit(column),
        entity=shows.fill_null(ALL),
        key=keys(names, column),
    )  # fmt: skip
