"""Peak memory over ten times the lines: it must not grow with what was read.

    python -m bench.memory [--lines 1000000]

Each in a process of its own: reading (events, nothing detected) and a scan, over a simulated hour
and over ten such hours, one after the other.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.__main__ import make_log, measure

HOURS = 10
FIRST = b"02/Nov/2026:08:"


def ten_hours(log: Path) -> Path:
    """Write the hour of the log ten times, each an hour later than the one before."""
    copies = log.with_name("ten.log")
    with copies.open("wb") as target:
        for hour in range(8, 8 + HOURS):
            with log.open("rb") as source:
                for line in source:
                    target.write(line.replace(FIRST, b"02/Nov/2026:%02d:" % hour, 1))
    return copies


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    table = Table(title=f"peak memory, {options.lines:,} lines and ten times as many")
    for column in ("", "one hour MB", "ten hours MB", "ratio"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        log = make_log(Path(name), options.lines)
        programs = {
            "reading": [sys.executable, "-m", "bench.reading"],
            "scan": [sys.executable, "-m", "vedette", "scan"],
        }
        logs = (log, ten_hours(log))
        for program, command in programs.items():
            one, ten = (
                measure([*command, str(path)], Path(name) / "state").peak_mb for path in logs
            )
            table.add_row(program, f"{one:,.0f}", f"{ten:,.0f}", f"{ten / one:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
