"""One active worker: the lease, its epoch, and the fence before every write."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, select, update

from alerts.database.models import LeaseRow
from alerts.database.opening import fenced, for_writing, open_database
from alerts.deletion.retention import prune
from alerts.recovery import lease as lease_module
from alerts.recovery.holder import Holder, is_gone
from alerts.recovery.lease import Lease, LeaseLostError, Term
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def lease(engine: Engine, name: str, length: timedelta = 20 * SECOND) -> Lease:
    return Lease(engine, holder=Holder(name, None), length=length)


def taken(some: Lease) -> Term:
    term = some.acquire()
    assert term is not None
    return term


def expire(engine: Engine, by: timedelta = SECOND) -> None:
    """As if nothing had renewed the lease for long."""
    with engine.begin() as connection:
        now = lease_module._now(connection)
        connection.execute(update(LeaseRow).values(expires_at=now - by))


def finding(second: int = 0) -> Finding:
    at = START + second * SECOND
    return Finding("recon", "client", "a", at, at, 20, 10, "paths", 60 * SECOND, Level.HIGH)


def test_one_of_two_has_the_lease_until_it_gives_it_back(engine: Engine) -> None:
    first, second = lease(engine, "one"), lease(engine, "two")
    term = taken(first)
    assert second.acquire() is None
    assert second.holder() == "one"
    first.renew(term)
    assert second.acquire() is None
    first.release(term)
    assert taken(second).epoch == term.epoch + 1
    assert first.holder() == "two"


def test_only_one_of_many_at_once_gets_a_free_lease(engine: Engine) -> None:
    """Failed when `acquire` did not look again under the writers' lock: five had it."""
    found: list[Term | None] = []
    threads = [
        Thread(target=lambda n=n: found.append(lease(engine, f"{n}").acquire())) for n in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([term for term in found if term is not None]) == 1


def test_what_expired_is_taken_over_and_the_first_holder_writes_nothing(engine: Engine) -> None:
    """Failed without the check when a transaction begins, and when it did not ask for the epoch."""
    first, second = lease(engine, "one"), lease(engine, "two")
    term = taken(first)
    store = Store(term.fence(engine))
    assert store.record([finding(0)], watermark=None)
    expire(engine)
    assert store.record([finding(1)], watermark=None) == []  # nobody has taken it: still ours
    other = Store(taken(second).fence(engine))
    with pytest.raises(LeaseLostError, match="two has taken over from one"):
        store.record([finding(3_600)], watermark=None)
    with pytest.raises(LeaseLostError):
        prune(
            term.fence(engine),
            START,
            tombstones=Tombstones(b"t" * 32),
            incidents=SECOND,
            deliveries=SECOND,
        )
    with pytest.raises(LeaseLostError):
        first.renew(term)
    first.release(term)
    assert lease(engine, "three").acquire() is None  # what is lost cannot be given back
    assert len(other.record([finding(3_600)], watermark=None)) == 1
    assert other.record([finding(3_600)], watermark=None) == []


def test_a_refused_transaction_leaves_the_database_to_others(engine: Engine) -> None:
    """Failed without the check, as the one before."""
    term = taken(lease(engine, "one"))
    expire(engine)
    taken(lease(engine, "two"))
    with pytest.raises(LeaseLostError), for_writing(term.fence(engine)).begin():
        raise AssertionError("the transaction began")
    assert Store(engine).record([finding()], watermark=None)  # people are not fenced


def test_readers_are_not_fenced(engine: Engine) -> None:
    def refuse(_: object) -> None:
        raise LeaseLostError("lost")

    with fenced(engine, refuse).connect() as connection:
        assert connection.execute(select(LeaseRow)).all() == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_renewal_waits_for_no_long_transaction(engine: Engine) -> None:
    """On PostgreSQL; SQLite has one writer at a time, whatever it writes.

    Failed when renewals were writers like others.
    """
    mine = lease(engine, "one")
    term = taken(mine)
    expire(engine)
    with for_writing(term.fence(engine)).begin():
        mine.renew(term)
        with engine.connect() as connection:
            end = connection.execute(select(LeaseRow.expires_at)).scalar_one()
            assert end > lease_module._now(connection)


def test_a_lease_of_the_far_future_is_free_as_the_clock_was_set_back(engine: Engine) -> None:
    """Failed when only a lease that has expired was free."""
    taken(lease(engine, "one"))
    expire(engine, -timedelta(hours=1))
    assert taken(lease(engine, "two")).epoch == 2


def test_whoever_stands_by_takes_over_when_the_holder_stops(engine: Engine) -> None:
    """Failed when the holder did not renew its lease."""
    first, second = lease(engine, "one", SECOND), lease(engine, "two", SECOND)
    term = taken(first)
    got: list[Term | None] = []
    waiting = Thread(target=lambda: got.append(second.wait(Event())))
    with first.kept(term):
        waiting.start()
        Event().wait(1.5)  # longer than it lasts without being renewed
        assert got == []
    waiting.join(10)
    assert [found and found.epoch for found in got] == [2]


def test_who_ends_its_work_gives_the_lease_back_at_once(engine: Engine) -> None:
    """Failed when `kept` did not give it back: the next one would wait until it expires."""
    first = lease(engine, "one")
    with first.kept(taken(first)):
        assert lease(engine, "two").acquire() is None
    assert taken(lease(engine, "two")).epoch == 2


def test_whoever_stands_by_can_be_told_to_stop(engine: Engine) -> None:
    taken(lease(engine, "one"))
    stop = Event()
    stop.set()
    assert lease(engine, "two").wait(stop) is None


@pytest.mark.parametrize("length", [timedelta(0), timedelta(minutes=2)])
def test_lengths_that_make_no_sense_are_refused(engine: Engine, length: timedelta) -> None:
    with pytest.raises(ValueError, match="not between"):
        Lease(engine, length=length)


@pytest.fixture
def process(database_url: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start another process that takes the lease; `mode` says what it does then."""
    started: list[subprocess.Popen[str]] = []

    def start(mode: str) -> subprocess.Popen[str]:
        other = subprocess.Popen(
            [sys.executable, str(HERE / "lease_holder.py"), database_url, mode],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(other)
        return other

    yield start
    for other in started:
        other.kill()
        other.communicate()


def test_a_process_that_was_killed_is_followed_at_once(
    database_url: str, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Its lease would last a minute yet: that its process has ended is seen on its machine.

    Failed when that was not looked at (`is_gone`).
    """
    engine = open_database(database_url)
    other = process("wait")
    assert other.stdout is not None
    assert other.stdout.readline() == "holds\n"
    assert Lease(engine).acquire() is None
    other.send_signal(signal.SIGKILL)
    other.wait(10)
    term = taken(Lease(engine))
    assert term.epoch == 2
    engine.dispose()


def test_a_process_that_was_stopped_and_wakes_writes_nothing(
    database_url: str, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    """SIGSTOP with everything ready for the transaction; then another process takes over.

    Failed when the fence compared no epochs, and when it looked at the time instead (the process
    may be stopped after it has looked).
    """
    engine = open_database(database_url)
    other = process("write")
    assert other.stdout is not None
    assert other.stdout.readline() == "holds\n"
    _, status = os.waitpid(other.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    expire(engine)
    store = Store(taken(Lease(engine)).fence(engine))
    assert len(store.record([finding(0)], watermark=None)) == 1
    other.send_signal(signal.SIGCONT)
    assert other.stdout.read() == "lost\n"
    assert store.record([finding(0)], watermark=None) == []
    assert len(store.record([finding(3_600)], watermark=None)) == 1  # it had that one ready
    engine.dispose()


def test_a_process_is_known_by_its_machine_number_and_beginning() -> None:
    mine = Holder.this()
    assert mine.process is not None
    assert not is_gone(mine.process)
    machine, pid, begun = mine.process.rsplit("/", 2)
    assert is_gone(f"{machine}/{pid}/{int(begun) - 1}")  # another one had this number before
    assert is_gone(f"{machine}/{2**22 + 1}/{begun}")
    assert not is_gone(f"elsewhere/{2**22 + 1}/{begun}")
    assert not is_gone(None)
    assert not is_gone("junk")
