"""The cluster in memory, which other tests stand on."""

import sys
from collections.abc import Iterator
from threading import Thread
from time import sleep

import pytest

from ingest.sources import KafkaSource
from ingest.topics.client import TopicPartition
from ingest.topics.memory import MemoryCluster

AT = TopicPartition("web", 0)
SOURCE = KafkaSource(bootstrap_servers=("broker:9092",), topics=("web",))


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_what_is_sent_while_others_fetch_is_not_skipped() -> None:
    """Failed when the end of a block was looked up after the records in it."""
    cluster = MemoryCluster(batch=5_000)
    cluster.create("web")
    client = cluster.connect(SOURCE)
    client.assign({AT: 0})

    def send() -> None:
        for number in range(4_000):
            cluster.send("web", b"%d" % number)

    def fetched(seconds: float) -> list[int]:
        return [offset for sealed in client.fetch(seconds) for offset in sealed.open().offsets]

    sender = Thread(target=send)
    sender.start()
    offsets: list[int] = []
    while sender.is_alive():
        offsets += fetched(0.01)
    assert offsets + fetched(0.0) == list(range(4_000))


def test_fetch_waits_for_a_record_whatever_others_send() -> None:
    """Failed, with nothing fetched, when a wait was over at the first record sent anywhere."""
    cluster = MemoryCluster()
    cluster.create("web")
    cluster.create("other")
    client = cluster.connect(SOURCE)
    client.assign({AT: 0})

    def send() -> None:
        for _ in range(50):
            cluster.send("other", b"noise")
            sleep(0.001)
        cluster.send("web", b"wanted")

    sender = Thread(target=send)
    sender.start()
    fetched = client.fetch(60.0)
    sender.join()
    assert [offset for sealed in fetched for offset in sealed.open().offsets] == [0]
