"""The broker does what tests rely on: every listener, every compression, data that stays."""

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.broker.fixtures import MakeTopic

LINES = [f"line {number}".encode() * 40 for number in range(50)]


def produce(topic: str, lines: list[bytes], **client: object) -> None:
    producer = KafkaProducer(**client)
    for line in lines:
        producer.send(topic, line)
    producer.flush(30)
    producer.close()


def consume(topic: str, **client: object) -> list[bytes]:
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


def test_lines_go_through(bootstrap: str, make_topic: MakeTopic) -> None:
    topic = make_topic()
    produce(topic, LINES, bootstrap_servers=bootstrap)
    assert consume(topic, bootstrap_servers=bootstrap) == LINES
