"""Traffic is counted by the service, exactly also after a crash, and by a scan alike."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from alerts.database.models import TrafficRow, TrafficTopRow, table_of
from alerts.database.opening import open_database
from alerts.traffic.queries import traffic_series
from vedette.folders import sqlite_url

from .scans import START, written
from .test_endpoints import append, ordering, read_all, service, stop, vedette


def stored(engine: Engine) -> list[tuple[object, ...]]:
    """All rows, without their numbers."""
    found: list[tuple[object, ...]] = []
    with engine.connect() as connection:
        for model in (TrafficRow, TrafficTopRow):
            columns = [column for column in table_of(model).c if column.name != "id"]
            found += map(tuple, connection.execute(select(*columns)))
    return sorted(found, key=repr)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_counts_are_exact_after_a_restart_and_after_a_crash(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed when what was taken did not belong to the state that was stored with it."""
    log = written(tmp_path / "a.log", [])
    stop(service(log, engine))
    append(log, ordering(1, 90))
    first = service(log, engine)
    read_all(first)
    stop(first)
    append(log, ordering(95, 100))
    crashed = service(log, engine)
    read_all(crashed)
    crashed.close()  # what was read since the checkpoint is lost
    again = service(log, engine)
    read_all(again)
    stop(again)
    until = START + timedelta(minutes=4)
    found = traffic_series(engine, since=START, until=until, step=60).points
    assert [(point.requests, point.client_errors) for point in found] == [
        (59, 30),
        (56, 28),
        (60, 30),
        (15, 7),
    ]

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    database = tmp_path / "scanned.db"
    assert vedette("scan", str(log), "--database", str(database)).exit_code == 0
    scanned = open_database(sqlite_url(database))
    minutes = traffic_series(scanned, since=START, until=until, step=60).points
    assert minutes == found
    before = stored(scanned)
    assert vedette("scan", str(log), "--database", str(database)).exit_code == 0
    assert stored(scanned) == before
    scanned.dispose()
