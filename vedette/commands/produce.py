"""vedette produce: the demo's stream, into a topic."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from vedette.commands.run import duration
from vedette.failures import StartError, reports_failures
from vedette.orders import orders
from vedette.screen import note, terminal
from vedette.simulation.demo import DemoStream

_FLUSH_SECONDS: Final = 10
#: A topic that is not there is waited for that long, and a broker that went away.
_BLOCK_MS: Final = 10_000


@reports_failures
def run_producer(
    bootstrap: str, topic: str, seconds: str | None, *, speed: float, seed: int
) -> int:
    """Write simulated lines to the topic until stopped."""
    screen = terminal(stderr=True)
    limit = None if seconds is None else duration(seconds)
    producer = _connected(bootstrap, topic)
    try:
        with orders(limit) as given:

            def write(lines: Sequence[str]) -> None:
                try:
                    for line in lines:
                        producer.send(topic, line.encode())
                except KafkaError as error:
                    given.end()
                    raise OSError(f"topic {topic}: {type(error).__name__}") from error

            stream = DemoStream(write, seed, speed, start=datetime.now(UTC).replace(microsecond=0))
            note(screen, f"Writing a made-up shop's access log to {topic}. Ctrl-C stops.")
            stream.start()
            given.stop.wait()
        stream.stop()
        producer.flush(timeout=_FLUSH_SECONDS)
    except KafkaError as error:
        raise StartError(f"topic {topic}: {type(error).__name__}") from error
    finally:
        producer.close(timeout=_FLUSH_SECONDS)
    return 0


def _connected(bootstrap: str, topic: str) -> KafkaProducer:
    """Connect, and see that the topic is there; raises StartError."""
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type="lz4",
            linger_ms=50,
            acks="all",
            max_block_ms=_BLOCK_MS,
            allow_auto_create_topics=False,
        )
    except (KafkaError, ValueError) as error:
        raise StartError(
            f"no broker answers at {bootstrap} ({type(error).__name__}); is it running?"
        ) from error
    try:
        known = producer.partitions_for(topic)
    except (KafkaError, ValueError):  # the name cannot be one, or none has it
        known = None
    if not known:
        producer.close(timeout=0)
        raise StartError(f"{bootstrap} has no topic {topic}; create it, or check its name")
    return producer
