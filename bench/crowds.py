"""Memory under a crowd, and whether the attack in it is still found.

    python -m bench.crowds [--size 5000000] [clients] [paths] [users]

clients: so many distinct clients within five minutes, each asking once; paths: one client with a
fifth as many distinct paths, all missing; users: a fifth as many distinct users, each from an
address of its own. In each of them one attacker guesses passwords and one looks for files. Scanned
with all built-in detectors, in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

ATTACKERS: Final = {"203.0.113.7": "auth_failure_burst", "203.0.113.8": "missing_path_scan"}

_SECONDS: Final = 300


def _address(number: pl.Expr) -> pl.Expr:
    spread = (number * 2_654_435_761) % 2**24  # neighbours are in different networks
    parts = (spread // 256**place % 256 for place in (2, 1, 0))
    return pl.format("{}.{}.{}.{}", 20 + number // 2**24, *parts)


def _lines(kind: str, first: int, last: int, clock: str) -> list[str]:
    """Return the crowd's lines of one second."""
    n = pl.col("n")
    client = pl.lit("198.51.100.9") if kind == "paths" else _address(n)
    user = pl.format("user{}", n) if kind == "users" else pl.lit("-")
    path = pl.format("/missing/{}", n) if kind == "paths" else pl.lit("/v1/items?page=2")
    line = pl.format(
        '{} - {} [02/Nov/2026:{} +0000] "GET {} HTTP/1.1" {} 512 "-" "curl/8.5"',
        client,
        user,
        pl.lit(clock),
        path,
        pl.lit(404 if kind == "paths" else 200),
    )
    numbers = pl.int_range(first, last, eager=True).alias("n").to_frame()
    return numbers.select(line).to_series().to_list()


def _attack(second: int, clock: str) -> Iterator[str]:
    begin, end = f"- - [02/Nov/2026:{clock} +0000]", '512 "-" "curl/8.5"'
    for request in range(3):
        yield f'203.0.113.7 {begin} "POST /v1/login HTTP/1.1" 401 {end}'
        yield f'203.0.113.8 {begin} "GET /admin/{second}-{request}.php HTTP/1.1" 404 {end}'


def write_crowd(log: Path, kind: str, size: int) -> int:
    """Write the crowd with the attackers among it; the number of lines."""
    written = 0
    with log.open("w", encoding="ascii") as file:
        for second in range(_SECONDS):
            clock = f"08:{second // 60:02}:{second % 60:02}"
            first, last = (size * each // _SECONDS for each in (second, second + 1))
            lines = [*_lines(kind, first, last, clock), *_attack(second, clock)]
            file.write("\n".join(lines) + "\n")
            written += len(lines)
    return written


def measure_crowd(kind: str, size: int, folder: Path) -> tuple[int, float, float, list[str]]:
    """Return lines, seconds, peak RSS in MB, and the attackers that were not found."""
    log = folder / f"{kind}.log"
    lines = write_crowd(log, kind, size)
    command = [sys.executable, "-m", "vedette", "scan", "--json", str(log)]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    began = time.monotonic()
    with (folder / "found.json").open("wb") as found:
        process = subprocess.Popen(
            command, env=environment, stdout=found, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise RuntimeError(f"the scan ended with status {os.waitstatus_to_exitcode(status)}")
    incidents = [json.loads(line) for line in (folder / "found.json").read_text().splitlines()]
    seen = {i["entity"]: i["detectors"] for i in incidents}
    missed = [name for name, rule in ATTACKERS.items() if rule not in seen.get(name, ())]
    log.unlink()
    return lines, seconds, usage.ru_maxrss / 1024, missed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowds", description=__doc__)
    parser.add_argument("--size", type=int, default=5_000_000)
    parser.add_argument("kinds", nargs="*", default=["clients", "paths", "users"])
    options = parser.parse_args()
    table = Table(title="a crowd in five minutes")
    for column in ("crowd", "lines", "seconds", "peak MB", "attackers missed"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        for kind in options.kinds:
            size = options.size if kind == "clients" else options.size // 5
            lines, seconds, peak, missed = measure_crowd(kind, size, Path(name))
            said = ", ".join(missed) or "none"
            table.add_row(kind, f"{lines:,}", f"{seconds:,.0f}", f"{peak:,.0f}", said)
    Console().print(table)


if __name__ == "__main__":
    main()
