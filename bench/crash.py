"""The service killed many times, compared with one that was never interrupted.

    python -m bench.crash [--kills 50] [--source file|topic] [--database sqlite|postgresql]
        [--seed 1] [--per-run 10] [--bootstrap HOST:PORT]

Plays the half hour of tests/durability into a log (or a topic of two partitions) and kills
`vedette run` with SIGKILL: at any time, while it writes, while it starts, after a checkpoint, as
the seed decides.
Kills are spread over runs of `--per-run` each; each ends with the comparison of everything that
is promised (tests/durability/outcome.py). Exit status 1 if anything differed.
"""

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kafka.admin import KafkaAdminClient
from rich.console import Console
from rich.table import Table

from bench.topics import broker_at
from tests.databases.fixtures import shown
from tests.databases.postgresql import Server, running_server
from tests.durability.crashes import MOMENTS, Moment, Run, crashed, new_run, uninterrupted
from tests.durability.feeds import PARTITIONS, Feed, LogFeed, topic_feed
from tests.durability.process import NotInTimeError
from tests.durability.story import Story, story


@dataclass(frozen=True, slots=True)
class Row:
    """What one run of the table came to."""

    name: str
    moments: Counter[Moment]
    incidents: int
    messages: int
    repeats: int
    seconds: float
    differences: list[str]


class Places:
    """Where runs find logs or topics, and databases."""

    def __init__(self, folder: Path, bootstrap: str | None, server: Server | None) -> None:
        self.folder = folder
        self._bootstrap = bootstrap
        self._server = server

    @contextmanager
    def run(self, name: str, told: Story) -> Iterator[Run]:
        """Prepare a run of this name."""
        folder = self.folder / name
        folder.mkdir()
        with ExitStack() as opened:
            feed = opened.enter_context(self._feed(folder))
            yield opened.enter_context(new_run(folder, self._url(folder), feed, told.settings))

    @contextmanager
    def _feed(self, folder: Path) -> Iterator[Feed]:
        if self._bootstrap is None:
            yield LogFeed(folder / "access.log")
            return
        topic = f"crash-{uuid.uuid4().hex[:12]}"
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        admin.create_topics({topic: {"num_partitions": PARTITIONS}}, wait_for_metadata=True)
        admin.close()
        with topic_feed(self._bootstrap, topic) as feed:
            yield feed

    def _url(self, folder: Path) -> str:
        if self._server is None:
            return f"sqlite:///{folder / 'v.db'}"
        return shown(self._server.create())


def rows(places: Places, kills: int, per_run: int, seed: int) -> Iterator[Row]:
    """Play the uninterrupted run, then the others; a row each."""
    told = story()
    began = time.monotonic()
    with places.run("uninterrupted", told) as run:
        expected = uninterrupted(run, told, Random(seed))
        marks = run.marks
    repeats = len(marks) - len(set(marks))
    seconds = time.monotonic() - began
    yield Row("no kill", Counter(), len(expected.incidents), len(marks), repeats, seconds, [])
    for number, first in enumerate(range(0, kills, per_run)):
        rng = Random(f"{seed} {number}")
        moments = [rng.choice(MOMENTS) for _ in range(min(per_run, kills - first))]
        began = time.monotonic()
        with places.run(f"seed {seed}.{number}", told) as run:
            try:
                found = crashed(run, told, rng, moments)
                incidents, differences = len(found.incidents), expected.differences(found)
            except (NotInTimeError, AssertionError) as error:
                incidents, differences = 0, [str(error)]
            marks = run.marks
        repeats, seconds = len(marks) - len(set(marks)), time.monotonic() - began
        name = f"seed {seed}.{number}"
        yield Row(name, Counter(moments), incidents, len(marks), repeats, seconds, differences)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--per-run", type=int, default=10)
    parser.add_argument("--source", choices=("file", "topic"), default="file")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bootstrap", help="a broker on which topics may be made")
    options = parser.parse_args()
    title = f"{options.kills} kills, {options.source}, {options.database}, {os.cpu_count()} cores"
    table = Table(title=title)
    columns = ("run", *MOMENTS, "incidents", "messages", "repeated", "s", "differences")
    for column in columns:
        table.add_column(column, justify="right")
    failures: list[str] = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="vedette-bench-")))
        bootstrap = server = None
        if options.source == "topic":
            bootstrap = opened.enter_context(broker_at(options.bootstrap, folder / "broker"))
        if options.database == "postgresql":
            server = opened.enter_context(running_server())
        places = Places(folder, bootstrap, server)
        for row in rows(places, options.kills, options.per_run, options.seed):
            killed = [str(row.moments[moment]) for moment in MOMENTS]
            figures = (row.incidents, row.messages, row.repeats, round(row.seconds))
            differences = str(len(row.differences))
            table.add_row(row.name, *killed, *map(str, figures), differences)
            failures += [f"{row.name}: {said}" for said in row.differences]
            print(f"{row.name}: {differences} differences", file=sys.stderr, flush=True)
    Console().print(table)
    for said in failures:
        print(said[:2000])
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
