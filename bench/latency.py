"""From a line that is written to the incident that is stored, while a worker follows the log.

    python -m bench.latency [--rate 2000] [--seconds 60] [--attacks 2] [--database URL]

A process of its own writes so many ordinary lines a second, and so many attackers a second who
each ask for ten missing paths at once: the tenth line makes an incident. Measured is from the
moment before that line is written until a reader of the database sees the incident. The worker
has every built-in detector and stores its checkpoints as it does in service. Goals: median at
most 0.4 s, 99 % within 1 s, at 2,000 lines a second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from sqlalchemy import Engine, select

from alerts.database.models import IncidentRow
from alerts.database.opening import open_database
from bench.checkpoints import Log, worker_on

ASKED = 10


def write(path: Path, rate: int, seconds: int, attacks: int) -> None:
    """Write lines, in portions of a tenth of a second; print when each attacker's last was."""
    log = Log(path, 20_000)
    parts = 10
    began = time.perf_counter()
    number = 0
    for step in range(seconds * parts):
        now = datetime.now(UTC)
        log.write(now, rate // parts)
        if step % max(1, parts // attacks) == 0:
            stamp = now.strftime("%d/%b/%Y:%H:%M:%S +0000")
            client = f"203.0.{number // 250}.{number % 250}"
            number += 1
            print(f"{client} {time.time()}", flush=True)
            with path.open("a", encoding="ascii") as file:
                file.writelines(
                    f'{client} - - [{stamp}] "GET /none-{n} HTTP/1.1" 404 9 "-" "curl/8"\n'
                    for n in range(ASKED)
                )
        time.sleep(max(0.0, began + (step + 1) / parts - time.perf_counter()))


def watch(engine: Engine, seen: dict[str, float], stop: threading.Event) -> None:
    """Note when each incident is first to be read."""
    newest = 0
    while not stop.wait(0.01):
        query = select(IncidentRow.id, IncidentRow.entity).where(IncidentRow.id > newest)
        with engine.connect() as connection:
            rows = connection.execute(query.order_by(IncidentRow.id)).all()
        for row in rows:
            seen.setdefault(row.entity, time.time())
            newest = row.id


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--attacks", type=int, default=2)
    parser.add_argument("--database", default="")
    parser.add_argument("--write", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(Path(options.write), options.rate, options.seconds, options.attacks)
        return
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        path = Path(name) / "access.log"
        path.touch()
        engine = open_database(options.database or f"sqlite:///{name}/v.db")
        reader = open_database(options.database or f"sqlite:///{name}/v.db")
        stop = threading.Event()
        seen: dict[str, float] = {}
        with worker_on(path, engine) as worker:
            working = threading.Thread(target=worker.run, args=(stop,))
            watching = threading.Thread(target=watch, args=(reader, seen, stop))
            for thread in (working, watching):
                thread.start()
            words = [sys.executable, "-m", "bench.latency", "--write", str(path)]
            words += [f"--rate={options.rate}", f"--seconds={options.seconds}"]
            words += [f"--attacks={options.attacks}"]
            written = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
            time.sleep(5)
            stop.set()
            for thread in (working, watching):
                thread.join()
        engine.dispose()
        reader.dispose()
    told = [line.split() for line in written.splitlines()]
    delays = [seen[client] - float(at) for client, at in told if client in seen]
    out = Console()
    out.print(f"{len(delays)} of {len(told)} attacks seen, {options.rate:,} lines/s")
    for share in (50, 90, 99, 100):
        out.print(f"p{share}: {np.percentile(delays, share):.2f} s")
    out.print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
