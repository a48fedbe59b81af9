"""A storm for real: 10,000 incidents in a minute, three targets, one dead; threads and HTTP.

    python -m bench.notifications [--incidents 10000] [--seconds 60] [--url sqlite:///...]

The store records as many incidents a second as make that, once without a sender and once with one
that sends to a receiver on loopback. Told are the store's latencies, how many messages each target
got, what waits, and the memory of the process.
"""

import argparse
import json
import logging
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select

from alerts.database.models import NotificationRow
from alerts.database.opening import open_database
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.sending.sender import Sender
from alerts.storage.store import Store
from detectors.findings import Finding, Level

TICK = 0.25
NAMES = ("one", "two", "dead")


class Receiver:
    """Counts messages by the path that they come to."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.sizes: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                json.loads(body)
                receiver.came[self.path.strip("/")] += 1
                receiver.sizes.append(len(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def finding(number: int) -> Finding:
    now = datetime.now(UTC)
    return Finding(
        "recon",
        "user",
        f"user{number}",
        now,
        now,
        43,
        10,
        "distinct missing paths",
        timedelta(minutes=2),
        Level.MEDIUM,
    )


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def storm(
    engine: Engine, sender: Sender | None, incidents: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Record incidents evenly; return latencies in ms, and memory in MB second by second."""
    store = Store(engine)
    routing = Routing.everything_to(*NAMES)
    ticks = max(1, round(seconds / TICK))
    latencies, memory = [], []
    began = time.monotonic()
    for tick in range(ticks):
        share = range(tick * incidents // ticks, (tick + 1) * incidents // ticks)
        findings = [finding(number) for number in share]
        start = time.monotonic()
        store.record(findings, watermark=None, routing=routing)
        latencies.append((time.monotonic() - start) * 1000)
        if sender is not None:
            sender.wake()
        if tick % 4 == 0:
            memory.append(resident_mb())
        time.sleep(max(0.0, began + (tick + 1) * TICK - time.monotonic()))
    return latencies, memory


def targets(port: int) -> list[Target]:
    return [
        Target(name, SecretStr(f"json://127.0.0.1:{1 if name == 'dead' else port}/{name}"))
        for name in NAMES
    ]


def states(engine: Engine) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {name: {} for name in NAMES}
    query = select(NotificationRow.target, NotificationRow.state, func.count()).group_by(
        NotificationRow.target, NotificationRow.state
    )
    with engine.connect() as connection:
        for name, state, count in connection.execute(query):
            found[name][state] = count
    return found


def row(name: str, latencies: Sequence[float]) -> list[str]:
    ranked = sorted(latencies)
    p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    return [
        name,
        f"{statistics.median(ranked):.1f}",
        f"{p99:.1f}",
        f"{ranked[-1]:.1f}",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.notifications", description=__doc__)
    parser.add_argument("--incidents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--url", help="an empty database, instead of an SQLite file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    table = Table(title="store.record, ms")
    for column in ("", "median", "p99", "worst"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
        alone = open_database(f"sqlite:///{folder}/alone.db")
        table.add_row(*row("no sender", storm(alone, None, options.incidents, options.seconds)[0]))
        receiver = Receiver()
        engine = open_database(options.url or f"sqlite:///{folder}/v.db")
        sender = Sender(engine, targets(receiver.server.server_port))
        sender.start()
        before = resident_mb()
        latencies, memory = storm(engine, sender, options.incidents, options.seconds)
        table.add_row(*row("three targets", latencies))
        time.sleep(35)
        sender.stop()
        console.print(table)
        console.print(f"messages: {dict(receiver.came)}; largest {max(receiver.sizes):,} bytes")
        console.print(f"notifications: {states(engine)}")
        half = len(memory) // 2
        console.print(
            f"memory MB: {before:.0f} before, at most {max(memory[:half]):.0f} in the first half,"
            f" {max(memory[half:]):.0f} in the second, {resident_mb():.0f} after"
        )


if __name__ == "__main__":
    main()
