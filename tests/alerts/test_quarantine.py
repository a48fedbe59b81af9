"""Quarantine in the database: the same groups again change nothing; what is old goes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Engine, func, select

from alerts.database.models import QuarantineSampleRow, QuarantineSpanRow, table_of
from alerts.quarantine.groups import KEEP, QuarantineStore
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from ingest.lines import Lines
from ingest.quarantine import Quarantine, QuarantineGroup

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def groups_of(texts: Sequence[str], base: int = 0, partition: str = "/a.log") -> Quarantine:
    lines = Lines.of("\n".join(texts).encode())
    quarantine = Quarantine()
    quarantine.add(partition, "unparsed", lines.starts + base, lines)
    return quarantine


def save(engine: Engine, groups: Sequence[QuarantineGroup], now: datetime = NOW) -> None:
    checkpoint = Checkpoint(1, "f", None)
    store = Store(engine, now=lambda: now)
    store.record([], watermark=None, checkpoint=checkpoint, quarantine=groups)


def test_groups_come_back_as_they_were(engine: Engine) -> None:
    given = groups_of(["one word", "x 1", "x 2", '{"when": 3, "secret": "hunter2"}'])
    save(engine, given.groups())
    store = QuarantineStore(engine)
    listed = store.list_groups()
    assert [(group.shape, group.count) for group in listed] == [
        ("<word> <n>", 2),
        ("<text>", 1),
        ("{secret, when}", 1),
    ]
    assert listed[0].first_seen_at == listed[0].last_seen_at == NOW
    detail = store.show(listed[0].id)
    assert detail is not None
    (span,) = detail.spans
    wanted = next(group for group in given.groups() if group.shape == "<word> <n>")
    assert span.ranges == wanted.ranges
    assert span.samples == wanted.samples
    assert detail.to_dict()["samples"][0]["text"] == "x 1"
    assert store.show(99) is None
    assert [g.shape for g in store.list_groups(reason="unparsed", limit=1)] == ["<word> <n>"]
    assert store.list_groups(reason="future") == []
    assert len(store.list_groups(partition="/a.log")) == 3
    assert store.list_groups(partition="/b.log") == []


def test_the_same_again_changes_nothing_but_when_it_was_seen(engine: Engine) -> None:
    groups = groups_of(["x 1", "x 2", "y"]).groups()
    store = QuarantineStore(engine)
    save(engine, groups)
    before = store.list_groups()
    save(engine, groups)
    assert store.list_groups() == before
    save(engine, groups, NOW + timedelta(hours=1))
    after = store.list_groups()
    assert [group.count for group in after] == [group.count for group in before]
    assert {group.last_seen_at for group in after} == {NOW + timedelta(hours=1)}
    assert {group.first_seen_at for group in after} == {NOW}


def test_a_group_grows_with_its_reading(engine: Engine) -> None:
    lines = Lines.of(b"x 1\nx 2\nx 3\nx 4\n")
    quarantine = Quarantine()
    for index in range(4):
        one = lines.select(np.array([index]))
        quarantine.add("/a.log", "unparsed", one.starts, one)
        save(engine, quarantine.changed())
    save(engine, quarantine.changed())
    (group,) = QuarantineStore(engine).list_groups()
    assert (group.count, group.first_position, group.last_position) == (4, 0, 12)
    detail = QuarantineStore(engine).show(group.id)
    assert detail is not None
    (span,) = detail.spans
    assert span.ranges == ((0, 12),)
    assert [sample.text for sample in span.samples] == ["x 1", "x 2", "x 3"]


def test_a_reading_that_was_behind_takes_nothing_back(engine: Engine) -> None:
    save(engine, groups_of(["x 1", "x 2", "x 3"]).groups())
    save(engine, groups_of(["x 1"]).groups())
    assert QuarantineStore(engine).list_groups()[0].count == 3


def test_readings_from_other_places_add_up(engine: Engine) -> None:
    save(engine, groups_of(["x 1", "x 2"]).groups())
    for _ in range(2):  # the second time as after a crash before the next checkpoint
        save(engine, groups_of(["x 7", "x 8", "x 9"], base=1000).groups(), NOW + timedelta(hours=1))
    (group,) = QuarantineStore(engine).list_groups()
    assert (group.count, group.first_position, group.last_position) == (5, 0, 1008)
    detail = QuarantineStore(engine).show(group.id)
    assert detail is not None
    assert [span.count for span in detail.spans] == [3, 2]
    assert detail.to_dict()["samples"][0]["position"] == 1000


def test_a_suggestion_that_comes_later_is_kept(engine: Engine) -> None:
    (group,) = groups_of(["x 1"]).groups()
    save(engine, [group])
    save(engine, [replace(group, suggestion='format = "json"')])
    save(engine, [group])
    assert QuarantineStore(engine).list_groups()[0].suggestion == 'format = "json"'


def test_what_is_old_expires_with_all_of_it(engine: Engine) -> None:
    store = QuarantineStore(engine)
    save(engine, groups_of(["x 1", "y"]).groups())
    save(engine, groups_of(["x 2"], base=100).groups(), NOW + timedelta(days=2))
    assert store.expire(NOW + KEEP) == 0
    assert store.expire(NOW + KEEP + timedelta(hours=1)) == 1
    (left,) = store.list_groups()
    assert (left.count, left.first_position) == (1, 100)
    assert store.expire(NOW + 2 * KEEP) == 1
    assert store.list_groups() == []
    assert all(counts(engine)[table] == 0 for table in counts(engine))


def test_forget(engine: Engine) -> None:
    store = QuarantineStore(engine)
    save(engine, groups_of(["x 1", "y"]).groups())
    identity = store.list_groups()[0].id
    assert store.forget(identity)
    assert not store.forget(identity)
    assert [group.id for group in store.list_groups()] != [identity]
    assert len(store.list_groups()) == 1


def test_what_a_replay_came_to_is_noted(engine: Engine) -> None:
    store = QuarantineStore(engine)
    save(engine, groups_of(["x 1"]).groups())
    identity = store.list_groups()[0].id
    store.mark_replayed(identity, NOW, events=7, rest=2)
    (group,) = store.list_groups()
    assert (group.replayed_at, group.replayed_events, group.replayed_rest) == (NOW, 7, 2)
    assert group.to_dict()["replayed_at"] == "2026-11-02T08:00:00Z"


def test_hostile_text_is_stored_harmless(engine: Engine) -> None:
    lines = Lines.of(b"\x1b[31m\x00\xff <b>x\n")
    quarantine = Quarantine()
    quarantine.add("/\x1b[31m\udcff/a.log", "not_text", lines.starts, lines)
    save(engine, quarantine.groups())
    (group,) = QuarantineStore(engine).list_groups()
    detail = QuarantineStore(engine).show(group.id)
    assert detail is not None
    shown = group.partition + group.shape + detail.spans[0].samples[0].text
    assert shown.isprintable()


def test_many_groups_at_once(engine: Engine) -> None:
    quarantine = Quarantine()
    for number in range(1_500):
        quarantine.add(f"/{number}.log", "future", [number])
    for _ in range(2):
        save(engine, quarantine.groups())
    assert len(QuarantineStore(engine).list_groups(limit=5_000)) == 1_500


def counts(engine: Engine) -> dict[str, int]:
    tables = [table_of(QuarantineSpanRow), table_of(QuarantineSampleRow)]
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }
