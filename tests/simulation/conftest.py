from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from vedette.simulation import Simulation, simulate

MONDAY = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def hour() -> Simulation:
    """A busy hour with every scenario, at the default rate."""
    return simulate(7, MONDAY, HOUR)


@pytest.fixture(scope="session")
def ordinary(hour: Simulation) -> pl.DataFrame:
    """The requests of that hour that belong to no scenario."""
    actors = [client for truth in hour.truth for client in truth.clients]
    return hour.events.filter(~pl.col("client_ip").is_in(actors))
