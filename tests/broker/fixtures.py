"""Fixtures of tests that talk to a Kafka broker; tests/conftest.py makes them known to all tests.

KAFKA_BOOTSTRAP in the environment names a broker of your own, which must let anybody in; tests
that need to start, stop or secure the broker are skipped then. Without it, and without what it
takes to start a broker, all of them are skipped; under CI=true they fail.
"""

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from kafka.admin import KafkaAdminClient

from tests.broker.jars import FetchError
from tests.broker.java import obstacle
from tests.broker.launch import Broker, running_broker

BOOTSTRAP = "KAFKA_BOOTSTRAP"


def create_topic(admin: KafkaAdminClient, name: str, partitions: int = 1, **settings: str) -> None:
    """Create a topic whose partitions can be used at once; settings have _ for each dot."""
    configs = {key.replace("_", "."): value for key, value in settings.items()}
    wanted = {name: {"num_partitions": partitions, "configs": configs}}
    admin.create_topics(wanted, wait_for_metadata=True)


class MakeTopic(Protocol):
    """Makes a topic with a name of its own, gone after the test."""

    def __call__(self, partitions: int = 1, **settings: str) -> str:
        """Return its name; settings are the topic's, with _ for each dot."""
        ...


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with all listeners that tests share: neither stop it nor count its topics."""
    _needs_own_broker()
    yield from _running(tmp_path_factory.mktemp("broker"), secure=True, session_ms=9_000)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker for this test alone, to stop, kill and restart."""
    _needs_own_broker()
    folder = tmp_path / "broker"
    folder.mkdir()
    yield from _running(folder, secure=False, session_ms=3_000)


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Where clients find a broker that asks for nothing: the user's, or the shared one."""
    given = os.environ.get(BOOTSTRAP)
    if given:
        return given
    shared: Broker = request.getfixturevalue("broker")
    return shared.bootstrap


@pytest.fixture(scope="session")
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """An administrator of that broker."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    yield client
    client.close()


@pytest.fixture
def make_topic(admin: KafkaAdminClient, request: pytest.FixtureRequest) -> Iterator[MakeTopic]:
    """Make topics for this test at the broker of `bootstrap`."""
    made: list[str] = []
    test = re.sub(r"\W+", "-", request.node.name)[:100].strip("-")

    def make(partitions: int = 1, **settings: str) -> str:
        name = f"vedette-{test}-{uuid.uuid4().hex[:12]}"
        made.append(name)
        create_topic(admin, name, partitions, **settings)
        return name

    yield make
    if made:
        admin.delete_topics(made)


def _running(folder: Path, *, secure: bool, session_ms: int) -> Iterator[Broker]:
    reason = obstacle(secure=secure)
    if reason:
        _cannot(reason)
    try:
        with running_broker(folder, secure=secure, session_ms=session_ms) as started:
            yield started
    except FetchError as error:
        _cannot(str(error))


def _needs_own_broker() -> None:
    if os.environ.get(BOOTSTRAP):
        pytest.skip(f"needs a broker that the test starts itself, {BOOTSTRAP} names another")


def _cannot(reason: str) -> None:
    """Skip on somebody's laptop, fail where every test has to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"{reason}; {BOOTSTRAP}=host:port names one that runs already")
