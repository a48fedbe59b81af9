"""The Kafka worker against a bare kafka-python poll loop over the same topic.

    python -m bench.topics [--lines 500000] [--runs 3] [--partitions 4] [--bootstrap HOST:PORT]

Starts a broker, fills a topic with a simulated log (lz4), and runs alternately, each in a process
of its own: bare (a poll loop that counts records), normalise (events, nothing detected), worker
(every built-in detector, incidents and positions stored in SQLite). Seconds are from before the
connection is made until all lines are through, and for the worker stored; start-up is not counted.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from rich.console import Console
from rich.table import Table

import ingest.topics.kafka_client  # noqa: F401 - loaded late otherwise, and then measured
from alerts.database.opening import open_database
from alerts.storage.store import Store
from bench.__main__ import HOME, make_log
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest.partitions import Partition, Tally
from ingest.sources import KafkaSource
from ingest.topics import TopicFollower
from tests.broker.launch import running_broker
from vedette.worker import Worker

PROGRAMS = ("bare", "normalise", "worker")
TOPIC = "bench"


def bare(bootstrap: str, lines: int, _folder: Path) -> int:
    """Count records as plainly as the library allows."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    numbers = consumer.partitions_for_topic(TOPIC)
    partitions = [TopicPartition(TOPIC, number) for number in numbers]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    seen = 0
    while seen < lines:
        seen += sum(map(len, consumer.poll(timeout_ms=500).values()))
    return seen


def normalise(bootstrap: str, lines: int, _folder: Path) -> int:
    """Turn records into events."""

    source = KafkaSource(bootstrap_servers=(bootstrap,), topics=(TOPIC,), start="beginning")
    tally = Tally()
    follower = TopicFollower(
        source,
        tally=tally,
        make_partition=lambda name: Partition(name, source, tally),
    )
    while tally.lines < lines:
        follower.poll()
    follower.close()
    return tally.events


def worker(bootstrap: str, lines: int, folder: Path) -> int:
    """Detect and store."""

    source = KafkaSource(bootstrap_servers=(bootstrap,), topics=(TOPIC,), start="beginning")
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{folder / f'{time.time_ns()}.db'}")
    working = Worker([source], Detection(load_catalogue()), Store(engine))
    stop = Event()
    while not stop.is_set():
        working.step(stop)
        if int(str(working.health().details["lines"])) >= lines:
            stop.set()
    working.run(stop)
    seen = int(str(working.health().details["events"]))
    engine.dispose()
    return seen


def run_child(program: str, bootstrap: str, lines: int, folder: Path) -> None:
    """Run one program here and print what it took."""

    began, cpu = time.perf_counter(), time.process_time()
    count = {"bare": bare, "normalise": normalise, "worker": worker}[program](
        bootstrap, lines, folder
    )
    figures = {
        "count": count,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))
    sys.stdout.flush()
    os._exit(0)  # the bare consumer's threads have nothing to say any more


def fill(bootstrap: str, log: Path, partitions: int, lines: int) -> int:
    """Send the log's first lines, dealt out to the partitions in turn."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({TOPIC: {"num_partitions": partitions}}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=20, batch_size=131_072
    )
    number = 0
    with log.open("rb") as file:
        for line in file:
            producer.send(TOPIC, line.rstrip(b"\n"), partition=number % partitions)
            number += 1
            if number == lines:
                break
    producer.flush()
    producer.close()
    return number


@contextmanager
def broker_at(bootstrap: str | None, folder: Path) -> Iterator[str]:
    """Use the given broker, or run one."""
    if bootstrap:
        yield bootstrap
        return

    folder.mkdir()
    with running_broker(folder) as broker:
        yield broker.bootstrap


def measured(program: str, bootstrap: str, lines: int, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.topics", "--child", program]
    command += ["--bootstrap", bootstrap, "--lines", str(lines), "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HOME)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(lines: int, runs: dict[str, list[dict[str, float]]]) -> Table:
    """Return medians, spread, and the ratio of each program's speed to bare."""
    table = Table(title=f"{lines:,} lines, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for column in ("", "median s", "min", "max", "lines/s", "of bare", "CPU s", "peak MB"):
        table.add_column(column, justify="right")
    base = statistics.median(run["seconds"] for run in runs["bare"])
    for program, found in runs.items():
        seconds = [run["seconds"] for run in found]
        median = statistics.median(seconds)
        table.add_row(
            program,
            f"{median:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{lines / median:,.0f}",
            f"{base / median:.2f}",
            f"{statistics.median(run['cpu'] for run in found):.2f}",
            f"{max(run['peak_mb'] for run in found):,.0f}",
        )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.topics", description=__doc__)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--bootstrap", help="a broker without a topic named bench")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(options.child, options.bootstrap, options.lines, options.folder)
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        folder = Path(name)
        log = make_log(folder, options.lines + 20_000)
        with broker_at(options.bootstrap, folder / "broker") as bootstrap:
            lines = fill(bootstrap, log, options.partitions, options.lines)
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in options.programs}
            for _ in range(options.runs):
                for program in options.programs:
                    runs[program].append(measured(program, bootstrap, lines, folder / "state"))
    Console().print(report(lines, runs))
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
