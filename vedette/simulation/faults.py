"""What befalls ordinary traffic: a service that fails, a proxy that hides who calls."""

import numpy as np
import polars as pl

from vedette.simulation.actors import Actor
from vedette.simulation.draws import stream
from vedette.simulation.scenarios import Scenario


def befall(
    events: pl.DataFrame, seed: int, scenario: Scenario, actor: Actor, begin: int
) -> pl.DataFrame:
    """Return ordinary events (SIMULATED_SCHEMA) with the fault in its window from `begin`.

    An outage lets a share of one service's requests fail with the statuses of `calls` in turn; a
    proxy puts the actor's address in place of a share of the clients'. Which ones depends on the
    requests themselves, not on how a run is cut.
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
    statuses = np.array([call.status for call in scenario.calls])
    status = pl.lit(pl.Series(statuses)).gather(time // 1_000 % len(statuses))
    return events.with_columns(
        pl.when(failing).then(status).otherwise("status").alias("status"),
        pl.when(failing).then(166).otherwise("response_bytes").alias("response_bytes"),
    )
