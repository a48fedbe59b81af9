"""What checkpoints cost with many live entities, and how soon a worker goes on with them.

    python -m bench.checkpoints [--clients 100000] [--rate 2000] [--seconds 30] [--database URL]

A worker with every built-in detector follows a log of so many clients: minutes of it at once, and
then so many lines a second as they are written. Reported are the share of time that checkpoints
take (packing, writing parts, the transaction), the longest that any transaction keeps other
writers out, what is stored, and the seconds until a new worker has taken all of it up again.
Goals: at most 5 % and 100 ms at 100,000 clients; a start within seconds with a million entities.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from rich.console import Console
from sqlalchemy import Connection, Engine, event

from alerts.database.opening import WRITES, open_database
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from detectors.snapshot import Snapshot
from ingest.sources import FileSource
from vedette.worker import Worker

PATHS = [*(f"/items/{n}" for n in range(400)), "/login", "/search?q=shoes", "/cart", "/gone"]


class Log:
    """Lines of many clients, each of them as often as any other."""

    def __init__(self, path: Path, clients: int) -> None:
        self._path = path
        self._clients = clients
        self._draw = random.Random(5)
        self._number = 0

    def write(self, at: datetime, lines: int) -> None:
        """Append lines of one second."""
        stamp = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
        with self._path.open("a", encoding="ascii") as log:
            log.writelines(self._line(stamp) for _ in range(lines))

    def _line(self, stamp: str) -> str:
        self._number += 1
        n = self._number * 7919 % self._clients
        client = f"{11 + n // 65536 % 80}.{n // 256 % 256}.{n % 256}.7"
        path = self._draw.choice(PATHS)
        status = 404 if path == "/gone" else 200
        return f'{client} - - [{stamp}] "GET {path} HTTP/1.1" {status} 512 "-" "Mozilla/5.0"\n'


class Held:
    """How long transactions that write keep others out, commits included."""

    def __init__(self, engine: Engine) -> None:
        self.seconds: list[float] = []
        self._since: float | None = None
        event.listen(engine, "begin", self._begun)
        event.listen(engine.pool, "checkin", self._ended)

    def _begun(self, connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            self._since = time.perf_counter()

    def _ended(self, *_: object) -> None:
        if self._since is not None:
            self.seconds.append(time.perf_counter() - self._since)
        self._since = None


@contextmanager
def worker_on(log: Path, engine: Engine) -> Iterator[Worker]:
    """A worker with every built-in detector."""
    source = FileSource(paths=(str(log),), format="combined")
    worker = Worker([source], Detection(load_catalogue()), Store(engine))
    try:
        yield worker
    finally:
        worker.close()


def drain(worker: Worker) -> None:
    """Work until nothing is left to read."""
    while worker.step(Event()):
        pass


def ended(worker: Worker) -> float:
    """End a worker; return the seconds that its last checkpoint took."""
    stop = Event()
    stop.set()
    began = time.perf_counter()
    worker.run(stop)
    return time.perf_counter() - began


def counted(engine: Engine) -> int:
    """Return how many entities the stored state has counts of, those in several segments twice."""
    checkpoint = Store(engine).load_checkpoint()
    if checkpoint is None:
        return 0
    windows = Snapshot.unpack(checkpoint.state, checkpoint.parts).windows.values()
    return sum(sums.keys.height for window in windows for sums in window.segments)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.checkpoints", description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--database", default="")
    options = parser.parse_args()
    out = Console()
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        path = Path(name) / "access.log"
        path.touch()
        engine = open_database(options.database or f"sqlite:///{name}/v.db")
        held = Held(engine)
        log = Log(path, options.clients)
        with worker_on(path, engine) as worker:
            warm = max(12, 3 * options.clients // (2 * options.rate))
            begin = datetime.now(UTC) - timedelta(seconds=warm)
            for second in range(warm):
                log.write(begin + timedelta(seconds=second), options.rate)
            drain(worker)
            out.print(f"{options.clients:,} clients, {warm * options.rate:,} lines before")
            held.seconds.clear()
            before = worker.health().checkpoints
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(options.seconds):
                until = time.perf_counter() + 1
                log.write(datetime.now(UTC), options.rate)
                while time.perf_counter() < until:
                    if not worker.step(Event()):
                        time.sleep(0.05)
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            report = worker.health()
            spent = report.checkpoints.sum - before.sum
            out.print(
                f"checkpoints take {spent / took:.1%} of {took:.0f} s (worker's CPU {cpu:.1f} s);"
                f" writers held at most {max(held.seconds) * 1e3:.0f} ms"
                f" in {len(held.seconds)} transactions"
            )
            out.print(f"detector state {int(str(report.details['checkpoint_bytes'])) / 1e6:.1f} MB")
            out.print(f"last checkpoint and end: {ended(worker):.1f} s")
        out.print(f"{counted(engine):,} entities counted by all rules")
        began = time.perf_counter()
        with worker_on(path, engine) as worker:
            out.print(f"taken up again in {time.perf_counter() - began:.1f} s")
            out.print(f"first checkpoint after: {ended(worker):.1f} s")
        engine.dispose()
    out.print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
