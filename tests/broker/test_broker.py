"""The broker does what tests rely on: every listener, every compression, data that stays."""

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from tests.broker.fixtures import MakeTopic, create_topic
from tests.broker.launch import Broker, BrokerError

LINES = [f"line {number} ".encode() * 40 for number in range(50)]

#: Each codec's number in the attributes of a batch (KIP-98, KIP-110).
CODECS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
#: Where the lower byte of the attributes is in a batch, and so in a segment that begins with one.
ATTRIBUTES = 22


def produce(topic: str, lines: list[bytes], **client: Any) -> None:
    producer = KafkaProducer(**client)
    for line in lines:
        producer.send(topic, line)
    producer.flush(30)
    producer.close()


def consume(topic: str, **client: Any) -> list[bytes]:
    """All that is in a topic's first partition."""
    consumer = KafkaConsumer(**client, auto_offset_reset="none", enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    consumer.seek(partition, 0)
    found: list[bytes] = []
    while consumer.position(partition) < end:
        found += [record.value for records in consumer.poll(1_000).values() for record in records]
    consumer.close()
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_lines_come_back(codec: str | None, bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    produce(topic, LINES, bootstrap_servers=bootstrap, compression_type=codec)
    assert consume(topic, bootstrap_servers=bootstrap) == LINES


@pytest.mark.parametrize("codec", CODECS)
def test_codec_is_the_one_asked_for(
    codec: str | None, broker: Broker, make_topic: MakeTopic
) -> None:
    topic = make_topic()
    produce(topic, LINES, bootstrap_servers=broker.bootstrap, compression_type=codec)
    segment = next((broker.folder / "data" / f"{topic}-0").glob("*.log")).read_bytes()
    assert segment[ATTRIBUTES] & 0b111 == CODECS[codec]


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [
        ("PLAINTEXT", ""),
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("SSL", ""),
        ("SASL_SSL", "PLAIN"),
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("MUTUAL", ""),
    ],
)
def test_lines_go_through_every_listener(
    listener: str, mechanism: str, broker: Broker, make_topic: MakeTopic
) -> None:
    topic = make_topic()
    produce(topic, LINES, **broker.client(listener, mechanism))
    assert consume(topic, **broker.client(listener, mechanism)) == LINES


@pytest.mark.parametrize(
    ("listener", "mechanism", "changed"),
    [
        ("SASL_PLAINTEXT", "PLAIN", {"sasl_plain_password": "guessed"}),
        ("SASL_SSL", "SCRAM-SHA-512", {"sasl_plain_password": "guessed"}),
        ("MUTUAL", "", {"ssl_certfile": None, "ssl_keyfile": None}),
    ],
)
def test_nobody_gets_in_without(
    listener: str, mechanism: str, changed: dict[str, str | None], broker: Broker
) -> None:
    said = broker.log.read_text(encoding="utf-8").count("Failed authentication")
    with pytest.raises(KafkaTimeoutError):
        KafkaConsumer(**broker.client(listener, mechanism) | changed, bootstrap_timeout_ms=1_000)
    assert broker.log.read_text(encoding="utf-8").count("Failed authentication") > said


def test_only_its_own_authority_vouches_for_the_broker(broker: Broker) -> None:
    assert broker.certificates
    for authority, trusted in ((broker.certificates.authority, True), (None, False)):
        context = ssl.create_default_context(cafile=authority)
        with socket.create_connection(("127.0.0.1", broker.ports["SSL"]), timeout=30) as plain:
            if trusted:
                context.wrap_socket(plain, server_hostname="localhost").close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    context.wrap_socket(plain, server_hostname="localhost")


def test_data_outlive_the_broker(own_broker: Broker) -> None:
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    create_topic(admin, "access", partitions=1)
    admin.close()
    where = own_broker.client()
    produce("access", LINES[:20], **where)
    own_broker.restart()
    produce("access", LINES[20:], **where)
    own_broker.kill()
    own_broker.start()
    assert consume("access", **where) == LINES


def test_a_broker_that_cannot_start_says_why(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "server.properties").write_text("process.roles=onlooker\n", encoding="utf-8")
    failing = Broker(tmp_path, broker.java, {"PLAINTEXT": 1}, None)
    with pytest.raises(BrokerError, match=r"(?s)^The broker ended with 1\..*onlooker"):
        failing.start()
