"""People work on incidents while the service is killed and started again."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import pytest
from sqlalchemy import Engine, select

from alerts.actions import Change, change_incident
from alerts.database.models import IncidentRow, NotificationRow, TimelineRow, table_of
from tests.durability.crashes import Run, new_run
from tests.durability.feeds import LogFeed
from tests.durability.outcome import Key, Outcome, key_of
from tests.durability.story import Story

PIECES: Final = 30

#: What people decide, and what follows from that.
THEIRS: Final = frozenset(
    {
        "status",
        "resolution",
        "auto_resolved",
        "acknowledged_at",
        "assignee",
        "labels",
        "decided_severity",
        "calms",
    }
)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_decisions_are_kept(
    told: Story, expected: Outcome, database_url: str, tmp_path: Path
) -> None:
    """Made between a checkpoint and a crash: what is read again undoes none of them.

    Both incidents go on after that. Failed when incidents that grow took their status from their
    findings alone (`rows.stored_state` returning `State()`).
    """
    feed = LogFeed(tmp_path / "access.log")
    pieces = told.pieces(Random(21), PIECES)
    with new_run(tmp_path, database_url, feed, told.settings) as run:
        run.begin()
        run.play(pieces[:20])
        run.service.wait(lambda: len(growing(run, expected)) > 1, "that two incidents go on")
        closed, acknowledged, *_ = growing(run, expected)
        now = datetime.now(UTC)
        close = Change(status="closed", resolution="false_positive", comment="our own scanner")
        take = Change(status="acknowledged", assignee="ann", add_labels=("seen",))
        change_incident(run.engine, closed[0], close, actor="ann", now=now)
        change_incident(run.engine, acknowledged[0], take, actor="ann", now=now)
        heard = told_of(run.engine, closed[0])
        run.service.kill()
        run.begin()
        run.play(pieces[20:])
        found = run.finish()
        by_ann = timeline(run.engine, "ann")
        heard_since = told_of(run.engine, closed[0]) - heard
    ours = {closed[1], acknowledged[1]}
    for key in found.incidents.keys() - ours:
        assert found.incidents[key] == expected.incidents[key]
        assert found.told.get(key) == expected.told.get(key)
    for key in ours:
        left, right = found.incidents[key], expected.incidents[key]
        assert {n: left[n] for n in left.keys() - THEIRS} == {
            n: right[n] for n in right.keys() - THEIRS
        }
    assert found.incidents[closed[1]]["status"] == "closed"
    assert found.incidents[closed[1]]["resolution"] == "false_positive"
    assert heard_since == set()
    content = found.incidents[acknowledged[1]]
    assert (content["status"], content["assignee"]) == ("resolved", "ann")
    assert content["acknowledged_at"] is not None
    assert content["labels"] == ["seen"]
    assert len(by_ann) == len(set(by_ann))
    assert set(by_ann) >= {
        (closed[0], "status"),
        (closed[0], "commented"),
        (acknowledged[0], "status"),
        (acknowledged[0], "assigned"),
    }


def growing(run: Run, expected: Outcome) -> list[tuple[int, Key]]:
    """Return open incidents that will grow, not become more severe, and stand alone."""
    with run.engine.connect() as connection:
        query = select(table_of(IncidentRow)).where(IncidentRow.status == "open")
        rows = connection.execute(query.order_by(IncidentRow.id)).mappings().all()
    found = []
    for row in rows:
        content = expected.incidents.get(key_of(row))
        alone = content is not None and content["parent"] is None and row["parent_id"] is None
        if not alone or content is None or content["last_at"] <= row["last_at"]:
            continue
        if content["severity"] == row["severity"]:
            found.append((row["id"], key_of(row)))
    return found


def told_of(engine: Engine, incident: int) -> set[tuple[str, str]]:
    table = table_of(NotificationRow)
    query = select(table.c.transition, table.c.target).where(table.c.incident_id == incident)
    with engine.connect() as connection:
        return {(row.transition, row.target) for row in connection.execute(query)}


def timeline(engine: Engine, actor: str) -> list[tuple[int, str]]:
    table = table_of(TimelineRow)
    query = select(table.c.incident_id, table.c.action).where(table.c.actor == actor)
    with engine.connect() as connection:
        return [(row.incident_id, row.action) for row in connection.execute(query)]
