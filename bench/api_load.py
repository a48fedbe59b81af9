"""The API under load: many incidents, many clients, each request at its planned time.

    python -m bench.api_load [--database sqlite|postgresql] [--incidents 1000000] [--seconds 60]
        [--clients 50] [--rate 2] [--worker LINES] [--folder FOLDER]

A database is filled with simulated incidents (kept in the folder for the next run, on SQLite) and
served by a process of its own, which with `--worker` is the whole service, reading a simulated log
of so many lines as fast as it can meanwhile. A third process sends requests, each at the time that
was planned for it, whether those before it are answered or not; latency counts from that time.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select, text

from alerts.access.keys import KeyStore, Role
from alerts.database.models import IncidentRow
from alerts.database.opening import open_database
from bench.__main__ import HOME, make_log
from bench.incidents import fill
from tests.databases.fixtures import shown
from tests.databases.postgresql import running_server

#: Clients of one load are as many, with a key each.
CLIENTS: Final = 50


def main() -> None:
    """Fill, serve, send, print."""
    given = _arguments()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="api_load_"))
    folder.mkdir(parents=True, exist_ok=True)
    with _database(given.database, folder) as url:
        engine = open_database(url)
        _fill(engine, given.incidents)
        keys = KeyStore(engine, folder / "state" / "vedette" / "server.secret")
        now = datetime.now(UTC)
        secrets = [
            keys.create_key(f"client {n}", Role.VIEWER, now)[1].get_secret_value()
            for n in range(given.clients)
        ]
        engine.dispose()
        log = _log(folder, given.worker) if given.worker else None
        with _service(url, folder, log) as address:
            report = _load(folder, address, secrets, given)
    _print(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rate", type=float, default=2.0, help="requests a second of each client")
    parser.add_argument("--worker", type=int, default=0, metavar="LINES", help="read a log beside")
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'vedette.db'}"
        return
    if "BENCH_URL" in os.environ:
        yield os.environ["BENCH_URL"]
        return
    with running_server() as server:
        url = server.create()
        yield shown(url)


def _fill(engine: Engine, incidents: int) -> None:
    with engine.connect() as connection:
        there = connection.execute(select(func.count()).select_from(IncidentRow)).scalar_one()
    if there:
        print(f"{there:,} incidents are there", file=sys.stderr)
        return
    began = time.perf_counter()
    fill(engine, incidents)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("VACUUM ANALYZE"))
    print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _log(folder: Path, lines: int) -> Path:
    made = folder / f"log_{lines}"
    if not made.exists():
        made.mkdir()
        make_log(made, lines)
    (log,) = made.glob("access.*")
    return log


@contextmanager
def _service(url: str, folder: Path, log: Path | None) -> Iterator[str]:
    """Serve in a process of its own; gives its address."""
    live = folder / "live.log"
    live.write_bytes(b"")
    command = [sys.executable, "-m", "bench.api_service", url, *([str(live)] if log else [])]
    environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(HOME)}
    with (folder / "service.log").open("w") as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if log is not None:  # what stands in a log at the first start is not read
            with log.open("rb") as source, live.open("ab") as target:
                shutil.copyfileobj(source, target, 1 << 22)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _load(
    folder: Path, address: str, secrets: list[str], given: argparse.Namespace
) -> dict[str, object]:
    plan = {"address": address, "keys": secrets, "seconds": given.seconds, "rate": given.rate}
    plan["incidents"] = given.incidents
    written = folder / "plan.json"
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(plan, stream)
    done = subprocess.run(
        [sys.executable, "-m", "bench.api_clients", str(written)],
        capture_output=True,
        text=True,
        check=True,
        cwd=HOME,
    )
    written.unlink()
    report: dict[str, object] = json.loads(done.stdout)
    return report


def _print(report: dict[str, object]) -> None:
    table = Table("request", "sent", "failed", "p50 ms", "p95 ms", "p99 ms", "worst ms")
    rows: dict[str, list[float]] = report["rows"]  # type: ignore[assignment]
    for name, (sent, failed, *times) in rows.items():
        table.add_row(name, f"{sent:,.0f}", f"{failed:,.0f}", *(f"{t:,.1f}" for t in times))
    Console().print(table)
    Console().print(f"sent late by the sender itself, p99: {report['late']} ms")


if __name__ == "__main__":
    main()
