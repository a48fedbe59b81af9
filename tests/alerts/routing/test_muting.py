"""What mutes an incident now, asked of silences, windows and open incidents together."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from alerts.database.models import IncidentRow
from alerts.incidents.views import IncidentView
from alerts.muting.inhibition import Inhibition, InhibitRule
from alerts.muting.maintenance import Maintenance, Span, Window
from alerts.muting.mutes import Mute, Muting, open_incidents, open_sources
from alerts.muting.silences import add_silence
from alerts.routing.matchers import Matchers
from alerts.storage.store import Store
from detectors.findings import EntityType, Finding, Level

from .examples import INCIDENT, NOW, incident

HOUR = timedelta(hours=1)
CLIENTS = Matchers(entity_type=("client",))
NETWORK = InhibitRule("one attack", Matchers(entity_type=("network",)), CLIENTS, ("network",))


def silenced(engine: Engine, until: timedelta, about: Matchers = CLIENTS) -> None:
    add_silence(
        engine,
        about,
        comment="c",
        created_by="ann",
        starts_at=NOW,
        ends_at=NOW + until,
        now=NOW,
    )


def stored(engine: Engine, entity_type: EntityType, entity: str, level: Level = Level.HIGH) -> None:
    finding = Finding("x", entity_type, entity, NOW, NOW, 9, 3, "requests", HOUR, level)
    Store(engine).record([finding], watermark=None)


def judge(engine: Engine, muting: Muting, view: IncidentView = INCIDENT) -> Mute | None:
    with engine.connect() as connection:
        return muting.judge(connection, view, NOW)


def window(name: str, length: timedelta, about: Matchers = CLIENTS) -> Window:
    return Window(name, (Span(NOW, NOW + length),), about)


def test_without_anything_nobody_is_muted(engine: Engine) -> None:
    assert judge(engine, Muting()) is None


def test_what_mutes_longest_is_told(engine: Engine) -> None:
    silenced(engine, HOUR)
    silenced(engine, 3 * HOUR)
    silenced(engine, 9 * HOUR, Matchers(service=("other",)))
    assert judge(engine, Muting()) == Mute("silence 2", NOW + 3 * HOUR)
    windows = [window("short", HOUR), window("night", 5 * HOUR)]
    muting = Muting(maintenance=Maintenance(windows))
    assert judge(engine, muting) == Mute("maintenance night", NOW + 5 * HOUR)
    assert judge(engine, muting, incident(entity_type="user")) is None
    with engine.connect() as connection:
        reasons = [mute.reason for mute in muting.at(connection, NOW).mutes(INCIDENT)]
    assert reasons == ["silence 1", "silence 2", "maintenance short", "maintenance night"]


def test_an_open_incident_inhibits_for_a_minute_at_a_time(engine: Engine) -> None:
    muting = Muting(Inhibition([NETWORK]))
    assert judge(engine, muting) is None
    stored(engine, "network", "203.0.113.0/24")
    expected = Mute("inhibited by incident 1 (one attack)", NOW + timedelta(seconds=60))
    assert judge(engine, muting) == expected
    assert judge(engine, muting, incident(severity="critical")) is None
    with engine.begin() as connection:
        connection.execute(update(IncidentRow).values(status="acknowledged"))
    assert judge(engine, muting) == expected
    with engine.begin() as connection:
        connection.execute(update(IncidentRow).values(status="resolved"))
    assert judge(engine, muting) is None


def test_sources_are_open_and_severe_enough(engine: Engine) -> None:
    stored(engine, "network", "203.0.113.0/24", Level.LOW)
    stored(engine, "network", "198.51.100.0/24", Level.CRITICAL)
    stored(engine, "client", "192.0.2.7", Level.HIGH)
    with engine.connect() as connection:
        assert [view.id for view in open_incidents(connection, Level.HIGH)] == [2, 3]
        assert [view.id for view in open_sources(connection, [NETWORK])] == [2, 1]
        assert open_sources(connection, []) == []


def test_open_incidents_are_read_once_a_round_and_only_if_asked_for(engine: Engine) -> None:
    stored(engine, "network", "203.0.113.0/24")
    asked: list[str] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: asked.append(statement),
    )
    with engine.connect() as connection:
        moment = Muting(Inhibition([NETWORK])).at(connection, NOW)
        moment.judge(incident(entity_type="user"))
        assert not [text for text in asked if "FROM incidents" in text]
        for last in range(1, 200):
            moment.judge(incident(id=last + 1, entity=f"203.0.113.{last}"))
    assert len([text for text in asked if "FROM incidents" in text]) == 2  # open, acknowledged
    assert len([text for text in asked if "FROM silences" in text]) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_incidents_that_are_over_are_not_looked_at(engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, given, *_: asked.append((statement, given)),
    )
    with engine.connect() as connection:
        open_incidents(connection, Level.LOW)
        statement, given = next(entry for entry in asked if "FROM incidents" in entry[0])
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    assert any("ix_incidents_status" in str(step) for step in plan), plan
