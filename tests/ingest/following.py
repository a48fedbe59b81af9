"""A follower of logs that a test writes, with a clock that the test moves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ingest.events import Batch
from ingest.follow import LogFollower
from ingest.sources import FileSource

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
START = int(NOON.timestamp()) * 1_000_000
SECOND = 1_000_000


def line(second: int) -> str:
    when = (NOON + timedelta(seconds=second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.7 - - [{when}] "GET /{second} HTTP/1.1" 200 5 "-" "curl/8"\n'


def column(batches: list[Batch], name: str) -> list[Any]:
    return [value for batch in batches for value in batch.events[name].to_list()]


class Follow:
    """A follower of some logs in a folder, with a clock that the test moves."""

    def __init__(self, folder: Path, pattern: str = "*.log*") -> None:
        self.folder = folder
        self.pattern = pattern
        self.log = folder / "access.log"
        self.now = START
        self.format = "auto"
        self.follower: LogFollower | None = None

    def begin(
        self,
        start: Literal["beginning", "end"] = "beginning",
        positions: dict[str, Any] | None = None,
    ) -> "Follow":
        self.end()
        source = FileSource(paths=(str(self.folder / self.pattern),), format=self.format)
        self.follower = LogFollower(
            [source], start=start, positions=positions, clock=lambda: self.now, chunk_bytes=1000
        )
        return self

    def append(self, *seconds: int, file: Path | None = None) -> None:
        with (file or self.log).open("a") as stream:
            stream.writelines(line(second) for second in seconds)

    def batches(self) -> list[Batch]:
        """Poll until nothing new comes for a while."""
        assert self.follower is not None
        found: list[Batch] = []
        quiet = 0
        while quiet < 3:
            self.now += 2 * SECOND
            batches = self.follower.poll()
            quiet = 0 if batches else quiet + 1
            found += batches
        return found

    def read(self) -> list[int]:
        """Return the seconds of the events that are new."""
        return [int(path[1:]) for path in column(self.batches(), "path")]

    def positions(self) -> dict[str, Any]:
        assert self.follower is not None
        stored: dict[str, Any] = json.loads(json.dumps(self.follower.positions()))
        return stored

    def problems(self) -> list[str]:
        assert self.follower is not None
        return [problem.reason for problem in self.follower.problems]

    def end(self) -> None:
        if self.follower is not None:
            self.follower.close()
