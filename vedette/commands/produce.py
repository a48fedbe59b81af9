"""vedette produce: the demo's stream, into a topic."""

from collections.abc import Sequence
from datetime import UTC, datetime

from kafka import KafkaProducer
from kafka.errors import KafkaError

from vedette.commands.run import duration
from vedette.failures import StartError, reports_failures
from vedette.screen import note, terminal
from vedette.service import stopping
from vedette.simulation.demo import DemoStream

_FLUSH_SECONDS = 10


@reports_failures
def run_producer(
    bootstrap: str, topic: str, seconds: str | None, *, speed: float, seed: int
) -> int:
    """Write simulated lines to the topic until stopped."""
    screen = terminal(stderr=True)
    limit = None if seconds is None else duration(seconds)
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=50, acks="all"
        )
    except KafkaError as error:
        raise StartError(
            f"no broker answers at {bootstrap} ({type(error).__name__}); is it running?"
        ) from error

    def write(lines: Sequence[str]) -> None:
        try:
            for line in lines:
                producer.send(topic, line.encode())
        except KafkaError as error:
            raise OSError(f"topic {topic}: {type(error).__name__}") from error

    stream = DemoStream(write, seed, speed, start=datetime.now(UTC).replace(microsecond=0))
    with stopping(limit) as stop:
        note(screen, f"Writing a made-up shop's access log to {topic}. Ctrl-C stops.")
        stream.start()
        stop.wait()
    stream.stop()
    producer.flush(timeout=_FLUSH_SECONDS)
    producer.close()
    return 0
