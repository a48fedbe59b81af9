"""A topic on a real broker gives the same events and incidents as a file of the same lines."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine
from typer.testing import CliRunner

from alerts.database.opening import open_database
from alerts.incidents.views import IncidentView
from alerts.storage.store import Store
from detectors.catalogue import load_catalogue
from detectors.detection import Detection
from ingest import live as live_module
from ingest.follow import wall_clock
from ingest.sources import KafkaSource
from ingest.topics import TopicFollower
from ingest.topics.again import TopicRecords
from tests.broker.fixtures import MakeTopic
from vedette.cli import cli
from vedette.commands.scan import stored
from vedette.folders import sqlite_url
from vedette.replaying import Replayer
from vedette.settings import settings_from
from vedette.simulation.render import render
from vedette.simulation.scenarios import choose_scenarios, settings
from vedette.simulation.simulation import simulate
from vedette.worker import Worker

from .scans import START, combined, incidents_of, written

MESSAGES = 200_000
PARTITIONS = 4
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Lines of a simulated two hours, attacks included, in order of time."""
    found = simulate(7, START, timedelta(hours=2), requests_per_second=28.0)
    rendered: list[str] = render(found.events, "combined").to_list()
    assert len(rendered) >= MESSAGES
    return rendered[:MESSAGES]


@pytest.fixture(scope="module")
def rules() -> str:
    """The settings that the simulated innocents need."""
    return settings(choose_scenarios(None), START + timedelta(days=1))


@pytest.fixture(scope="module")
def expected(
    lines: list[str], rules: str, tmp_path_factory: pytest.TempPathFactory
) -> list[IncidentView]:
    folder = tmp_path_factory.mktemp("scan")
    return incidents_of([written(folder / "access.log", lines)], folder, rules)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(sqlite_url(tmp_path / "v.db"))
    yield engine
    engine.dispose()


def produce(
    bootstrap: str, topic: str, lines: list[str], key: Callable[[str], bytes | None]
) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=20)
    for line in lines:
        producer.send(topic, line.encode(), key=key(line))
    producer.flush()
    producer.close()


def by_client(line: str) -> bytes:
    return line.partition(" ")[0].encode()


def unkeyed(_line: str) -> None:
    return None


def told(incidents: list[IncidentView]) -> list[tuple[object, ...]]:
    return sorted(
        (i.entity, i.detectors, i.severity, i.started_at, i.last_at, i.summary) for i in incidents
    )


@pytest.mark.parametrize("key", [by_client, unkeyed])
def test_a_topic_gives_what_a_file_gives(  # noqa: PLR0917 - fixtures
    bootstrap: str,
    make_topic: MakeTopic,
    lines: list[str],
    rules: str,
    expected: list[IncidentView],
    engine: Engine,
    key: Callable[[str], bytes | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = make_topic(PARTITIONS)
    produce(bootstrap, topic, lines, key)
    ahead = [0]
    monkeypatch.setattr(
        live_module,
        "TopicFollower",
        partial(TopicFollower, clock=lambda: wall_clock() + ahead[0]),
    )
    source = KafkaSource(bootstrap_servers=(bootstrap,), topics=(topic,), start="beginning")
    worker = Worker(
        [source], Detection(load_catalogue(settings_from(rules).detectors)), Store(engine)
    )
    stop = Event()
    with closing(worker):
        while worker.health().details["lines"] != MESSAGES or any(worker.health().lag.values()):
            worker.step(stop)
        ahead[0] = DAY_US  # nothing more comes: time passes, and what is open closes
        while worker.step(stop):
            pass
        details = worker.health().details
        stop.set()
        worker.run(stop)
    assert not worker.problems
    assert (details["lines"], details["events"], details["set_aside"]) == (MESSAGES, MESSAGES, 0)
    assert len(expected) >= 6
    assert told(stored(engine)) == told(expected)


def test_records_that_were_put_aside_are_read_again(
    bootstrap: str,
    make_topic: MakeTopic,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    topic = make_topic()
    odd = [f"203.0.113.7|2026-11-02T08:00:{n:02}+00:00|GET /a/{n} HTTP/1.1|200" for n in range(5)]
    lines = [combined(0), *odd[:2], combined(1), *odd[2:]]
    produce(bootstrap, topic, lines, unkeyed)
    text = f'[[sources]]\nbootstrap_servers = ["{bootstrap}"]\ntopics = ["{topic}"]\n'
    before = settings_from(text + 'start = "beginning"\nformat = "combined"')
    worker = Worker(before.sources, Detection(load_catalogue()), Store(engine))
    stop = Event()
    with closing(worker):
        while worker.health().details["lines"] != len(lines):
            worker.step(stop)
        stop.set()
        worker.run(stop)
    pattern = "$remote_addr|$time_iso8601|$request|$status"
    after = settings_from(text + f"format = 'nginx'\npattern = '{pattern}'")
    topics = TopicRecords([s for s in after.sources if isinstance(s, KafkaSource)])
    replayer = Replayer(after, engine, others=[topics])
    (group,) = replayer.groups.list_groups()
    detail = replayer.groups.show(group.id)
    assert detail is not None
    outcome = replayer.replay(detail)
    assert (outcome.events, outcome.rest, outcome.problems) == (5, {}, ())


@pytest.mark.parametrize("topic", ["nobody-made-this", "no topic's name"])
def test_producing_to_a_topic_that_is_not_there_says_so(
    bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vedette.commands.produce._BLOCK_MS", 1_000)
    result = CliRunner().invoke(cli, ["produce", bootstrap, topic, "--for", "1s"])
    assert result.exit_code == 1
    assert f"has no topic {topic}" in result.stderr
    assert "Writing" not in result.output
