"""Back-tests over ten million simulated lines: what is read once, and what that spares.

    python -m bench.backtest [--lines 10000000] [--runs 3] [--log FILE]

Each step is a process of its own, from the start of Python to its end:

- first: the first back-test of a log: reads, masks and keeps it, counts every rule
- scan: every detector over the events that are kept, as a scan but without reading lines
- second: a back-test of other limits than the first one's
- sweep: 50 limits of one rule, none of which was asked about before
- anew: 50 limits below all that was counted, so that the rule is counted anew

What must hold: sweep and anew take at most 3 times as long as scan, second at most 0.1 of first.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.__main__ import Run, make_log, measure
from detectors.findings import Finding, merge_runs
from ingest.events import BATCH_SCHEMA
from vedette.backtest.cache import Cache
from vedette.detecting import detection_of
from vedette.prefetch import Prefetch
from vedette.rules import catalogue_of
from vedette.settings import settings_from

#: The rule that is swept; its limit is 40.
RULE: Final = "endpoint_scan"
SWEPT: Final = ",".join(str(limit) for limit in range(11, 61))
ANEW: Final = ",".join(str(limit) for limit in range(5, 55))

#: The most that a step may take of another one.
LIMITS: Final = {"second": ("first", 0.1), "sweep": ("scan", 3.0), "anew": ("scan", 3.0)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--log", type=Path, help="measure on this log instead")
    parser.add_argument("--scan", type=Path, help="scan what is kept in this folder, and no more")
    options = parser.parse_args()
    if options.scan:
        scan(options.scan)
        return
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        folder = Path(name)
        log = options.log or make_log(folder, options.lines)
        runs = compare(log, options.runs, folder)
    Console().print(report(runs))
    print(json.dumps({p: [(r.seconds, r.peak_mb) for r in found] for p, found in runs.items()}))


def compare(log: Path, rounds: int, folder: Path) -> dict[str, list[Run]]:
    """Run all steps in turns; what one run kept is gone before the next."""
    cache = folder / "cache"
    vedette = [sys.executable, "-m", "vedette"]
    common = ["--cache", str(cache), "--json"]
    backtest = [*vedette, "backtest", str(log), *common]
    sweep = [*vedette, "sweep", str(log), RULE, *common]
    steps = {
        "first": [*backtest, f"--set=detectors.{RULE}.threshold=30"],
        "scan": [sys.executable, "-m", "bench.backtest", "--scan", str(cache)],
        "second": [*backtest, f"--set=detectors.{RULE}.threshold=25"],
        "sweep": [*sweep, "--threshold", SWEPT],
        "anew": [*sweep, "--threshold", ANEW],
    }
    runs: dict[str, list[Run]] = {step: [] for step in steps}
    for _ in range(rounds):
        measure([*vedette, "backtest", "--clear", "--cache", str(cache)], folder / "state")
        for step, command in steps.items():
            runs[step].append(measure(command, folder / "state"))
            print(f"{step}: {runs[step][-1].seconds:.1f} s", file=sys.stderr, flush=True)
    print(f"kept: {_bytes(cache) / 1e6:,.0f} MB", file=sys.stderr)
    return runs


def scan(cache: Path) -> None:
    """Run every detector over the events that are kept."""
    began = time.perf_counter()
    (entry,) = (cache / "logs").iterdir()
    stored = Cache(cache, 10**15).find(entry.name)
    if stored is None:
        raise SystemExit("nothing is kept")
    settings = settings_from("")
    detection = detection_of(settings, catalogue_of(settings), prompt=False)
    found: list[Finding] = []
    batches = stored.batches(set(BATCH_SCHEMA))
    sums = (
        (detection.aggregate(each.batch, each.complete), each.batch.watermark) for each in batches
    )
    with Prefetch(sums, 1) as ahead:
        for number, (summed, watermark) in enumerate(ahead, start=1):
            close = None if number % 4 and not detection.crowded else watermark
            found = merge_runs(found, detection.judge(summed, close))
    found = merge_runs(found, detection.finish())
    print(f"{len(found)} findings in {time.perf_counter() - began:.1f} s")


def report(runs: dict[str, list[Run]]) -> Table:
    """Return medians, spread, memory, and each step as a share of the one it is held against."""
    table = Table(title="back-tests, whole processes")
    for column in ("step", "median s", "min", "max", "share", "at most", "peak MB"):
        table.add_column(column, justify="right")
    medians = {
        step: statistics.median(run.seconds for run in found) for step, found in runs.items()
    }
    for step, found in runs.items():
        seconds = [run.seconds for run in found]
        of, most = LIMITS.get(step, ("", 0.0))
        table.add_row(
            step,
            f"{medians[step]:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{medians[step] / medians[of]:.3f} of {of}" if of else "",
            f"{most:g}" if of else "",
            f"{max(run.peak_mb for run in found):,.0f}",
        )
    return table


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
