"""Lost detector state: what was counted is counted again, and nobody is told twice.

Compared are all incidents, findings, who is told, and what was set aside, with those of a service
that lost nothing.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update

from alerts.database.models import (
    CheckpointMarkRow,
    CheckpointPartRow,
    CheckpointRow,
    FindingRow,
    IncidentRow,
    NotificationRow,
    QuarantineSpanRow,
    table_of,
)
from alerts.database.opening import open_database
from alerts.quarantine.gaps import list_gaps
from alerts.recovery import marks
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest.sources import FileSource, KafkaSource
from ingest.topics import TopicFollower
from ingest.topics.memory import MemoryCluster
from vedette.folders import sqlite_url
from vedette.recovery import longest_window
from vedette.worker import Worker

from .scans import START, combined, written

#: The second at which state is lost.
LOST = 400


def probing(begin: int, count: int, client: str) -> list[tuple[int, str]]:
    return [
        (
            begin + n,
            combined(begin + n, client=client, request=f"GET /no-{n} HTTP/1.1", status=404),
        )
        for n in range(count)
    ]


def lines() -> tuple[list[str], list[str]]:
    """An attack, and one whose limit is passed after state was lost; lines that are none."""
    every = [(n, combined(n, client="198.51.100.1")) for n in range(0, 2 * LOST, 7)]
    every += [*probing(20, 30, "203.0.113.7"), *probing(LOST - 9, 18, "203.0.113.99")]
    every += [(30, "no line of a log"), (50, "nor this"), (LOST + 20, "a third")]
    every.sort(key=lambda pair: pair[0])
    return (
        [line for second, line in every if second < LOST],
        [line for second, line in every if second >= LOST],
    )


def source_of(log: Path) -> FileSource:
    return FileSource(paths=(str(log),), format="combined", lateness=timedelta(0))


class Service:
    """A worker on a log or a topic, stepped by hand."""

    def __init__(self, log: Path | KafkaSource, engine: Engine) -> None:
        self.told: list[tuple[str, str]] = []
        self.worker = Worker(
            [source_of(log) if isinstance(log, Path) else log],
            Detection(load_catalogue()),
            Store(engine),
            routing=Routing.everything_to("default"),
            announce=lambda some: self.told.extend((t.kind, t.incident.entity) for t in some),
        )

    def read(self) -> None:
        while self.worker.step(Event()):
            pass

    def read_topic(self, end: int) -> None:
        """Read until the next record has this offset."""
        while self.worker._live.positions()["topics"]["web-0"]["offset"] < end:
            self.worker.step(Event())

    def stop(self) -> None:
        stop = Event()
        stop.set()
        self.worker.run(stop)


def append(log: Path, some: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in some)


def outcome(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All that shall be the same, without row numbers and times of the clock."""
    incidents, findings = table_of(IncidentRow), table_of(FindingRow)
    notices, spans = table_of(NotificationRow), table_of(QuarantineSpanRow)
    wanted = {
        "incidents": select(
            *(c for c in incidents.c if c.name not in {"id", "version", "fingerprints"})
        ),
        "findings": select(*(c for c in findings.c if c.name not in {"id", "incident_id"})),
        "notices": select(incidents.c.entity, notices.c.transition, notices.c.target).join(
            incidents, incidents.c.id == notices.c.incident_id
        ),
        "aside": select(spans.c.group_id, spans.c.lines),
    }
    with engine.connect() as connection:
        found = {
            name: sorted(map(tuple, connection.execute(query)), key=repr)
            for name, query in wanted.items()
        }
    by_group: dict[int, int] = {}
    for group, count in found["aside"]:
        by_group[group] = by_group.get(group, 0) + count
    return {**found, "aside": sorted(by_group.items())}


def undisturbed(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What comes of the same log without a loss; stopped and begun again as there."""
    folder.mkdir()
    engine = open_database(sqlite_url(folder / "v.db"))
    log = written(folder / "access.log", [])
    for some in lines():
        service = Service(log, engine)
        append(log, some)
        service.read()
        service.stop()
    found = outcome(engine)
    engine.dispose()
    return found


def lose(engine: Engine, how: str) -> None:
    with engine.begin() as connection:
        if how == "damaged":
            connection.execute(update(CheckpointPartRow).values(data=b"\0"))
        elif how == "parts":
            connection.execute(delete(CheckpointPartRow))
        elif how == "row":
            connection.execute(update(CheckpointRow).values(state=b"\0"))
        else:
            connection.execute(update(CheckpointRow).values(positions={"files": {"x": {}}}))


@pytest.mark.parametrize("how", ["damaged", "parts", "row", "positions"])
def test_lost_state_is_counted_again(
    tmp_path: Path, engine: Engine, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Failed when nothing was read again: the limit of the second attack is not reached then."""
    log = written(tmp_path / "access.log", [])
    first = Service(log, engine)
    before, after = lines()
    append(log, before)
    first.read()
    first.stop()
    assert first.told == [("opened", "203.0.113.7")]
    lose(engine, how)
    second = Service(log, engine)
    captured = capfd.readouterr()
    assert "checkpoint damaged" in captured.out + captured.err
    append(log, after)
    second.read()
    second.stop()
    assert [who for kind, who in second.told if kind == "opened"] == ["203.0.113.99"]
    expected = undisturbed(tmp_path / "undisturbed")
    found = outcome(engine)
    assert found["findings"] == expected["findings"]
    assert found["notices"] == expected["notices"]
    assert found["incidents"] == expected["incidents"]
    if how in {"damaged", "parts"}:  # else how far was counted is lost too
        assert found["aside"] == expected["aside"]
    assert list_gaps(engine) == []


def test_a_crash_while_input_is_read_again_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    """Failed when what is known already was not stored with the checkpoint."""
    log = written(tmp_path / "access.log", [])
    first = Service(log, engine)
    before, after = lines()
    append(log, before)
    first.read()
    first.stop()
    with engine.begin() as connection:  # what is found again shall show
        connection.execute(text("delete from notifications"))
        connection.execute(text("delete from timeline"))
        connection.execute(text("delete from evidence"))
        connection.execute(text("delete from findings"))
        connection.execute(text("delete from incident_terms"))
        connection.execute(text("delete from incidents"))
    lose(engine, "parts")
    second = Service(log, engine)
    second.stop()  # before it has read anything again
    third = Service(log, engine)
    append(log, after)
    third.read()
    third.stop()
    assert [who for kind, who in third.told if kind == "opened"] == ["203.0.113.99"]
    assert {row[0] for row in outcome(engine)["notices"]} == {"203.0.113.99"}


def test_what_cannot_be_counted_again_is_a_gap(tmp_path: Path, engine: Engine) -> None:
    """Failed when that was not recorded (`recovery._gaps`)."""
    log = written(tmp_path / "access.log", [])
    first = Service(log, engine)
    append(log, lines()[0])
    first.read()
    first.stop()
    with engine.begin() as connection:
        connection.execute(delete(CheckpointMarkRow))
    lose(engine, "parts")
    second = Service(log, engine)
    second.read()
    second.stop()
    (gap,) = list_gaps(engine)
    assert (gap.partition, gap.lost) == (str(log), None)
    assert "cannot all be read again" in gap.reason
    assert second.told == []


TOPIC = KafkaSource(
    bootstrap_servers=("broker:9092",), topics=("web",), format="combined", lateness=timedelta(0)
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    """A cluster with an empty topic, which workers connect to."""
    made = MemoryCluster()
    made.create("web")
    follower = partial(TopicFollower, connect=made.connect)
    monkeypatch.setattr("ingest.live.TopicFollower", follower)
    return made


def send(cluster: MemoryCluster, some: Sequence[str]) -> None:
    cluster.send("web", *(line.encode() for line in some))


@pytest.fixture
def disturbed(cluster: MemoryCluster, engine: Engine) -> Callable[..., Service]:
    """Read the first lines from the topic, lose state, send the others; return who goes on.

    Reading begins at the end of the topic, which is empty.
    """

    def disturb(how: str, forget: int = 0) -> Service:
        first = Service(TOPIC, engine)
        assert first.worker.problems == []
        send(cluster, lines()[0])
        first.read_topic(cluster.log("web", 0).end)
        first.stop()
        if how == "all":
            with engine.begin() as connection:
                connection.execute(delete(CheckpointMarkRow))
        lose(engine, "row" if how == "all" else how)
        send(cluster, lines()[1])
        cluster.forget("web", before=forget)
        return Service(TOPIC, engine)

    return disturb


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("how", ["parts", "row", "all"])
def test_a_topic_is_read_again(
    tmp_path: Path,
    engine: Engine,
    how: str,
    cluster: MemoryCluster,
    disturbed: Callable[..., Service],
) -> None:
    """Failed when nothing was read again, as with files. "all": no place is known any more.

    Then what came since the topic was begun was passed over in silence, as its source says that
    reading begins at the end: failed without `again`.
    """
    second = disturbed(how)
    second.read_topic(cluster.log("web", 0).end)
    second.stop()
    opened = [who for kind, who in second.told if kind == "opened"]
    assert opened == ["203.0.113.99"]
    found, expected = outcome(engine), undisturbed(tmp_path / "undisturbed")
    assert found["findings"] == expected["findings"]
    assert found["notices"] == expected["notices"]
    assert found["incidents"] == expected["incidents"]
    assert list_gaps(engine) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_what_a_topic_keeps_no_longer_is_a_gap(
    cluster: MemoryCluster, engine: Engine, disturbed: Callable[..., Service]
) -> None:
    """State is to be counted anew from before the oldest record that is left.

    Failed when a place before the oldest record was taken for that record, without a word.
    """
    second = disturbed("parts", forget=40)
    second.read_topic(cluster.log("web", 0).end)
    second.stop()
    (gap,) = list_gaps(engine)
    assert (gap.partition, gap.position, gap.lost, gap.unit) == ("web-0", 0, 40, "records")
    assert gap.until is not None
    assert [who for kind, who in second.told if kind == "opened"] == ["203.0.113.99"]


def test_marks_reach_back_far_enough_and_no_further(tmp_path: Path, engine: Engine) -> None:
    """Two days at ten minutes a step: the newest mark beyond the longest window stays."""
    del tmp_path
    for step in range(0, 2 * 24 * 60, 10):
        mark = marks.Mark(START + timedelta(minutes=step), {"files": {"a": {"offset": step}}})
        with engine.begin() as connection:
            marks.save_mark(connection, mark)
            marks.save_mark(connection, mark)
    kept = marks.stored_marks(engine)
    times = [mark.watermark for mark in kept if mark.watermark is not None]
    assert times == sorted(set(times))
    newest = times[-1]
    assert times[0] <= newest - marks.REACH < times[1]
    assert longest_window(load_catalogue()) + timedelta(minutes=2) < marks.REACH
    with engine.begin() as connection:
        connection.execute(update(CheckpointMarkRow).values(positions={}))
    assert marks.stored_marks(engine) == []


def test_what_was_set_aside_after_the_mark_is_counted_once(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed when the places that are gone back to did not say how far was counted later.

    Reading goes back to between two lines that are no events: a day before, as time leaps.
    """
    monkeypatch.setattr("vedette.worker.CHECKPOINT_EVERY", timedelta(0))
    log = written(tmp_path / "access.log", [])
    service = Service(log, engine)
    parts = [
        [*(combined(n) for n in range(5)), "no line of a log"],
        ["nor this", *(combined(10 + n) for n in range(5))],
        [combined(n).replace("02/Nov/2026:08", "03/Nov/2026:14") for n in range(8)],
        [combined(60 + n).replace("02/Nov/2026:08", "03/Nov/2026:14") for n in range(8)],
    ]
    for some in parts:
        append(log, some)
        service.read()
    service.stop()
    before = outcome(engine)["aside"]
    assert sum(count for _, count in before) == 2
    lose(engine, "parts")
    second = Service(log, engine)
    second.read()
    second.stop()
    assert outcome(engine)["aside"] == before
