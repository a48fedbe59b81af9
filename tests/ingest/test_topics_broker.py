"""Following topics of a real broker: codecs, security, poison, changes, restarts."""

import gc
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.admin import KafkaAdminClient

from ingest.partitions import Partition, Tally
from ingest.sources import KafkaSource
from ingest.topics import TopicFollower
from ingest.topics.client import TopicPartition
from ingest.topics.kafka_client import KafkaClient
from tests.broker.fixtures import MakeTopic, create_topic
from tests.broker.launch import Broker
from tests.broker.properties import PASSWORD, USER

#: The library leaves sockets that found nobody to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

NOON: Final = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SECONDS: Final = 60.0
HEADER_BYTES: Final = 61


def line(number: int) -> bytes:
    """Lines of one second each share their time, so that any order of partitions will do."""
    when = (NOON + timedelta(milliseconds=number)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.7 - - [{when}] "GET /{number} HTTP/1.1" 200 5 "-" "curl/8"'.encode()


class Following:
    """A follower of a real topic."""

    def __init__(self, bootstrap: str, *topics: str, **source: Any) -> None:
        self.source = KafkaSource(
            bootstrap_servers=(bootstrap,),
            **{"topics": topics, "start": "beginning", "format": "combined", **source},
        )
        self.tally = Tally()
        self.follower: TopicFollower | None = None

    def begin(self, positions: dict[str, Any] | None = None) -> TopicFollower:
        self.end()
        self.follower = TopicFollower(
            self.source,
            tally=self.tally,
            make_partition=lambda name: Partition(name, self.source, self.tally),
            positions=positions,
            survey_seconds=0.3,
        )
        return self.follower

    def restart(self) -> TopicFollower:
        assert self.follower is not None
        return self.begin(json.loads(json.dumps(self.follower.positions())))

    def poll(self) -> list[int]:
        assert self.follower is not None
        batches = self.follower.poll()
        return [int(path[1:]) for batch in batches for path in batch.events["path"].to_list()]

    def read(self, count: int) -> list[int]:
        """Poll until so many events came; then there are no more."""
        found: list[int] = []
        self.until(lambda: len(found) >= count, found)
        for _ in range(3):
            found += self.poll()
        return found

    def until(self, done: Callable[[], bool], found: list[int] | None = None) -> None:
        deadline = time.monotonic() + SECONDS
        kept = [] if found is None else found
        while not done():
            assert self.follower is not None
            assert time.monotonic() < deadline, (len(kept), self.problems())
            kept += self.poll()

    def problems(self) -> list[str]:
        return [] if self.follower is None else [str(entry) for entry in self.follower.problems]

    def end(self) -> None:
        if self.follower is not None:
            self.follower.close()


Follow = Callable[..., Following]


@pytest.fixture
def follow() -> Iterator[Follow]:
    made: list[Following] = []

    def make(bootstrap: str, *topics: str, **source: Any) -> Following:
        made.append(Following(bootstrap, *topics, **source))
        made[-1].begin()
        return made[-1]

    yield make
    for following in made:
        following.end()
    gc.collect()


def send(
    bootstrap: str,
    topic: str,
    values: Sequence[bytes | None],
    *,
    partitions: int = 1,
    **producer: Any,
) -> None:
    client = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, **producer)
    for number, value in enumerate(values):
        client.send(topic, value, key=b"k", partition=number % partitions)
    client.flush(SECONDS)
    client.close()


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_and_shape_of_record(
    codec: str | None, bootstrap: str, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic()
    values: list[bytes | None] = [line(number) for number in range(500)]
    values += [b"\n".join(line(number) for number in range(500, 600)) + b"\n", None, b""]
    send(bootstrap, topic, values, compression_type=codec, batch_size=20_000)
    web = follow(bootstrap, topic)
    assert web.read(600) == list(range(600))
    assert web.tally.quarantine.by_reason() == {"poison": 1}
    assert (web.tally.lines, web.tally.blank) == (602, 1)


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("SSL", None),
        ("MUTUAL", None),
    ],
)
def test_every_way_to_log_in(
    listener: str,
    mechanism: str | None,
    broker: Broker,
    make_topic: MakeTopic,
    follow: Follow,
) -> None:
    topic = make_topic()
    send(broker.bootstrap, topic, [line(number) for number in range(20)])
    web = follow(broker.address(listener), topic, **login(broker, listener, mechanism))
    assert web.read(20) == list(range(20))
    assert web.problems() == []


def login(broker: Broker, listener: str, mechanism: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"security_protocol": "SSL" if listener == "MUTUAL" else listener}
    if mechanism is not None:
        found |= {"sasl_mechanism": mechanism, "username": USER, "password": PASSWORD}
    if listener.endswith("SSL") or listener == "MUTUAL":
        assert broker.certificates
        found["ca_file"] = broker.certificates.authority
    if listener == "MUTUAL":
        assert broker.certificates
        found["certificate_file"] = broker.certificates.client
        found["key_file"] = broker.certificates.client_key
    return found


def test_who_is_not_let_in_is_told_why(
    broker: Broker, make_topic: MakeTopic, follow: Follow, tmp_path: Path
) -> None:
    topic = make_topic()
    wrong = login(broker, "SASL_SSL", "SCRAM-SHA-256") | {"password": "guessed-123"}
    tls = login(broker, "SSL", None)
    missing = tls | {"ca_file": tmp_path / "nothing.pem"}
    expected = [
        ("SASL_SSL", wrong, "check username, password and sasl_mechanism"),
        ("SSL", tls | {"ca_file": None}, "certificate is not believed"),
        ("SSL", missing, "nothing.pem; check ca_file"),
        ("PLAINTEXT", tls, "no TLS connection"),
        ("SSL", {}, "check security_protocol"),
    ]
    for listener, settings, said in expected:
        web = follow(broker.address(listener), topic, **settings)
        web.until(lambda web=web: bool(web.problems()))  # type: ignore[misc]
        assert said in web.problems()[0]
        assert "guessed-123" not in web.problems()[0]
        web.end()


def test_nobody_there_is_told(follow: Follow) -> None:
    web = follow("127.0.0.1:9", "web")
    web.until(lambda: bool(web.problems()))
    assert "127.0.0.1:9: Connection refused; check bootstrap_servers" in web.problems()[0]


def test_a_missing_topic_is_not_made_by_looking_for_it(own_broker: Broker, follow: Follow) -> None:
    settings = own_broker.folder / "server.properties"
    text = settings.read_text().replace("topics.enable=false", "topics.enable=true")
    settings.write_text(text)
    own_broker.restart()
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    create_topic(admin, "web")
    web = follow(own_broker.bootstrap, "web", "api", start="end")
    web.until(lambda: bool(web.problems()) and bool(web.follower and web.follower.lag))
    assert "topic api: there is no such topic" in web.problems()[0]
    assert "api" not in admin.list_topics()
    create_topic(admin, "api")
    send(own_broker.bootstrap, "api", [line(number) for number in range(9)])
    assert web.read(9) == list(range(9))
    assert web.problems() == []
    admin.delete_topics(["web"])
    web.until(lambda: bool(web.problems()))
    assert "web" not in admin.list_topics()
    admin.close()


def test_partitions_that_are_added(
    bootstrap: str, admin: KafkaAdminClient, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic()
    web = follow(bootstrap, topic, start="end")
    web.until(lambda: bool(web.follower and web.follower.lag))
    admin.create_partitions({topic: 3})
    values = [line(number) for number in range(90)]
    web.until(lambda: producer_sees(bootstrap, topic, 3))
    send(bootstrap, topic, values, partitions=3)
    assert sorted(web.read(90)) == list(range(90))


def producer_sees(bootstrap: str, topic: str, partitions: int) -> bool:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    seen = consumer.partitions_for_topic(topic)
    consumer.close()
    return len(seen) == partitions


def test_a_topic_created_again(
    bootstrap: str, admin: KafkaAdminClient, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic()
    send(bootstrap, topic, [line(number) for number in range(20)])
    web = follow(bootstrap, topic)
    assert web.read(20) == list(range(20))
    admin.delete_topics([topic])
    web.until(lambda: bool(web.problems()))
    create_topic(admin, topic)
    send(bootstrap, topic, [line(number) for number in range(20, 50)])
    assert web.read(30) == list(range(20, 50))
    assert "deleted and created again" in web.problems()[0]
    web.restart()
    assert web.read(0) == []


@pytest.mark.parametrize("running", [True, False])
def test_retention_that_was_faster(
    running: bool,
    bootstrap: str,
    admin: KafkaAdminClient,
    make_topic: MakeTopic,
    follow: Follow,
) -> None:
    topic = make_topic()
    send(bootstrap, topic, [line(number) for number in range(20)])
    web = follow(bootstrap, topic)
    assert web.read(20) == list(range(20))
    if not running:
        web.end()
    assert web.follower is not None
    positions = web.follower.positions()
    send(bootstrap, topic, [line(number) for number in range(20, 60)])
    admin.delete_records({KafkaPartition(topic, 0): 50})
    if running:
        positions[f"{topic}-0"]["offset"] = 5
    web.begin(positions)
    assert web.read(10) == list(range(50, 60))
    (gap,) = web.follower.gaps
    first = 5 if running else 20
    assert (gap.position, gap.lost) == (first, 50 - first)


def test_damaged_batches_stop_nothing(own_broker: Broker, follow: Follow) -> None:
    """Two batches are spoilt on the broker's disk: one past its checksum, one with a new one."""
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    create_topic(admin, "web")
    admin.close()
    for first in range(0, 50, 10):
        values = [line(number) for number in range(first, first + 10)]
        send(own_broker.bootstrap, "web", values, compression_type="gzip")
    own_broker.stop()
    spoil(own_broker.folder / "data" / "web-0" / "00000000000000000000.log")
    own_broker.start()
    web = follow(own_broker.bootstrap, "web")
    found = web.read(30)
    assert found == [number for number in range(50) if not 10 <= number < 30]
    (group,) = web.tally.quarantine.groups()
    assert (group.reason, group.count) == ("poison", 20)
    assert (group.first_position, group.last_position) == (10, 29)
    assert web.problems() == []


def spoil(log: Path) -> None:
    from kafka.record.util import calc_crc32c  # noqa: PLC0415 - only here

    data = bytearray(log.read_bytes())
    starts, at = [], 0
    while at < len(data):
        starts.append(at)
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")
    assert len(starts) == 5
    data[starts[1] + HEADER_BYTES + 30] ^= 0xFF
    data[starts[2] + HEADER_BYTES + 30] ^= 0xFF
    checksum = calc_crc32c(memoryview(data)[starts[2] + 21 : starts[3]])
    data[starts[2] + 17 : starts[2] + 21] = checksum.to_bytes(4, "big")
    log.write_bytes(data)


def test_a_broker_that_is_killed_loses_and_repeats_nothing(
    own_broker: Broker, follow: Follow
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    create_topic(admin, "web", partitions=2)
    admin.close()
    send(own_broker.bootstrap, "web", [line(number) for number in range(4_000)], partitions=2)
    web = follow(own_broker.bootstrap, "web")
    found: list[int] = []
    web.until(lambda: len(found) >= 1_000, found)
    own_broker.kill()
    web.until(lambda: bool(web.problems()), found)
    own_broker.start()
    later = [line(number) for number in range(4_000, 8_000)]
    send(own_broker.bootstrap, "web", later, partitions=2)
    web.until(lambda: len(found) >= 8_000, found)
    assert sorted(found) == list(range(8_000))
    web.until(lambda: not web.problems(), found)
    own_broker.restart()
    send(own_broker.bootstrap, "web", [line(number) for number in range(8_000, 8_100)])
    assert sorted(web.read(100)) == list(range(8_000, 8_100))


def test_20000_messages_with_restarts_are_read_once(
    bootstrap: str, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic(4)
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=5)
    for number in range(20_000):
        producer.send(topic, line(number))  # no key: the producer picks partitions
    producer.flush(SECONDS)
    producer.close()
    web = follow(bootstrap, topic)
    seeded = random.Random(7)
    found: list[int] = []
    for _ in range(6):
        for _ in range(seeded.randint(0, 4)):
            found += web.poll()
        web.restart()
    web.until(lambda: len(found) >= 20_000, found)
    found += web.poll()
    assert sorted(found) == list(range(20_000))
    assert web.follower is not None
    assert sum(web.follower.lag.values()) == 0


def test_transactions_that_were_aborted_are_not_read(
    bootstrap: str, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic()
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    producer.init_transactions()
    for begin, keep in ((0, True), (10, False), (20, True)):
        producer.begin_transaction()
        for number in range(begin, begin + 10):
            producer.send(topic, line(number), partition=0)
        producer.flush(SECONDS)
        producer.commit_transaction() if keep else producer.abort_transaction()
    producer.close()
    web = follow(bootstrap, topic)
    assert web.read(20) == [*range(10), *range(20, 30)]
    assert web.follower is not None
    assert web.follower.lag == {f"{topic}-0": 0}


def test_what_is_stored_is_committed_for_lag_tools(
    bootstrap: str, admin: KafkaAdminClient, make_topic: MakeTopic, follow: Follow
) -> None:
    topic = make_topic()
    send(bootstrap, topic, [line(number) for number in range(20)])
    web = follow(bootstrap, topic, group_id=topic)
    web.read(20)
    assert web.follower is not None
    web.follower.positions()
    deadline = time.monotonic() + SECONDS
    committed = None
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=topic)
    while committed != 20 and time.monotonic() < deadline:
        web.follower.commit()
        web.poll()
        committed = consumer.committed(KafkaPartition(topic, 0))
    consumer.close()
    assert committed == 20

    def settled() -> bool:  # the first attempt may come before the group has a coordinator
        assert web.follower is not None
        web.follower.commit()
        return not web.problems()

    web.until(settled)


def test_a_partition_paused_in_the_midst_of_a_fetch_goes_on(
    bootstrap: str, make_topic: MakeTopic
) -> None:
    """Paused while the library has some of its batches in hand, and another one is read."""
    topic = make_topic(2)
    slow, quick = TopicPartition(topic, 0), TopicPartition(topic, 1)
    producer = KafkaProducer(bootstrap_servers=bootstrap, batch_size=0)
    for number in range(1_200):  # one batch each, more than one poll of the library gives
        producer.send(topic, line(number), partition=0)
    producer.flush()
    client = KafkaClient(KafkaSource(bootstrap_servers=(bootstrap,), topics=(topic,)))
    found = {slow: 0, quick: 0}

    def fetch_until(partition: TopicPartition, count: int) -> None:
        deadline = time.monotonic() + SECONDS
        while found[partition] < count:
            assert time.monotonic() < deadline, found
            for sealed in client.fetch(0.1):
                found[sealed.partition] += len(sealed.open().values)

    try:
        client.assign({slow: 0, quick: 0})
        fetch_until(slow, 1)
        client.pause([slow])
        producer.send(topic, line(0), partition=1)
        producer.flush()
        fetch_until(quick, 1)
        assert found[slow] < 1_200
        client.pause([])
        fetch_until(slow, 1_200)
    finally:
        client.close()
        producer.close()
    assert found == {slow: 1_200, quick: 1}
