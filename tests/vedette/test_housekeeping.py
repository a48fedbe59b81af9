"""What the service deletes once an hour is what the settings say."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from alerts.database.times import utc_now
from alerts.lists.queries import list_incidents
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from detectors.findings import Finding, Level
from vedette.duty import _tidy
from vedette.settings import Settings, settings_from

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("written", "left"),
    [("", {"new", "old"}), ('[retention]\nincidents = "30d"', {"new"})],
)
def test_old_incidents_go(written: str, left: set[str], engine: Engine) -> None:
    now = utc_now()
    found = [
        Finding("recon", "user", name, at, at, 20, 10, "paths", DAY, Level.HIGH)
        for name, at in (("old", now - 40 * DAY), ("new", now - 20 * DAY))
    ]
    Store(engine).record(found, watermark=now)
    _tidy(engine, settings_from(written), Tombstones(b"s" * 32))
    assert {view.entity for view in list_incidents(engine).items} == left


def test_what_is_kept_by_default() -> None:
    kept = Settings().retention
    assert (kept.incidents, kept.deliveries) == (400 * DAY, 90 * DAY)
