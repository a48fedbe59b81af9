"""The service at a steady rate for a long time: its memory, and how long lines take to incidents.

    python -m bench.soak [--minutes 30] [--rate 5000] [--source file|topic] [--bootstrap HOST:PORT]

Writes a simulated minute of traffic again and again, with the times of now, into a log that is
rotated every five minutes (or a topic of four partitions); `vedette run` follows it into SQLite.
Every two seconds a client that was never seen before asks for 25 paths that do not exist; the
delay is from when its last line was written until its incident can be read from the database.
Growth is the slope of a line through the samples of the second half; rules of several hours have
state that grows until their windows are full, which the stored state shows (compressed).
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, create_engine, func, select

from alerts.database.models import CheckpointPartRow, CheckpointRow, IncidentRow, table_of
from bench.topics import broker_at
from tests.durability.process import Service
from vedette.simulation.render import render
from vedette.simulation.simulation import simulate

PARTITIONS: Final = 4
TOPIC: Final = "soak"
ROTATE: Final = timedelta(minutes=5)
PROBE_EVERY: Final = 2.0
PROBES: Final = 25
SAMPLE_EVERY: Final = 5.0
_STEP: Final = 0.1

#: Of a greater rate there are as many shops, with the same people at other addresses.
_SHOP_RATE: Final = 250
_FIRST_NET: Final = 128
_FIRST_NET_6: Final = 0x2A00
_NETS: Final = 40

_SETTINGS: Final = """
{source}
format = "combined"
[store]
url = "sqlite:///{database}"
[api]
enabled = false
"""


@dataclass
class Samples:
    """What was seen: (seconds since the start, value)."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    behind: list[tuple[float, float]] = field(default_factory=list)
    state: list[tuple[float, float]] = field(default_factory=list)
    unseen: int = 0
    lines: int = 0


class Minute:
    """The lines of a minute by their second, each without its time."""

    def __init__(self, rate: float) -> None:
        start = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
        shops = max(1, round(rate / _SHOP_RATE))
        minute = timedelta(minutes=1)
        run = simulate(7, start, minute, requests_per_second=rate / shops, scenarios=[])
        self._seconds: list[list[tuple[bytes, bytes]]] = [[] for _ in range(60)]
        for text in render(run.events, "combined"):
            before, _, rest = text.encode().partition(b"[")
            clock, _, after = rest.partition(b"]")
            second = self._seconds[int(clock[18:20])]
            second += [(_moved(before, shop), after) for shop in range(shops)]

    def lines(self, second: int) -> list[bytes]:
        """Return the lines of a second since 1970, as if it were now."""
        clock = _clock(second)
        return [b"%s[%s]%s\n" % (a, clock, b) for a, b in self._seconds[second % 60]]


def _moved(client: bytes, shop: int) -> bytes:
    """Return what a line begins with, as of another shop."""
    if b":" in client:
        net, _, host = client.partition(b":")
        return b"%x:%s" % (_FIRST_NET_6 + (int(net, 16) + shop) % _NETS, host)
    net, _, host = client.partition(b".")
    return b"%d.%s" % (_FIRST_NET + (int(net) + shop) % _NETS, host)


def _clock(second: int) -> bytes:
    return f"{datetime.fromtimestamp(second, UTC):%d/%b/%Y:%H:%M:%S} +0000".encode()


def probing(number: int, second: int) -> tuple[str, list[bytes]]:
    """Return a client that nobody has seen, and its lines."""
    client = f"45.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250}"
    line = b'%s - - [%s] "GET /gone-%d HTTP/1.1" 404 12 "-" "Mozilla/5.0" 0.001\n'
    return client, [line % (client.encode(), _clock(second), path) for path in range(PROBES)]


@contextmanager
def log_writer(log: Path) -> Iterator[Callable[[list[bytes]], None]]:
    """Append to a log, and rotate it by renaming now and then."""
    rotated = time.monotonic()
    log.touch()

    def write(lines: list[bytes]) -> None:
        nonlocal rotated
        if time.monotonic() - rotated > ROTATE.total_seconds():
            rotated = time.monotonic()
            log.rename(log.with_name(f"{log.name}.1"))
        with log.open("ab") as out:
            out.write(b"".join(lines))

    yield write


@contextmanager
def topic_writer(bootstrap: str) -> Iterator[Callable[[list[bytes]], None]]:
    """Send to a new topic, the partitions in turn."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({TOPIC: {"num_partitions": PARTITIONS}}, wait_for_metadata=True)
    admin.close()
    options: dict[str, Any] = {"compression_type": "lz4", "linger_ms": 20}
    producer = KafkaProducer(bootstrap_servers=bootstrap, **options)

    def write(lines: list[bytes]) -> None:
        for number, line in enumerate(lines):
            producer.send(TOPIC, line.rstrip(b"\n"), partition=number % PARTITIONS)

    yield write
    producer.close(timeout=5)


class Watch:
    """Looks at the process and at what it has stored."""

    def __init__(self, engine: Engine, pid: int, began: float) -> None:
        self.samples = Samples()
        self._engine = engine
        self._pid = pid
        self._began = began
        self._last = 0
        self._sampled = 0.0
        self._waiting: dict[str, float] = {}

    def wrote(self, client: str) -> None:
        """Remember that a client's last line is written."""
        self._waiting[client] = time.monotonic()

    def look(self) -> None:
        """See what is new."""
        now = time.monotonic()
        table = table_of(IncidentRow)
        query = select(table.c.id, table.c.entity).where(table.c.id > self._last)
        with self._engine.connect() as connection:
            for identity, entity in connection.execute(query.order_by(table.c.id)):
                self._last = identity
                written = self._waiting.pop(entity, None)
                if written is not None:
                    self.samples.delays.append((written - self._began, now - written))
        self.samples.unseen = len(self._waiting)
        if now - self._sampled >= SAMPLE_EVERY:
            self._sampled = now
            self.samples.memory.append((now - self._began, resident_mb(self._pid)))
            self.samples.cpu.append((now - self._began, cpu_seconds(self._pid)))
            self.samples.state.append((now - self._began, self._state_mb()))

    def _state_mb(self) -> float:
        parts, whole = table_of(CheckpointPartRow), table_of(CheckpointRow)
        with self._engine.connect() as connection:
            sizes = [
                connection.execute(select(func.sum(func.length(column)))).scalar() or 0
                for column in (parts.c.data, whole.c.state)
            ]
        return sum(sizes) / 1e6


def resident_mb(pid: int) -> float:
    """Return a process's memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def soak(
    write: Callable[[list[bytes]], None], minute: Minute, watch: Watch, minutes: float
) -> Samples:
    """Write, second by second, for so long; the lines of a second in ten parts."""
    began = time.monotonic()
    probes, probed = 0, began
    second = int(time.time())
    while time.monotonic() - began < minutes * 60:
        lines = minute.lines(second)
        share = -(-len(lines) // 10)
        for part in range(10):
            write(lines[part * share : (part + 1) * share])
            if part == 0 and time.monotonic() - probed >= PROBE_EVERY:
                probed = time.monotonic()
                client, attack = probing(probes, second)
                probes += 1
                write(attack)
                watch.wrote(client)
            while time.time() < second + (part + 1) * _STEP:
                watch.look()
                time.sleep(0.02)
        watch.samples.lines += len(lines)
        watch.samples.behind.append((time.monotonic() - began, time.time() - second - 1))
        second += 1
    return watch.samples


def growth(samples: list[tuple[float, float]]) -> float:
    """Return the growth per hour over the second half."""
    half = samples[len(samples) // 2 :]
    times, values = [at for at, _ in half], [value for _, value in half]
    return statistics.linear_regression(times, values).slope * 3600


def report(samples: Samples, minutes: float) -> Table:
    """Return a line a minute, or for long runs every few minutes."""
    step = 60.0 * max(1, round(minutes / 15))
    table = Table(
        title=f"{samples.lines:,} lines in {minutes:g} min, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[2]:.1f}"
    )
    for column in ("until min", "RSS MB", "stored state MB", "CPU %", "delay median s", "p99"):
        table.add_column(column, justify="right")
    table.add_column("writer late s", justify="right")
    at = 0.0
    while at < minutes * 60:
        memory, delays = _within(samples.memory, at, step), _within(samples.delays, at, step)
        cpu, late = _within(samples.cpu, at, step), _within(samples.behind, at, step)
        state = _within(samples.state, at, step)
        at += step
        if not memory or not delays:
            continue
        spent = (cpu[-1] - cpu[0]) / (SAMPLE_EVERY * max(1, len(cpu) - 1)) * 100
        table.add_row(
            f"{at / 60:.0f}",
            f"{statistics.fmean(memory):.0f}",
            f"{statistics.fmean(state):.1f}",
            f"{spent:.0f}",
            f"{statistics.median(delays):.2f}",
            f"{_percentile(delays, 99):.2f}",
            f"{max(late, default=0):.1f}",
        )
    return table


def _within(samples: list[tuple[float, float]], at: float, step: float) -> list[float]:
    return [value for when, value in samples if at <= when < at + step]


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=5_000)
    parser.add_argument("--source", choices=("file", "topic"), default="file")
    parser.add_argument("--bootstrap", help="a broker without a topic named soak")
    options = parser.parse_args()
    minute = Minute(options.rate)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="vedette-bench-")))
        if options.source == "file":
            log = folder / "access.log"
            write = opened.enter_context(log_writer(log))
            source = f"[[sources]]\npaths = ['{log}']"
        else:
            bootstrap = opened.enter_context(broker_at(options.bootstrap, folder / "broker"))
            write = opened.enter_context(topic_writer(bootstrap))
            source = f"[[sources]]\nbootstrap_servers = ['{bootstrap}']\ntopics = ['{TOPIC}']"
        database = folder / "v.db"
        service = Service(folder, _SETTINGS.format(source=source, database=database))
        opened.callback(service.kill)
        service.start()
        service.ready()
        engine = create_engine(f"sqlite:///{database}")
        watch = Watch(engine, service.pid, time.monotonic())
        samples = soak(write, minute, watch, options.minutes)
        Console().print(report(samples, options.minutes))
        print(
            f"growth per hour: {growth(samples.memory):+.1f} MB,"
            f" stored state {growth(samples.state):+.1f} MB,"
            f" delay {growth(samples.delays):+.3f} s; not seen in the end: {samples.unseen}"
        )


if __name__ == "__main__":
    main()
