"""How well the client model does on simulated days: what no rule covers, and false alarms.

    python -m bench.clients [--days 4] [--seeds 6] [--first-seed 1] [--train-seed 1001] [--rate 12]
                            [--budget 1] [--json FILE]

Trains on days of one seed, with ordinary traffic and every near-miss but without attacks, and tries
the model on a day of each of the other seeds, with the scenarios that need a model at three
strengths. Machines that come every day (the near-misses that are steady) keep their addresses from
day to day, as machines do; all others have new ones. The events go straight to the detector.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

from detectors.findings import Finding, merge_runs
from detectors.learned.clients.family import ClientOutliers
from detectors.learned.clients.model import ClientModel
from detectors.learned.clients.training import History, Trained, train
from ingest.networks import network_of
from vedette.screen import terminal
from vedette.simulation.batches import batch_frame
from vedette.simulation.long_runs import LongRun, long_run
from vedette.simulation.machines import machine_addresses
from vedette.simulation.scenarios import all_scenarios
from vedette.simulation.truth import Truth

START: Final = datetime(2026, 11, 2, tzinfo=UTC)
LATENESS_US: Final = 5_000_000
INTENSITIES: Final = ("weak", "medium", "strong")


@dataclass(frozen=True, slots=True)
class Tried:
    """One seed: attacks found and missed ("scenario intensity"), false alarms, cost."""

    seed: int
    found: tuple[str, ...]
    missed: tuple[str, ...]
    false: tuple[str, ...]
    hours: tuple[float, ...]
    events: int
    aggregate_seconds: float
    judge_seconds: float


def main() -> None:
    """Train, try each seed, and print what came of it."""
    options = _options()
    console = terminal()
    near = tuple(
        each.name for each in all_scenarios() if each.kind == "near_miss" and not each.needs_history
    )
    needs = tuple(each.name for each in all_scenarios() if each.needs_model)
    trained = _trained(options, near)
    about = trained.model.about
    console.print(
        f"trained on {about.windows:,} windows of {about.clients:,} clients in {about.days:.1f}"
        f" days; limit {about.limit} points, {len(about.regulars)} regulars",
        highlight=False,
    )
    results = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        run = _run(seed, 1, options.rate, tuple({*near, *needs}))
        results.append(_try(run, trained.model))
        _tell(console, results[-1])
    console.print(_table(results))
    _sum_up(console, results)
    if options.json is not None:
        told = {"limit": about.limit, "days": about.days, "seeds": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("--days", type=int, default=4, help="of history")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--train-seed", type=int, default=1001)
    parser.add_argument("--rate", type=float, default=12.0, help="requests a second")
    parser.add_argument("--budget", type=float, default=1.0, help="false alarms a day")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _run(seed: int, days: int, rate: float, scenarios: tuple[str, ...]) -> LongRun:
    return long_run(
        seed, START, timedelta(days=days), requests_per_second=rate, scenarios=scenarios
    )


def _trained(options: argparse.Namespace, near: tuple[str, ...]) -> Trained:
    history = History()
    for events, watermark in _batches(_run(options.train_seed, options.days, options.rate, near)):
        history.add(events, watermark)
    history.finish()
    return train(history, false_alarms_per_day=options.budget)


def _batches(run: LongRun) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield events (BATCH_SCHEMA) with the watermark after them; machines keep their addresses."""
    settled = machine_addresses(run)
    networks = {new: network_of(new) for new in settled.values()}
    first = 0
    for frame in run.frames():
        events = batch_frame(frame, first)
        first += events.height
        address = pl.col("client_ip").replace(settled)
        network = address.replace_strict(networks, default=pl.col("client_network"))
        newest = int(events["effective_time"].to_physical().to_numpy().max())
        yield (
            events.with_columns(client_network=network, client_ip=address),
            newest - LATENESS_US,
        )


def _try(run: LongRun, model: ClientModel) -> Tried:
    family = ClientOutliers(model=model)
    findings: list[Finding] = []
    events, heavy, light = 0, 0.0, 0.0
    for batch, watermark in _batches(run):
        began = time.process_time()
        sums = family.aggregate(batch)
        middle = time.process_time()
        findings = merge_runs(findings, family.judge(sums, watermark))
        heavy, light = heavy + middle - began, light + time.process_time() - middle
        events += batch.height
    findings = merge_runs(findings, family.finish())
    attacks = [row for row in run.truth if row.kind == "attack"]
    told = {each.entity: each for each in findings}
    found = [row for row in attacks if row.entity in told]
    guilty = {client for row in attacks for client in row.clients}
    innocent = {client: row.scenario for row in run.truth for client in row.clients}
    return Tried(
        seed=run.seed,
        found=tuple(_name(row) for row in found),
        missed=tuple(_name(row) for row in attacks if row not in found),
        false=tuple(
            innocent.get(each.entity, "ordinary") for each in findings if each.entity not in guilty
        ),
        hours=tuple(_delay(row, told[row.entity]) for row in found),
        events=events,
        aggregate_seconds=heavy,
        judge_seconds=light,
    )


def _name(row: Truth) -> str:
    return f"{row.scenario} {row.intensity}"


def _delay(row: Truth, finding: Finding) -> float:
    reached = finding.reached or finding.last
    return (reached - row.started_at).total_seconds() / 3_600


def _tell(console: Console, tried: Tried) -> None:
    false = ", ".join(tried.false) or "none"
    cost = tried.aggregate_seconds / tried.events, tried.judge_seconds / tried.events
    console.print(
        f"seed {tried.seed}: {len(tried.found)} of {len(tried.found) + len(tried.missed)} found;"
        f" false alarms: {false}; CPU a million lines {1e6 * cost[0]:.2f} + {1e6 * cost[1]:.2f} s",
        highlight=False,
    )


def _table(results: list[Tried]) -> Table:
    table = Table(title="Found of how many")
    table.add_column("scenario")
    for intensity in INTENSITIES:
        table.add_column(intensity, justify="right")
    found = [name for result in results for name in result.found]
    missed = [name for result in results for name in result.missed]
    for scenario in sorted({name.split()[0] for name in found + missed}):
        names = [f"{scenario} {intensity}" for intensity in INTENSITIES]
        cells = (f"{found.count(n)}/{found.count(n) + missed.count(n)}" for n in names)
        table.add_row(scenario, *cells)
    return table


def _sum_up(console: Console, results: list[Tried]) -> None:
    found = sum(len(result.found) for result in results)
    attacks = found + sum(len(result.missed) for result in results)
    false = [len(result.false) for result in results]
    hours = sorted(hour for result in results for hour in result.hours)
    console.print(
        f"recall {found / attacks:.1%} at {sum(false) / len(results):.2f} false alarms a day (worst"
        f" day {max(false)}); median {hours[len(hours) // 2]:.1f} h after the first request",
        highlight=False,
    )


if __name__ == "__main__":
    main()
