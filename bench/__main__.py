"""Normalise and scan against a bare reading of the same lines: medians of alternating runs.

    python -m bench [--lines 1000000] [--runs 5] [--form combined|json|both] [--log FILE]

Bare is bench/bare.py (combined) or bench/bare_json.py in a process of its own on one thread; the
scan is the program as people start it, with every built-in detector on and incidents stored, and
may use both cores, as may normalise.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

HOME = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one program: seconds from start to end, peak memory."""

    seconds: float
    peak_mb: float


#: Form of log -> the bare reading of it.
BARE = {"combined": "bare.py", "json": "bare_json.py"}


def make_log(folder: Path, lines: int, form: str = "combined") -> Path:
    """Write a simulated hour of about so many lines in a form of BARE, attacks included.

    In a process of its own: a child's peak memory begins with that of its parent.
    """
    rate = max(lines - 17_000, 1_000) / 3600
    command = [sys.executable, "-m", "vedette", "simulate", str(folder), f"--rate={rate}"]
    measure([*command, f"--format={form}"], folder / "state")
    (log,) = folder.glob("access.*")
    return log


def measure(command: list[str], state: Path) -> Run:
    """Run a program to its end and take the operating system's account of it."""
    environment = os.environ | {"XDG_STATE_HOME": str(state), "PYTHONPATH": str(HOME)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # people's Pythons keep compiled modules
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 3}:
        raise RuntimeError(f"{' '.join(command)} failed with status {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--form", choices=(*BARE, "both"), default="both")
    parser.add_argument("--log", type=Path, help="measure on this log of the form instead")
    options = parser.parse_args()
    if options.log and options.form == "both":
        parser.error("--log needs --form: combined or json")
    console = Console()
    for form in BARE if options.form == "both" else (options.form,):
        with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
            folder = Path(name)
            log = options.log or make_log(folder, options.lines, form)
            lines = sum(block.count(b"\n") for block in iter_blocks(log))
            runs = compare(log, form, options.runs, folder / "state")
        console.print(report(form, lines, runs))
        print(json.dumps({p: [(r.seconds, r.peak_mb) for r in found] for p, found in runs.items()}))


def compare(log: Path, form: str, rounds: int, state: Path) -> dict[str, list[Run]]:
    """Run the programs in turns on one log."""
    programs = {
        "bare": [sys.executable, str(HOME / "bench" / BARE[form]), str(log)],
        "normalise": [sys.executable, "-m", "bench.reading", str(log)],
        "scan": [sys.executable, "-m", "vedette", "scan", str(log)],
    }
    runs: dict[str, list[Run]] = {program: [] for program in programs}
    for number in range(rounds + 1):
        for program, command in programs.items():
            run = measure(command, state)
            if number:  # the first round warms the file cache
                runs[program].append(run)
    return runs


def iter_blocks(log: Path) -> Iterator[bytes]:
    """Yield the file in blocks."""
    with log.open("rb") as file:
        yield from iter(lambda: file.read(1 << 24), b"")


def report(form: str, lines: int, runs: dict[str, list[Run]]) -> Table:
    """Return medians, spread, and the ratio of each program's speed to bare."""
    table = Table(title=f"{form}: {lines:,} lines, {os.cpu_count()} cores, whole processes")
    for column in ("", "median s", "min", "max", "lines/s", "of bare", "peak MB"):
        table.add_column(column, justify="right")
    bare = statistics.median(run.seconds for run in runs["bare"])
    for program, found in runs.items():
        seconds = [run.seconds for run in found]
        median = statistics.median(seconds)
        peak = max(run.peak_mb for run in found)
        table.add_row(
            program,
            f"{median:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{lines / median:,.0f}",
            f"{bare / median:.2f}",
            f"{peak:,.0f}",
        )
    return table


if __name__ == "__main__":
    main()
