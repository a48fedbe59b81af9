"""Processes of the service on one database: one works, others stand by; what a signal ends."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy import select as query

from alerts.database.models import CheckpointRow, IncidentRow, LeaseRow

from .scans import combined

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

#: Longer than anything takes here, however busy the machine is.
PATIENCE = 60.0


class Process:
    """One process of the service, and what it says."""

    def __init__(self, url: str, log: Path, mode: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "service_process.py"), url, str(log), mode],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._said = b""

    def awaits(self, word: str, patience: float = PATIENCE) -> bool:
        """Wait until it says a line; what it said before that is forgotten."""
        assert self.process.stdout is not None
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            *lines, rest = self._said.split(b"\n")
            if word.encode() in lines:
                self._said = b"\n".join([*lines[lines.index(word.encode()) + 1 :], rest])
                return True
            if select.select([self.process.stdout], [], [], left)[0]:
                more = os.read(self.process.stdout.fileno(), 65_536)
                if not more:
                    return False
                self._said += more
        return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a process on the test's database and log."""
    started: list[Process] = []

    def begin(mode: str = "") -> Process:
        (tmp_path / "access.log").touch()
        started.append(Process(database_url, tmp_path / "access.log", mode))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        each.process.communicate()


def attack(log: Path, client: str, begin: int) -> None:
    with log.open("a", encoding="utf-8") as file:
        for n in range(12):
            request = f"GET /none-{n} HTTP/1.1"
            file.write(combined(begin + n, client=client, request=request, status=404) + "\n")


def entities(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(query(IncidentRow.entity)).scalars())


def epoch(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(query(LeaseRow.epoch)).scalar_one())


def test_a_standby_takes_over_from_a_stopped_worker_which_then_stands_by(
    engine: Engine, tmp_path: Path, start: Callable[..., Process]
) -> None:
    """SIGSTOP, another takes over and finds an attack, SIGCONT: nothing is written twice.

    Failed without the fence (`Duty.work`): the first one goes on as if nothing had happened; and
    when a lease that has expired was not free (`Lease._is_free`): nobody takes over.
    """
    log = tmp_path / "access.log"
    first = start()
    assert first.awaits("active")
    second = start()
    assert second.awaits("standby")
    attack(log, "203.0.113.7", 0)
    assert first.awaits("203.0.113.7")
    for _ in range(5):
        first.signal(signal.SIGSTOP)
        if second.awaits("active", patience=12):
            break
        first.signal(signal.SIGCONT)  # on SQLite: stopped in the midst of a transaction
    attack(log, "203.0.113.8", 60)
    assert second.awaits("203.0.113.8")
    assert epoch(engine) == 2
    first.signal(signal.SIGCONT)
    assert first.awaits("standby")
    attack(log, "203.0.113.9", 120)
    assert second.awaits("203.0.113.9")
    second.signal(signal.SIGTERM)
    assert second.awaits("stopped")
    assert first.awaits("active")
    attack(log, "203.0.113.10", 180)
    assert first.awaits("203.0.113.10")
    assert entities(engine) == [f"203.0.113.{n}" for n in (10, 7, 8, 9)]
    first.signal(signal.SIGTERM)
    assert first.awaits("stopped")
    assert epoch(engine) == 3


def test_a_signal_drains_stores_and_ends(
    engine: Engine, tmp_path: Path, start: Callable[..., Process]
) -> None:
    """Failed when the worker did not store where it stands as it was told to stop (`run`)."""
    worker = start()
    assert worker.awaits("active")
    log = tmp_path / "access.log"
    attack(log, "203.0.113.7", 0)
    assert worker.awaits("203.0.113.7")
    worker.signal(signal.SIGTERM)
    assert worker.awaits("stopped")
    assert worker.process.wait(PATIENCE) == 0
    with engine.connect() as connection:
        positions = connection.execute(query(CheckpointRow.positions)).scalar_one()
    (place,) = positions["files"].values()
    assert log.stat().st_size in _numbers(place)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_process_that_cannot_drain_leaves_all_the_same(start: Callable[..., Process]) -> None:
    """Failed without the thread that ends the process in time: it waited for its sender."""
    worker = start("stuck")
    assert worker.awaits("active")
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(PATIENCE) == 0
    assert not worker.awaits("stopped")


def _numbers(value: object) -> set[int]:
    if isinstance(value, dict):
        return {number for each in value.values() for number in _numbers(each)}
    if isinstance(value, list):
        return {number for each in value for number in _numbers(each)}
    return {value} if isinstance(value, int) else set()
