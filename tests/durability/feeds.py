"""Where the lines go: a log that grows, or a topic of two partitions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from kafka import KafkaProducer

from tests.durability.story import SENTINELS, dealt, ending

SourceKind = Literal["file", "topic"]

PARTITIONS: Final = 2
_SECONDS: Final = 60


class Feed(Protocol):
    """Takes lines, in order."""

    settings: str
    sentinels: Sequence[str]

    def append(self, lines: Sequence[bytes]) -> None:
        """Add lines; they are there when it returns."""
        ...

    def end(self) -> None:
        """Add what comes last."""
        ...


@dataclass
class LogFeed:
    """A file; half of the appends end within a line, which the next one completes."""

    path: Path

    def __post_init__(self) -> None:
        self.settings = f"[[sources]]\npaths = ['{self.path}']\nformat = 'combined'\n"
        self.sentinels: Sequence[str] = SENTINELS[:1]
        self.path.touch()
        self._rest = b""

    def append(self, lines: Sequence[bytes]) -> None:
        data = self._rest + b"".join(lines)
        keep = len(lines) % 2 * 40
        self._write(data[: len(data) - keep])
        self._rest = data[len(data) - keep :]

    def end(self) -> None:
        self._write(self._rest + b"".join(ending()))
        self._rest = b""

    def _write(self, data: bytes) -> None:
        with self.path.open("ab") as log:
            log.write(data)


class TopicFeed:
    """A topic; a client's lines go to one partition."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._producer: KafkaProducer | None = None
        self.settings = (
            f"[[sources]]\nbootstrap_servers = ['{bootstrap}']\ntopics = ['{topic}']\n"
            "start = 'beginning'\nformat = 'combined'\n"
        )
        self.sentinels: Sequence[str] = SENTINELS[:PARTITIONS]

    def append(self, lines: Sequence[bytes]) -> None:
        self._send(list(dealt(lines, PARTITIONS)))

    def end(self) -> None:
        self._send([(number, line) for number in range(PARTITIONS) for line in ending(number)])

    def disconnect(self) -> None:
        """Let go of the broker until the next lines: it is going to be away."""
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None

    def _send(self, lines: Sequence[tuple[int, bytes]]) -> None:
        if self._producer is None:
            options: dict[str, Any] = {"compression_type": "lz4", "linger_ms": 5, "acks": "all"}
            self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, **options)
        sent = [
            self._producer.send(self._topic, line.rstrip(b"\n"), partition=number)
            for number, line in lines
        ]
        self._producer.flush(timeout=_SECONDS)
        for future in sent:
            future.get(timeout=_SECONDS)


@contextmanager
def topic_feed(bootstrap: str, topic: str) -> Iterator[TopicFeed]:
    """Open a feed into a topic that exists."""
    feed = TopicFeed(bootstrap, topic)
    try:
        yield feed
    finally:
        feed.disconnect()
