"""What befalls ordinary traffic: a service that fails or changes, a proxy that hides who calls."""

from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.actors import Actor
from vedette.simulation.draws import stream
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.scenarios import Scenario

#: What an answer that failed has of bytes.
_ERROR_BYTES: Final = 166


def befall(
    events: pl.DataFrame, seed: int, scenario: Scenario, actor: Actor, begin: int
) -> pl.DataFrame:
    """Return ordinary events (SIMULATED_SCHEMA) with the fault in its window from `begin`.

    An outage lets a share of one service's requests fail with the statuses of `calls` in turn; a
    proxy puts the actor's address in place of a share of the clients'; a change alters a share of a
    service's requests. Which ones depends on the requests themselves, not on how a run is cut.
    """
    time = pl.col("timestamp").to_physical()
    end = begin + scenario.window_seconds * 1_000_000
    times = events["timestamp"].to_physical()
    if not len(times) or int(times.max()) < begin or int(times.min()) >= end:  # type: ignore[arg-type]
        return events
    salt = int(stream(seed, scenario.stream).integers(1 << 62))
    hit = time.is_between(begin, end, closed="left")
    if scenario.pattern == "proxy":
        lot = pl.col("client_ip").hash(salt) / float(1 << 64)
        hidden = pl.when(hit & (lot < scenario.share)).then(pl.lit(actor.address))
        return events.with_columns(hidden.otherwise("client_ip").alias("client_ip"))
    lot = pl.struct("client_ip", "timestamp", "path").hash(salt) / float(1 << 64)
    failing = hit & (lot < scenario.share) & (pl.col("service") == scenario.service)
    if scenario.pattern == "change":
        return _changed(events, scenario, failing)
    return _failed(events, scenario, failing)


def _failed(events: pl.DataFrame, scenario: Scenario, hit: pl.Expr) -> pl.DataFrame:
    statuses = np.array([call.status for call in scenario.calls])
    turn = pl.col("timestamp").to_physical() // 1_000 % len(statuses)
    status = pl.lit(pl.Series(statuses)).gather(turn)
    return events.with_columns(
        pl.when(hit).then(status).otherwise("status").alias("status"),
        pl.when(hit).then(_ERROR_BYTES).otherwise("response_bytes").alias("response_bytes"),
    )


def _changed(events: pl.DataFrame, scenario: Scenario, hit: pl.Expr) -> pl.DataFrame:
    if scenario.lost:
        return events.filter(~hit)
    if scenario.calls:
        return _failed(events, scenario, hit)
    size, took = pl.col("response_bytes"), pl.col("duration_us")
    longer = (took * scenario.slower).cast(pl.Int64) // 1_000 * 1_000
    changed = events.with_columns(
        pl.when(hit).then(size * scenario.bigger).otherwise(size).alias("response_bytes"),
        pl.when(hit).then(longer).otherwise(took).alias("duration_us"),
        pl.when(hit).then(pl.lit(scenario.scheme)).otherwise("scheme").alias("scheme"),
    )
    return changed.cast(SIMULATED_SCHEMA)
