"""The heavy half: each minute, who was seen from which country and network, by which program.

Only accepted requests tell something about a user: who is refused may be anybody. An address that
hides who uses it (VPN, proxy, Tor) stands for itself, not for the country of its exit; one of a
hoster has no country either, but a network.
"""

from typing import Final

import polars as pl

from detectors.findings import EntityType
from detectors.learned import slots
from detectors.learned.seen.agents import AgentNames
from detectors.learned.slots import EXHIBIT_SCHEMA, SLOT_US, exhibits, keys, summed
from detectors.naming import shown

#: Who is watched: entity type, which is the event's column.
WATCHED: Final[tuple[EntityType, ...]] = ("user", "api_key")

#: Kinds of what is seen: its column in the sums.
KINDS: Final = ("country", "network", "agent")

_HIDING: Final = ("tor", "vpn", "proxy", "residential_proxy")
_COUNTRY: Final = "^[A-Z]{2}$"
_REFUSED: Final = (401, 403)

#: Sightings: `key` is a fixed hash of entity type and entity, `pane` its start, `first` and `last`
#: effective times (all us since 1970). Rows of the same key, pane and kinds add up: least `first`,
#: greatest `last`, sum of `requests` and `refused`. The columns of SHOWN are one of the requests.
SIGHTING_SCHEMA: Final = pl.Schema(
    {
        "type": pl.String(),
        "entity": pl.String(),
        "key": pl.UInt64(),
        "pane": pl.Int64(),
        **dict.fromkeys(KINDS, pl.String()),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "requests": pl.Int64(),
        "refused": pl.Int64(),
        **EXHIBIT_SCHEMA,
    }
)

#: Whether a sighting is of accepted requests.
ACCEPTED: Final = pl.col("requests") > 0

_SAME: Final = ("key", "pane", *KINDS)


def no_sightings() -> pl.DataFrame:
    """Return a frame of SIGHTING_SCHEMA without rows."""
    return pl.DataFrame(schema=SIGHTING_SCHEMA)


def sightings(
    events: pl.DataFrame,
    watched: tuple[EntityType, ...] = WATCHED,
    names: AgentNames | None = None,
) -> pl.DataFrame:
    """Return the sightings (SIGHTING_SCHEMA) of a batch (BATCH_SCHEMA).

    Counts events at the edge that are not over a minute late. `names` remembers names of user
    agents, to spare work.
    """
    told = names or AgentNames()
    named = (column for column in watched if events[column].null_count() < events.height)
    parts = [part for column in named if (part := _of(events, column, told)).height]
    return pl.concat(parts) if parts else no_sightings()


def added(sums: pl.DataFrame) -> pl.DataFrame:
    """Return sightings with rows of the same added up, in order of pane, key, time and kinds.

    Those of refused requests stay apart.
    """
    order = ("pane", "key", "first", "last", *KINDS, "accepted")
    apart = sums.with_columns(accepted=ACCEPTED)
    return slots.added(apart, (*_SAME, "accepted"), ("requests", "refused"), order).drop("accepted")


def _of(events: pl.DataFrame, column: EntityType, names: AgentNames) -> pl.DataFrame:
    accepted = pl.col("status").is_between(200, 399)
    refused = pl.col("status").is_in(_REFUSED)
    chosen = pl.col(column).is_not_null() & pl.col("edge") & pl.col("windowed")
    rows = events.lazy().with_row_index("row").filter(chosen & (accepted | refused))
    time = pl.col("effective_time").to_physical()
    told = ("country", "asn", "anonymous", "user_agent")
    seen = rows.select(
        "row", *(pl.when(accepted).then(name).alias(name) for name in told),
        entity=column, pane=time // SLOT_US * SLOT_US, time=time, accepted=accepted,
    )  # fmt: skip
    sums = summed(seen, ("entity", "pane", "accepted", *told))
    if sums.is_empty():
        return no_sightings()
    return _named(sums, events, column, names)


def _named(
    rows: pl.DataFrame, events: pl.DataFrame, column: EntityType, names: AgentNames
) -> pl.DataFrame:
    """Return SIGHTING_SCHEMA of distinct rows that were summed."""
    entities = rows["entity"]
    number = pl.col("number")
    country: pl.Expr = pl.when(pl.col("country").str.contains(_COUNTRY)).then("country")
    network: pl.Expr = pl.concat_str(pl.lit("AS"), pl.col("asn").cast(pl.String))
    if rows["anonymous"].null_count() < rows.height:
        hiding = pl.col("anonymous").is_in(_HIDING)
        through = pl.concat_str(pl.lit("through "), pl.col("anonymous"))
        hosted = pl.col("anonymous") == "hosting"
        elsewhere = pl.when(hosted).then(pl.lit("a hoster")).otherwise(country)
        country = pl.when(hiding).then(through).otherwise(elsewhere)
        network = pl.when(hiding).then(through).otherwise(network)
    kept = rows.select(
        type=pl.lit(column),
        entity=shown(entities) if column == "user" else entities,
        key=keys(entities, column),
        pane="pane",
        country=country,
        network=network,
        agent=names.of(rows["user_agent"]),
        first="first",
        last="last",
        requests=pl.when("accepted").then(number).otherwise(0),
        refused=pl.when("accepted").then(0).otherwise(number),
    )
    shown_columns = exhibits(events, rows["row"])
    return pl.concat([kept, shown_columns], how="horizontal").cast(SIGHTING_SCHEMA)
