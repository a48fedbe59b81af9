"""Crashes before and after every transaction of the worker, one by one.

What processes that are killed at random moments hit now and then is tried here systematically:
between any two transactions what is stored is a place to go on from.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Final

import pytest
from sqlalchemy import Connection, Engine, event

from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.catalogue import Catalogue, load_catalogue
from detectors.detection import Detection
from ingest.sources import FileSource
from tests.durability.outcome import Outcome, outcome
from tests.durability.story import START
from vedette.worker import Worker

#: Appends that the worker reads one by one, each with a checkpoint; the last is of hours later.
PIECES: Final = 4


class CrashError(BaseException):
    """The process ends here; nobody may catch it."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def pieces() -> list[list[str]]:
    """Two clients look for what is not there, over several appends."""
    found = [
        [
            line(60 * number + second, f"203.0.113.{client}", f"/none-{number}-{second}-{client}")
            for second in range(7)
            for client in (7, 8)
        ]
        for number in range(PIECES - 1)
    ]
    return [*found, [line(7200 + second, "192.0.2.1", "/", 200) for second in range(6)]]


def line(second: int, client: str, path: str, status: int = 404) -> str:
    at = START + timedelta(seconds=second)
    clock = f"{at:%d/%b/%Y:%H:%M:%S} +0000"
    return f'{client} - - [{clock}] "GET {path} HTTP/1.1" {status} 512 "-" "Mozilla/5.0"\n'


@contextmanager
def crashing(engine: Engine, number: int) -> Iterator[list[int]]:
    """Crash before the commit of that number, counted from 1; yields the count so far."""
    count = [0]

    def on_commit(_connection: Connection) -> None:
        count[0] += 1
        if count[0] == number:
            raise CrashError

    event.listen(engine, "commit", on_commit)
    try:
        yield count
    finally:
        event.remove(engine, "commit", on_commit)


def play(log: Path, engine: Engine, catalogue: Catalogue, crash: int) -> tuple[Outcome, int]:
    """Append and read piece by piece; crash once, and go on with another worker."""
    log.write_text("", encoding="utf-8")
    waiting = pieces()
    with crashing(engine, crash) as count:
        try:
            work(log, engine, catalogue, waiting)
        except CrashError:
            work(log, engine, catalogue, waiting)
    return outcome(engine), count[0]


def work(log: Path, engine: Engine, catalogue: Catalogue, waiting: list[list[str]]) -> None:
    source = FileSource(paths=(str(log),), format="combined")
    routing = Routing.everything_to("ops")
    stop = Event()
    with closing(Worker([source], Detection(catalogue), Store(engine), routing=routing)) as worker:
        read(worker)
        while waiting:
            append(log, waiting.pop(0))
            read(worker)
        stop.set()
        worker.run(stop)


def append(log: Path, lines: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as out:
        out.writelines(lines)


def read(worker: Worker) -> None:
    while worker.step(Event()):
        pass


def test_every_transaction_leaves_a_place_to_go_on_from(
    emptied: Callable[[], Engine],
    catalogue: Catalogue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Failed when the checkpoint was stored in a transaction of its own before the incidents."""
    monkeypatch.setattr("vedette.worker.CHECKPOINT_EVERY", timedelta(0))
    expected, commits = play(tmp_path / "a.log", emptied(), catalogue, 0)
    assert len(expected.incidents) == 2
    assert commits > 2 * PIECES
    for crash in range(1, commits + 1):
        found, _ = play(tmp_path / f"{crash}.log", emptied(), catalogue, crash)
        assert expected.differences(found) == [], f"crash before commit {crash} of {commits}"
