"""How well the detectors do on simulated days: recall, precision, time to detect, worst seed.

    python -m bench.evaluation [--seeds 20] [--first-seed 1] [--rate 12] [--days 1] [--quiet-week]
                               [--history [DAYS]] [--scenarios NAME...] [--results FILE]
                               [--json FILE] [--picture FILE]

Each seed is a run of its own, with every scenario at three intensities each day; the events go
straight to the detectors, without the way over text, and the incidents into a database. Strengths
stand in the scenario files. --quiet-week has seven days of ordinary traffic and near-misses.
--history has the scenarios that need days before them, and these days (8), with all detectors that
learn, under the settings that the run writes; then six days and four requests a second are the
default. Days and false alarms are those after the history.

Each seed's outcomes are added to --results as one line of JSON. A run that was interrupted goes on
where it stopped; what other rules, settings or simulations gave is worked out anew.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from alerts.database.opening import open_database
from alerts.storage.store import Store
from detectors.catalogue import Catalogue
from detectors.detection import Detection
from ingest.events import Batch
from ingest.pseudonyms import Pseudonyms
from ingest.routes import RouteTemplates
from vedette.commands.scan import stored
from vedette.detecting import detection_of
from vedette.evaluation.episodes import disguised, episodes_of
from vedette.evaluation.matching import Matched
from vedette.evaluation.picture import check_picture, draw
from vedette.evaluation.report import Report, recall_of, report
from vedette.evaluation.tables import duration, share, tables
from vedette.evaluation.trial import Book, Trial, run_trial
from vedette.rules import catalogue_of
from vedette.screen import terminal
from vedette.settings import load_settings, settings_from
from vedette.simulation.batches import batch_frame
from vedette.simulation.declarations import declared_templates
from vedette.simulation.long_runs import LongRun, long_run
from vedette.simulation.scenarios import choose_scenarios
from vedette.simulation.write import write_settings

START = datetime(2026, 11, 2, tzinfo=UTC)
LATENESS = timedelta(seconds=5)
INTENSITIES = ("weak", "medium", "strong")
MATCHED = TypeAdapter(Matched)


@dataclass(frozen=True, slots=True)
class Setup:
    """What all seeds have in common."""

    rate: float
    days: int
    scenarios: tuple[str, ...]
    history: int = 0

    def run(self, seed: int) -> LongRun:
        return long_run(
            seed,
            START,
            timedelta(days=self.days),
            requests_per_second=self.rate,
            scenarios=self.scenarios,
            history=timedelta(days=self.history),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: what came of it, how many events it had and how long it took."""

    seed: int
    key: str
    events: int
    seconds: float
    matched: Matched


OUTCOME = TypeAdapter(Outcome)


def main() -> None:
    """Try the seeds that have no result yet, and print what all of them came to."""
    options = _options()
    if options.picture is not None:
        check_picture(options.picture)
    kinds = {"near_miss"} if options.quiet_week else {"attack", "near_miss"}
    learned = bool(options.history)
    known = choose_scenarios(None, history=learned)
    names = tuple(s.name for s in known if s.kind in kinds and s.needs_history == learned)
    days = 7 if options.quiet_week else 6 if learned else 1
    setup = Setup(
        options.rate or (4.0 if learned else 12.0),
        days if options.quiet_week else options.days or days,
        tuple(options.scenarios or names),
        options.history,
    )
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    console = terminal()
    outcomes = _outcomes(setup, seeds, options.results, console)
    _print(console, setup, outcomes)
    pooled = sum((o.matched for o in outcomes[1:]), outcomes[0].matched)
    if options.json is not None:
        summary = {"rate": setup.rate, "days": setup.days, **report(pooled).to_dict()}
        summary["seeds"] = [_figures(outcome) for outcome in outcomes]
        options.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if options.picture is not None:
        draw(report(pooled), pooled, options.picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rate", type=float, help="requests a second (12)")
    parser.add_argument("--days", type=int, help="days with attacks (1)")
    parser.add_argument(
        "--history", type=int, nargs="?", default=0, const=8, help="days before them"
    )
    parser.add_argument("--quiet-week", action="store_true", help="seven days without attacks")
    parser.add_argument("--scenarios", nargs="*", help="only these")
    parser.add_argument("--results", type=Path, default=Path("build/evaluation.jsonl"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def _outcomes(setup: Setup, seeds: range, results: Path, console: Console) -> list[Outcome]:
    known = _known(results)
    outcomes: list[Outcome] = []
    bars = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*bars, console=console, transient=True) as progress:
        length = (setup.days + setup.history) * 86_400
        task = progress.add_task("", total=len(seeds) * length)
        for number, seed in enumerate(seeds):
            progress.update(task, description=f"seed {seed}")
            done = number * length

            def show(seconds: float, done: int = done) -> None:
                progress.update(task, completed=done + seconds)

            run = setup.run(seed)
            key = _key(run)
            outcome = known.get(key) or tried(run, key, show)
            if key not in known:
                _append(results, outcome)
                _tell(console, outcome)
            outcomes.append(outcome)
    return outcomes


def _known(results: Path) -> dict[str, Outcome]:
    """Read the results of earlier runs; the last line may be half written."""
    known: dict[str, Outcome] = {}
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
        if line.endswith("}"):
            outcome = OUTCOME.validate_json(line)
            known[outcome.key] = outcome
    return known


def _append(results: Path, outcome: Outcome) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("ab") as file:
        file.write(OUTCOME.dump_json(outcome) + b"\n")


def _key(run: LongRun) -> str:
    """Name all that decides a seed's outcome but the code itself."""
    truth = "".join(row.to_json() for row in run.truth)
    rules = _catalogue(run).fingerprint
    parts: tuple[object, ...] = (run.seed, run.duration, run.requests_per_second, rules, truth)
    if run.history:
        parts = (*parts, run.history, run.settings_toml, run.documents)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _catalogue(run: LongRun) -> Catalogue:
    return catalogue_of(settings_from(run.settings_toml))


def _detection(run: LongRun) -> Detection:
    """Return the detectors that judge a run: with a history also those that learn."""
    if not run.history:
        return Detection(_catalogue(run), prompt=False)
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
        settings = load_settings(write_settings(run, Path(folder)))
        return detection_of(settings, catalogue_of(settings), prompt=False)


def tried(run: LongRun, key: str, show: Callable[[float], None]) -> Outcome:
    """Put one seed's events through the detectors."""
    began = time.perf_counter()
    pseudonyms = Pseudonyms(b"0" * 32)
    episodes = disguised(episodes_of(run.truth), pseudonyms, ())
    trial = Trial(_detection(run), episodes)
    events = 0

    def on_batch() -> None:
        nonlocal events
        events = trial.events
        if trial.newest is not None:
            show((trial.newest - run.start + run.history).total_seconds())

    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
        engine = open_database(f"sqlite:///{folder}/incidents.db")
        book = Book(Store(engine), lambda: stored(engine))
        matched = run_trial(trial, batches(run, pseudonyms), book, on_batch)
        engine.dispose()
    seconds = time.perf_counter() - began
    return Outcome(run.seed, key, events, seconds, _after_history(matched, run))


def _after_history(matched: Matched, run: LongRun) -> Matched:
    """Return the outcomes of the days with attacks; findings have no times, and stay all."""
    if not run.history:
        return matched
    alarms = tuple(each for each in matched.alarms if each.started_at >= run.start)
    return replace(matched, days=run.duration / timedelta(days=1), alarms=alarms)


def batches(run: LongRun, pseudonyms: Pseudonyms) -> Iterator[Batch]:
    """Yield the run's events as the reader would, half an hour at a time."""
    first = 0
    templates = declared_templates() if run.documents else RouteTemplates()
    for frame in run.frames():
        events = batch_frame(frame, first, templates=templates)
        events = events.with_columns(pseudonyms.api_keys(events["api_key"]))
        first += events.height
        newest = int(events["effective_time"].to_physical().to_numpy().max())
        yield Batch(events, newest - LATENESS // timedelta(microseconds=1))


def _figures(outcome: Outcome) -> dict[str, object]:
    found = report(outcome.matched)
    return {
        "seed": outcome.seed,
        "events": outcome.events,
        "seconds": round(outcome.seconds, 1),
        "recall": found.overall.recall,
        "precision": found.precision,
        "median_windows": found.overall.delay and found.overall.delay.median_windows,
        "false_alarms": found.false_alarms,
        "missed": [f"{attack.name} {attack.intensity}" for attack in found.missed],
    }


def _tell(console: Console, outcome: Outcome) -> None:
    found = report(outcome.matched)
    console.print(
        f"seed {outcome.seed}: recall {share(found.overall.recall)}, "
        f"precision {share(found.precision)}, {found.false_alarms} false alarms; "
        f"{outcome.events:,} events in {outcome.seconds:.0f} s",
        highlight=False,
    )


def _print(console: Console, setup: Setup, outcomes: list[Outcome]) -> None:
    pooled = sum((o.matched for o in outcomes[1:]), outcomes[0].matched)
    for table in tables(report(pooled)):
        console.print(table)
    if pooled.attacks:
        console.print(_scenarios(pooled))
    reports = [(outcome.seed, report(outcome.matched)) for outcome in outcomes]
    seed, worst = min(reports, key=lambda each: _goodness(each[1]))
    after = f" after {setup.history} of history" if setup.history else ""
    console.print(
        f"{len(outcomes)} seeds of {setup.days} days{after} at {setup.rate:g} requests a second. "
        f"Worst seed {seed}: recall {share(worst.overall.recall)}, "
        f"precision {share(worst.precision)}, {worst.false_alarms} false alarms.",
        highlight=False,
    )


def _goodness(found: Report) -> float:
    lost = 0.0 if found.overall.recall is None else 1 - found.overall.recall
    wrong = 0.0 if found.precision is None else 1 - found.precision
    return -(lost + wrong)


def _scenarios(pooled: Matched) -> Table:
    """Found of how many, per scenario and intensity, with the median time to detect."""
    table = Table(title="By scenario", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("scenario")
    for intensity in INTENSITIES:
        table.add_column(intensity, justify="right")
    for name in sorted({attack.name for attack in pooled.attacks}):
        cells = []
        for intensity in INTENSITIES:
            mine = [a for a in pooled.attacks if (a.name, a.intensity) == (name, intensity)]
            recall = recall_of(mine)
            delay = "" if recall.delay is None else f" {duration(recall.delay.median_seconds)}"
            cells.append(f"{recall.found}/{recall.attacks}{delay}" if mine else "-")
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    main()
