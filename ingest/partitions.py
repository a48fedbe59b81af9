"""A partition while it is read: its format, its clock, and what became of its lines."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ingest.chunks import Chunk, LogChunks
from ingest.effective import PartitionClock, Timed
from ingest.events import BATCH_SCHEMA, no_events
from ingest.formats import FORMATS
from ingest.formats.detection import SAMPLE_BYTES, SAMPLE_LINES, Detection, detect_format
from ingest.formats.parsed import Reading
from ingest.lines import Lines
from ingest.logs import InputProblem
from ingest.normalising import Read, read_chunk
from ingest.quarantine import Quarantine, Reason
from ingest.sources import FileSource


@dataclass
class Tally:
    """Lines accounted for: lines == events + quarantined + blank + held."""

    lines: int = 0
    blank: int = 0
    events: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)


@dataclass
class Partition:
    """One partition: turns chunks into timed events, in order of positions."""

    name: str
    source: FileSource
    tally: Tally
    clock: PartitionClock = field(init=False)
    detection: Detection | None = None

    def __post_init__(self) -> None:
        self.clock = PartitionClock(self.source.lateness)

    def detect(self, sample: list[bytes]) -> InputProblem | None:
        """Settle the format; return what is wrong if none is found."""
        if self.source.format != "auto":
            self.detection = Detection(self.source.format, 1.0)
            return None
        mapping = self.source.mapping
        if mapping:
            self.detection = Detection("json", 1.0)
            return None
        self.detection = detect_format(sample, Reading(mapping))
        if self.detection.format is not None or not any(line.strip() for line in sample):
            return None
        known = ", ".join(FORMATS)
        return InputProblem(
            self.name,
            "unknown format: no line reads as one of the known formats"
            if not self.detection.confidence
            else "unknown format: too few of the first lines read as one of the known formats",
            f"set the source's format ({known}), or give a mapping for JSON lines",
        )

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON."""
        found = self.detection.format if self.detection else None
        return {**self.clock.state(), "format": found}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored state: keys newest, late, format."""
        self.clock.newest = state["newest"]
        self.clock.late = state["late"]
        if state["format"] in FORMATS:
            self.detection = Detection(state["format"], 1.0)

    def read(self, chunk: Chunk) -> Read:
        """Parse a chunk and count what cannot be events."""
        return self.count(self.parse(chunk))

    def parse(self, chunk: Chunk) -> Read:
        """Parse a chunk; changes nothing, so that threads may do it ahead of time."""
        found = self.detection.format if self.detection else None
        return read_chunk(
            chunk,
            FORMATS[found] if found else None,
            Reading(self.source.mapping),
            partition=self.name,
            service=self.source.service,
            environment=self.source.environment,
        )

    def count(self, read: Read) -> Read:
        """Count what cannot be events."""
        self.tally.lines += read.lines
        self.tally.blank += read.blank
        for reason, positions in read.rejects.items():
            self.tally.quarantine.add(self.name, reason, positions)
        return read

    def timed(self, timed: Timed | None) -> Timed:
        """Count what the clock decided; the events have the columns of BATCH_SCHEMA."""
        if timed is None:
            return Timed(no_events())
        reason: Reason = "future"
        self.tally.quarantine.add(self.name, reason, timed.future)
        self.tally.events += timed.events.height
        seen = timed.events.with_columns(edge=pl.lit(self.source.role == "edge"))
        return Timed(seen.select(BATCH_SCHEMA.names()), timed.future)


class PartitionFiles:
    """The chunks of a partition's files, the first of them looked at for the format."""

    def __init__(self, partition: Partition, chunks: LogChunks) -> None:
        self.partition = partition
        self.chunks = chunks
        self._ahead: deque[Chunk] = deque()
        self._parsing: deque[Future[Read]] = deque()
        self._rest: Iterator[Chunk] = iter(chunks)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files read, oldest first."""
        return self.chunks.log.files

    def next(self) -> Chunk | None:
        """Return the next chunk, or None at the end."""
        if self.partition.detection is None:
            self._detect()
        return self._ahead.popleft() if self._ahead else next(self._rest, None)

    def next_read(self, pool: Executor, ahead: int) -> Read | None:
        """Return the next chunk parsed and counted, or None at the end.

        Up to `ahead` further chunks are parsed in the pool meanwhile.
        """
        while len(self._parsing) <= ahead:
            chunk = self.next()
            if chunk is None:
                break
            self._parsing.append(pool.submit(self.partition.parse, chunk))
        return self.partition.count(self._parsing.popleft().result()) if self._parsing else None

    def _detect(self) -> None:
        sample: list[bytes] = []
        size = 0
        while len(sample) < SAMPLE_LINES and size < SAMPLE_BYTES:
            chunk = next(self._rest, None)
            if chunk is None:
                break
            self._ahead.append(chunk)
            size += len(chunk.data)
            sample.extend(self._lines(chunk, SAMPLE_LINES - len(sample)))
        problem = self.partition.detect(sample)
        if problem is not None:
            self.chunks.problems.append(problem)

    @staticmethod
    def _lines(chunk: Chunk, count: int) -> list[bytes]:
        lines = Lines.of(chunk.data[:SAMPLE_BYTES])
        kept = lines.select(~(lines.blank() | lines.too_long()))
        return [kept[index] for index in range(min(count, len(kept)))]
