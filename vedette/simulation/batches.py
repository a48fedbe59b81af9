"""Simulated events as the detectors take them, without the way over text."""

from typing import Final

import polars as pl

from ingest.events import BATCH_SCHEMA
from ingest.networks import client_columns
from ingest.routes import RouteTemplates, routes

_TEMPLATES: Final = RouteTemplates()


def batch_frame(
    events: pl.DataFrame,
    first: int = 0,
    *,
    partition: str = "simulated",
    templates: RouteTemplates = _TEMPLATES,
) -> pl.DataFrame:
    """Return simulated events (SIMULATED_SCHEMA, sorted by time) with BATCH_SCHEMA.

    The same as reading their JSON lines gives, but for what stands in no line of its own:
    `position` is the row's number in the run from `first` on, `partition` as told, `request_id`
    null, and an API key stands as it is, as nobody real has it. All are seen at the edge.
    """
    address, network = client_columns(events["client_ip"])
    template = templates.of(events["path"], events["service"])
    route = routes(pl.col("service"), pl.col("method"), pl.lit(template))
    made = events.with_columns(
        address,
        network,
        route.alias("route"),
        pl.lit(partition).alias("partition"),
        pl.int_range(first, first + events.height, dtype=pl.Int64).alias("position"),
        pl.col("timestamp").alias("effective_time"),
        pl.lit(value=True).alias("windowed"),
        pl.lit(value=True).alias("edge"),
    )
    missing = [name for name in BATCH_SCHEMA if name not in made.columns]
    made = made.with_columns(pl.lit(None).cast(BATCH_SCHEMA[name]).alias(name) for name in missing)
    return made.select(BATCH_SCHEMA.names())
