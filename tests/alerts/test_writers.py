"""Several writers at once: none loses what another wrote, and readers see one moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import OperationalError

from alerts.actions import Change, IllegalChangeError, change_incident
from alerts.database import opening
from alerts.database.models import (
    EvidenceRow,
    FindingRow,
    IncidentRow,
    LeaseRow,
    TimelineRow,
    table_of,
)
from alerts.database.opening import for_writing, open_database
from alerts.lists.queries import IncidentFilter, get_incident, list_incidents
from alerts.storage.store import Store
from detectors.findings import Evidence, Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = {"name": "x", "holder": "x", "process": None, "epoch": 1, "expires_at": START}


def finding(second: int, entity: str = "203.0.113.7", **changes: Any) -> Finding:
    at = START + second * SECOND
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "user",
        "entity": entity,
        "first": at,
        "last": at,
        "value": second + 20,
        "threshold": 10,
        "unit": "paths",
        "window": 60 * SECOND,
        "level": Level.HIGH,
    }
    return Finding(**{**values, **changes})


def together(*works: Callable[[], object]) -> None:
    """Run each in a thread, begun at the same moment; raise what any of them raises."""
    ready = Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        ready.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result()


def test_workers_that_write_about_one_entity_make_one_incident(engine: Engine) -> None:
    def work(begin: int) -> Callable[[], None]:
        def write() -> None:
            for second in range(begin, 60, 4):
                Store(engine).record([finding(second)], watermark=None)

        return write

    together(*map(work, range(4)))
    with engine.connect() as connection:
        (incident,) = connection.execute(select(table_of(IncidentRow))).all()
        (found,) = connection.execute(select(table_of(FindingRow))).all()
    assert (incident.started_at, incident.last_at) == (START, START + 59 * SECOND)
    assert (found.first, found.last, found.value) == (START, START + 59 * SECOND, 79)


def test_people_and_the_worker_lose_nothing(engine: Engine) -> None:
    Store(engine).record([finding(0)], watermark=None)
    (incident,) = list_incidents(engine).items

    def worker() -> None:
        for second in range(1, 40):
            Store(engine).record([finding(second)], watermark=None)

    def person(name: str) -> Callable[[], None]:
        def act() -> None:
            for number in range(10):
                change = Change(add_labels=(f"{name}-{number}",), comment=f"{name} {number}")
                change_incident(engine, incident.id, change, actor=name, now=START)

        return act

    together(worker, person("ada"), person("bob"))
    detail = get_incident(engine, incident.id)
    assert detail is not None
    assert detail.incident.last_at == START + 39 * SECOND
    assert set(detail.incident.labels) == {f"{n}-{i}" for n in ("ada", "bob") for i in range(10)}
    with engine.connect() as connection:
        comments = select(func.count()).where(TimelineRow.action == "commented")
        assert connection.execute(comments).scalar_one() == 20


def test_readers_see_one_moment(engine: Engine) -> None:
    Store(engine).record([finding(0)], watermark=None)
    with engine.connect() as reader:
        before = reader.execute(select(IncidentRow.last_at)).scalar_one()
        Store(engine).record([finding(30)], watermark=None)
        assert reader.execute(select(IncidentRow.last_at)).scalar_one() == before
    with engine.connect() as reader:
        assert reader.execute(select(IncidentRow.last_at)).scalar_one() > before


def test_readers_wait_for_no_writer(engine: Engine) -> None:
    Store(engine).record([finding(0)], watermark=None)
    with for_writing(engine).begin() as writer:
        writer.execute(update(IncidentRow).values(summary="changing"))
        assert "changing" not in list_incidents(engine).items[0].summary


def test_what_was_read_is_true_when_it_is_changed(engine: Engine) -> None:
    writing = for_writing(engine)
    Store(engine).record([finding(0)], watermark=None)

    def count_up() -> None:
        for _ in range(20):
            with writing.begin() as connection:
                version = connection.execute(select(IncidentRow.version)).scalar_one()
                connection.execute(update(IncidentRow).values(version=version + 1))

    together(*[count_up] * 4)
    with engine.connect() as connection:
        assert connection.execute(select(IncidentRow.version)).scalar_one() == 81


def test_whoever_waits_too_long_is_told(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_MS", 50)
    engine = open_database(database_url)
    held, done = Event(), Event()

    def hold() -> None:
        with for_writing(engine).begin() as connection:
            connection.execute(text("select 1"))
            held.set()
            done.wait(30)

    def knock() -> None:
        held.wait(30)
        try:
            with pytest.raises(OperationalError, match="lock"):
                Store(engine).record([finding(0)], watermark=None)
        finally:
            done.set()

    together(hold, knock)
    assert Store(engine).record([finding(0)], watermark=None)
    engine.dispose()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_writer_that_was_stopped_in_the_midst_keeps_nobody_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine may be gone. Woken, it has written nothing and tries again, as callers do.

    Failed without the limit for idle transactions (the others gave up waiting for the lock), and,
    as the driver calls that an internal error, which nobody tries again, without `_as_operational`.
    """
    assert opening._IDLE_TIMEOUT_MS == 20_000
    with closing(for_writing(engine).connect()) as stopped:
        with monkeypatch.context() as patched:
            patched.setattr(opening, "_IDLE_TIMEOUT_MS", 100)
            stopped.begin()
        assert Store(engine).record([finding(0)], watermark=None)  # once that one was ended
        with pytest.raises(OperationalError, match="idle"):
            stopped.execute(insert(LeaseRow).values(**LEASE))
    with for_writing(engine).begin() as again:
        assert again.execute(select(LeaseRow)).all() == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_server_that_only_reads_for_now_is_tried_again(engine: Engine) -> None:
    """So it is while another one takes over. Failed without `_as_operational`."""
    with for_writing(engine).connect() as connection:
        connection.execute(text("set transaction read only"))
        with pytest.raises(OperationalError, match="read-only"):
            connection.execute(insert(LeaseRow).values(**LEASE))


def test_two_programs_that_open_a_new_database_at_once(new_database_url: str) -> None:
    together(*[lambda: open_database(new_database_url).dispose()] * 3)


def test_a_writer_that_fails_lets_the_next_one_in(engine: Engine) -> None:
    connection = for_writing(engine).connect()
    connection.execute(delete(EvidenceRow))
    connection.close()
    assert Store(engine).record([finding(0)], watermark=None)


def test_lists_are_in_one_order_on_every_database(engine: Engine) -> None:
    names = ["b", "C", "_a", "á", "a-b", "ab", "B"]
    shown = tuple(Evidence(START, name, 1, "GET /") for name in names)
    found = [finding(0, detector=name, evidence=shown) for name in names]
    Store(engine).record(found, watermark=None)
    detail = get_incident(engine, 1)
    assert detail is not None
    assert [item.partition for item in detail.evidence] == sorted(names)
    assert [item.detector for item in detail.findings] == sorted(names)
    assert list(detail.incident.detectors) == sorted(names)


@settings(max_examples=30, deadline=None)
@given(
    hostile=st.text(
        st.one_of(st.characters(), st.sampled_from("\0\ud800\u202e'\\\"%_\n\x1b")), max_size=30
    )
)
def test_any_text_is_stored_and_found(emptied: Callable[[], Engine], hostile: str) -> None:
    engine = emptied()
    found = finding(
        0,
        entity=f"x{hostile}",
        evidence=(Evidence(START, f"log{hostile}", 1, hostile, hostile),),
        members=frozenset({hostile}),
    )
    Store(engine).record([found], watermark=None)
    assert Store(engine).record([found], watermark=None) == []
    (view,) = list_incidents(engine, IncidentFilter(entity=f"x{hostile}")).items
    with suppress(IllegalChangeError):  # what nobody types is refused
        change_incident(engine, view.id, Change(comment=f"c{hostile}"), actor="ada", now=START)
    detail = get_incident(engine, view.id)
    assert detail is not None
    assert len(detail.evidence) == 1
