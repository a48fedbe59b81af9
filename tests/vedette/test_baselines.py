"""What is learned outlives what happens to a checkpoint, and old logs can teach it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from structlog.testing import capture_logs

import vedette.commands.learn
from alerts.database.models import BaselineRow, CheckpointPartRow, CheckpointRow, table_of
from alerts.recovery.baselines import KEPT
from alerts.storage.store import Store
from detectors.catalogue import Catalogue
from detectors.detection import Detection
from detectors.learned.families import Families
from detectors.learned.family import Learning
from detectors.snapshot import pack_frames
from ingest.sources import FileSource
from tests.detectors.learned.tally import Tally
from tests.detectors.streams import event, frame
from vedette.baselines import Baselines, stored_state
from vedette.commands.learn import learning_table
from vedette.recovery import Origin
from vedette.screen import Screen
from vedette.worker import Worker

DAY = timedelta(days=1)
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def taught(events: int) -> Families:
    """A family that has seen so many requests on the first day."""
    families = Families([Tally()])
    families.judge(families.aggregate(frame(event(n) for n in range(events))), None)
    return families


def known(state: Any) -> int | None:
    """How many requests a state knows of."""
    return int(state["tally"]["days"]["events"].sum()) if "tally" in state else None


def keep(store: Store, events: int, day: int, origin: Any = "service") -> None:
    packed = {name: pack_frames(parts) for name, parts in taught(events).snapshot().items()}
    store.keep_baselines(packed, origin, START + day * DAY)


def damage(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        row = BaselineRow.id == number
        connection.execute(update(BaselineRow).where(row).values(state=b"VDTFRAMES\0"))


def test_a_copy_a_day_and_old_ones_go(engine: Engine) -> None:
    store = Store(engine)
    copies = Baselines(store, Origin({}, "end"))
    copies.keep(taught(1), None)
    for hour in range(0, 24 * 12, 8):
        copies.keep(taught(hour + 1), START + timedelta(hours=hour))
    kept = store.baselines("tally")
    assert len(kept) == KEPT
    days = [copy.watermark.date() for copy in kept if copy.watermark]
    assert days == sorted(set(days), reverse=True)
    again = Baselines(store, Origin({}, "end"))
    again.take_up(taught(1))
    again.keep(taught(1), kept[0].watermark)
    assert store.newest_baseline() == kept[0].id


def test_the_checkpoint_goes_before_copies_of_the_service(engine: Engine) -> None:
    store = Store(engine)
    snapshot = Detection(Catalogue((), "x"), {}, taught(5)).snapshot()
    keep(store, 3, 0)
    copies = Baselines(store, Origin({}, "beginning", snapshot))
    assert known(copies.take_up(taught(0))) == 5
    assert copies.remarks == []


def test_what_learn_has_learned_is_taken_up_once(engine: Engine) -> None:
    store = Store(engine)
    snapshot = Detection(Catalogue((), "x"), {}, taught(5)).snapshot()
    keep(store, 9, 0, "learn")
    first = Baselines(store, Origin({}, "beginning", snapshot))
    assert known(first.take_up(taught(0))) == 9
    assert len(first.remarks) == 1
    later = Baselines(store, Origin({"baselines": first.taken_up}, "beginning", snapshot))
    assert known(later.take_up(taught(0))) == 5
    keep(store, 8, 1)  # the service goes on; then its checkpoint is lost altogether
    assert known(Baselines(store, Origin({}, "beginning")).take_up(taught(0))) == 8


def test_of_damaged_copies_an_earlier_one_is_taken(engine: Engine) -> None:
    store = Store(engine)
    for day, events in enumerate((3, 4, 5)):
        keep(store, events, day)
    damage(engine, store.newest_baseline())
    copies = Baselines(store, Origin({}, "beginning"))
    assert known(copies.take_up(taught(0))) == 4
    assert "cannot be used: it fails its checksum" in copies.remarks[0]
    assert "going on from the copy of 2026-11-03 08:00 UTC" in copies.remarks[1]
    for copy in store.baselines("tally"):
        damage(engine, copy.id)
    none = Baselines(store, Origin({}, "beginning"))
    assert known(none.take_up(taught(0))) is None
    assert none.remarks[-1].endswith("learning anew")


def test_what_is_read_again_is_not_learned_twice(engine: Engine) -> None:
    store = Store(engine)
    for day, events in enumerate((3, 4, 5)):
        keep(store, events, day)
    at = START + DAY
    assert known(Baselines(store, Origin({}, "beginning", None, at)).take_up(taught(0))) == 4
    before = Origin({}, "beginning", None, START - DAY)
    assert known(Baselines(store, before).take_up(taught(0))) == 3


def worker_on(engine: Engine, log: Path) -> Worker:
    detection = Detection(Catalogue((), "x"), {}, Families([Tally()], "tally"))
    return Worker([FileSource(paths=(str(log),))], detection, Store(engine))


def write(log: Path, day: int, lines: int) -> None:
    with log.open("a", encoding="utf-8") as out:
        for n in range(lines):
            time = f"{START + day * DAY + timedelta(seconds=n):%d/%b/%Y:%H:%M:%S +0000}"
            out.write(f'203.0.113.7 - - [{time}] "GET /{n} HTTP/1.1" 200 5 "-" "curl/8"\n')


def work(worker: Worker) -> None:
    stop = Event()
    while worker.step(stop):
        pass
    stop.set()
    worker.run(stop)


def everything(engine: Engine, log: Path) -> tuple[int | None, list[str]]:
    state, remarks = stored_state(Store(engine), Families([Tally()]))
    return known(state), remarks


@pytest.mark.parametrize("what", ["nothing", "part", "checkpoint"])
def test_a_worker_goes_on_from_what_was_learned(engine: Engine, tmp_path: Path, what: str) -> None:
    log = tmp_path / "access.log"
    log.touch()
    work(worker_on(engine, log))
    write(log, 0, 20)
    work(worker_on(engine, log))
    assert everything(engine, log) == (20, [])
    with engine.begin() as connection:
        if what == "part":
            connection.execute(update(CheckpointPartRow).values(data=b"x"))
        elif what == "checkpoint":
            connection.execute(update(CheckpointRow).values(sha256="x"))
    with capture_logs() as said:
        worker = worker_on(engine, log)
    remarks = [entry["remark"] for entry in said if "remark" in entry]
    assert any("lost" in remark for remark in remarks) is (what != "nothing")
    write(log, 0, 5)
    work(worker)
    state, _ = everything(engine, log)
    assert state is not None
    assert state >= 25


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vedette.commands.learn, "families_of", lambda _: Families([Tally()]))


@pytest.mark.usefixtures("families")
def test_learn_teaches_the_next_worker(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old.log"
    write(old, 0, 30)
    url = engine.url.render_as_string(hide_password=False)
    learn = vedette.commands.learn
    assert learn.learn_from([str(old)], None, log_format="auto", database=url, as_json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["detector"] == "busiest_day"
    assert "Learned up to 2026-11-02 08:00:29 UTC" in printed.err
    assert learn.print_status(None, database=url, as_json=False) == 0
    printed = capsys.readouterr()
    assert "1: day 1 of 2" in printed.out
    assert "takes up what vedette learn has learned" in printed.err
    log = tmp_path / "access.log"
    log.touch()
    work(worker_on(engine, log))
    write(log, 0, 12)
    work(worker_on(engine, log))
    assert everything(engine, log) == (42, [])
    with engine.connect() as connection:
        origins = connection.execute(select(table_of(BaselineRow).c.origin)).scalars().all()
    assert sorted(set(origins)) == ["learn", "service"]


@pytest.mark.usefixtures("families")
def test_no_events_teach_nothing(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "old.log"
    empty.touch()
    url = engine.url.render_as_string(hide_password=False)
    learn = vedette.commands.learn.learn_from
    assert learn([str(empty)], None, log_format="auto", database=url, as_json=False) == 1
    assert "no event to learn from" in capsys.readouterr().err
    assert Store(engine).newest_baseline() == 0


def test_the_table_counts_what_is_learned() -> None:
    rows = [
        Learning("volume", "service", f"s{n}", START - n * DAY, days, 7, 3)
        for n, days in enumerate((7, 9, 3, 5))
    ]
    console = Screen(width=100, record=True)
    with console.capture() as shown:
        console.print(learning_table([*rows, Learning("up", "all", "all traffic", None, 7, 7, 1)]))
    text = shown.get()
    assert "service (4)" in text
    assert "2: day 3 to 5 of 7" in text
    assert "2026-10-30" in text
    assert "all traffic" in text
