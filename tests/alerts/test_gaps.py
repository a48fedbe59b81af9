"""Gaps in the database: written with the checkpoint, listed, and gone when they are old."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from alerts.quarantine.gaps import KEEP, expire_gaps, list_gaps
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from ingest.gaps import Gap

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
NOON = int(NOW.timestamp()) * 1_000_000
MINUTE = 60_000_000

LOST = Gap("web-0", 4, "records were deleted before they were read", "records", 6, NOON)
TRUNCATED = Gap("/var/log/a\x1b[2J.log", 99, "the file became shorter", "bytes", since=NOON)


def record(engine: Engine, *gaps: Gap, now: datetime = NOW) -> None:
    store = Store(engine, now=lambda: now)
    store.record([], watermark=None, checkpoint=Checkpoint(2, "f", None), gaps=gaps)


def test_gaps_are_listed_the_last_first(engine: Engine) -> None:
    record(engine, LOST)
    record(engine, TRUNCATED, now=NOW + timedelta(hours=1))
    truncated, lost = list_gaps(engine)
    assert lost.to_dict() == {
        "id": lost.id,
        "partition": "web-0",
        "position": 4,
        "reason": "records were deleted before they were read",
        "unit": "records",
        "lost": 6,
        "since": "2026-11-02T12:00:00Z",
        "until": None,
        "recorded_at": "2026-11-02T12:00:00Z",
    }
    assert "\x1b" not in truncated.partition
    assert list_gaps(engine, partition="web-0") == [lost]
    assert list_gaps(engine, partition=TRUNCATED.partition) == [truncated]
    assert list_gaps(engine, limit=1) == [truncated]


def test_a_gap_that_is_told_again_is_the_same_one_and_gets_its_end(engine: Engine) -> None:
    """Failed when gaps were inserted without looking for their key."""
    record(engine, LOST)
    record(engine, LOST, now=NOW + timedelta(hours=1))
    (before,) = list_gaps(engine)
    record(engine, replace(LOST, until=NOON + MINUTE, lost=7), TRUNCATED)
    lost = next(gap for gap in list_gaps(engine) if gap.id == before.id)
    assert lost == replace(before, until=NOW + timedelta(minutes=1), lost=7)


def test_gaps_that_reach_beyond_a_time(engine: Engine) -> None:
    record(engine, replace(LOST, until=NOON + MINUTE), TRUNCATED)
    assert len(list_gaps(engine, NOW)) == 2
    (still,) = list_gaps(engine, NOW + timedelta(minutes=1))
    assert still.unit == "bytes"


def test_gaps_expire_by_age_and_by_number(engine: Engine) -> None:
    record(engine, LOST)
    record(engine, TRUNCATED, now=NOW + timedelta(days=1))
    assert expire_gaps(engine, NOW + KEEP) == 0
    assert expire_gaps(engine, NOW + KEEP + timedelta(hours=1)) == 1
    record(engine, *(replace(LOST, position=number) for number in range(9)))
    assert expire_gaps(engine, NOW, kept=4) == 6
    assert [gap.position for gap in list_gaps(engine)] == [8, 7, 6, 5]
