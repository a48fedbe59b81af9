"""The heavy half: each minute, who was seen from which country and network, by which program.

Only accepted requests tell something about a user: who is refused may be anybody. An address that
hides who uses it (VPN, proxy, Tor) stands for itself, not for the country of its exit; one of a
hoster has no country either, but a network.
"""

from typing import Any, Final

import polars as pl
import polars_hash as plh

from detectors.findings import EntityType
from detectors.learned.seen.agents import agent_names
from detectors.naming import shown
from ingest.distinct import Distinct
from ingest.evidence import SHOWN, SHOWN_SCHEMA

#: Slots of event time within which the order of requests does not matter (us).
PANE_US: Final = 60_000_000

#: Who is watched: entity type, which is the event's column.
WATCHED: Final[tuple[EntityType, ...]] = ("user", "api_key")

#: Kinds of what is seen: its column in the sums.
KINDS: Final = ("country", "network", "agent")

#: Characters of a text that evidence is made of.
_TEXT: Final = 300

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
        **{f"shown_{name}": dtype for name, dtype in SHOWN_SCHEMA.items()},
    }
)

_SUMMED: Final = ("first", "last", "requests", "refused")
_SAME: Final = ("key", "pane", *KINDS)


def no_sightings() -> pl.DataFrame:
    """Return a frame of SIGHTING_SCHEMA without rows."""
    return pl.DataFrame(schema=SIGHTING_SCHEMA)


def sightings(events: pl.DataFrame, watched: tuple[EntityType, ...] = WATCHED) -> pl.DataFrame:
    """Return the sightings (SIGHTING_SCHEMA) of a batch (BATCH_SCHEMA).

    Counts events at the edge that are not over a minute late.
    """
    named = (column for column in watched if events[column].null_count() < events.height)
    parts = [part for column in named if (part := _of(events, column)).height]
    return pl.concat(parts) if parts else no_sightings()


def added(sums: pl.DataFrame) -> pl.DataFrame:
    """Return sightings with rows of the same added up, in order of key, pane and kinds.

    Of the requests shown the earliest one stays.
    """
    order = [*_SAME, "first", "shown_partition", "shown_position"]
    return (
        sums.sort(order, nulls_last=False)
        .group_by(_SAME, maintain_order=True)
        .agg(
            pl.col("first").min(),
            pl.col("last").max(),
            pl.col("requests", "refused").sum(),
            pl.exclude(*_SAME, *_SUMMED).first(),
        )
        .select(SIGHTING_SCHEMA.names())
    )


def _of(events: pl.DataFrame, column: EntityType) -> pl.DataFrame:
    accepted = pl.col("status").is_between(200, 399)
    refused = pl.col("status").is_in(_REFUSED)
    chosen = pl.col(column).is_not_null() & pl.col("edge") & pl.col("windowed")
    rows = events.lazy().with_row_index("row").filter(chosen & (accepted | refused))
    time = pl.col("effective_time").to_physical()
    told = ("country", "asn", "anonymous", "user_agent")
    seen = rows.select(
        "row", *(pl.when(accepted).then(name).alias(name) for name in told),
        entity=column, pane=time // PANE_US * PANE_US, time=time, accepted=accepted,
    ).collect()  # fmt: skip
    if seen.is_empty():
        return no_sightings()
    distinct = Distinct.of(seen.select("entity", "pane", "accepted", *told))
    code = distinct.spread(pl.int_range(distinct.rows.height, eager=True, dtype=pl.UInt32()))
    sums = (
        seen.select("row", "time", code=code)
        .group_by("code")
        .agg(
            pl.len().cast(pl.Int64).alias("number"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("row").first(),
        )
    )
    return added(_named(distinct.rows[sums["code"]], sums, events, column))


def _named(
    rows: pl.DataFrame, sums: pl.DataFrame, events: pl.DataFrame, column: EntityType
) -> pl.DataFrame:
    """Return SIGHTING_SCHEMA of distinct rows and what they add up to."""
    entity = Distinct.of(rows.select("entity"))
    names = entity.rows["entity"]
    shows = shown(names) if column == "user" else names
    hiding = pl.col("anonymous").is_in(_HIDING)
    through = pl.concat_str(pl.lit("through "), pl.col("anonymous"))
    country = pl.when(pl.col("country").str.contains(_COUNTRY)).then("country")
    hosted = pl.col("anonymous") == "hosting"
    agents = Distinct.of(rows.select("user_agent"))
    number = sums["number"]
    kept = rows.with_columns(sums.select("first", "last", "row")).select(
        type=pl.lit(column),
        entity=entity.spread(shows),
        key=entity.spread(_keys(names, column)),
        pane="pane",
        country=pl.when(hiding).then(through).when(hosted).then(pl.lit("a hoster"))
        .otherwise(country),
        network=pl.when(hiding).then(through)
        .otherwise(pl.concat_str(pl.lit("AS"), pl.col("asn").cast(pl.String))),
        agent=agents.spread(agent_names(agents.rows["user_agent"])),
        first="first",
        last="last",
        requests=pl.when("accepted").then(number).otherwise(0),
        refused=pl.when("accepted").then(0).otherwise(number),
    )  # fmt: skip
    exhibit = events.select(SHOWN)[sums["row"]].with_columns(_copied())
    exhibit = exhibit.rename({name: f"shown_{name}" for name in SHOWN})
    return pl.concat([kept, exhibit], how="horizontal").cast(SIGHTING_SCHEMA)


def _copied() -> list[pl.Expr]:
    """Return texts cut short and copied: else a row of it would hold its batch in memory."""
    texts = [name for name, dtype in SHOWN_SCHEMA.items() if dtype == pl.String()]
    return [
        pl.concat_str(pl.col(name).str.head(_TEXT), pl.lit("\n")).str.strip_suffix("\n").alias(name)
        for name in texts
    ]


def _keys(names: pl.Series, column: EntityType) -> pl.Series:
    """Return fixed 64-bit hashes of entities and their type."""
    whole = names.to_frame("name").select(pl.concat_str(pl.lit(f"{column}:"), "name").alias("name"))
    hashed: Any = plh.col("name")
    found: pl.DataFrame = whole.select(hashed.nchash.xxh3_64().alias("key"))
    return found.to_series()
