"""A partition while it is read: its format, its clock, and what became of its lines."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from ingest.chunks import Chunk, LogChunks
from ingest.effective import PartitionClock, Timed
from ingest.enrichment import Enrichment
from ingest.events import BATCH_SCHEMA, no_events
from ingest.formats import FORMATS
from ingest.formats.detection import SAMPLE_BYTES, SAMPLE_LINES, Detection, detect_format
from ingest.formats.directives import last_directive
from ingest.formats.parsed import Reading
from ingest.lines import Ints, Lines
from ingest.logs import InputProblem
from ingest.normalising import Normaliser, Read, joined
from ingest.parts import Parts
from ingest.parts import joined as joined_parts
from ingest.quarantine import Quarantine, Reason
from ingest.readings import Meter
from ingest.records import Records
from ingest.sources import Source

_NOWHERE: Final = np.zeros(0, dtype=np.int64)


@dataclass
class Tally:
    """Lines accounted for: lines == events + quarantined + blank + ignored + held."""

    lines: int = 0
    blank: int = 0
    ignored: int = 0
    events: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)

    @property
    def held(self) -> int:
        """Lines whose time waits for others to be believed."""
        return self.lines - self.events - self.quarantine.total - self.blank - self.ignored

    @classmethod
    def under(cls, enrichment: Enrichment) -> "Tally":
        """Return a tally that keeps no text of people who are kept as pseudonyms."""
        return cls(quarantine=Quarantine(keeps_text=not enrichment.pseudonymises))


@dataclass
class Partition:
    """One partition: turns records into timed events, in order of positions."""

    name: str
    source: Source
    tally: Tally
    enrichment: Enrichment = field(default_factory=Enrichment)
    clock: PartitionClock = field(init=False)
    detection: Detection | None = None
    directive: str | None = None
    looked: bool = False
    parts: Parts = field(default_factory=Parts, repr=False)
    _seen: int = field(default=-1, repr=False)
    _counted: int = field(default=-1, repr=False)
    _normaliser: Normaliser = field(init=False, repr=False)
    _meter: Meter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.clock = PartitionClock(self.source.lateness)
        self._normaliser = Normaliser(self.source, self.name, self.enrichment)
        self._meter = Meter(self.name)
        if self.source.format != "auto" or self.source.mapping:
            settled = "json" if self.source.mapping else self.source.format
            self.detection = Detection(settled, 1.0)

    def detect(self, sample: Lines) -> InputProblem | None:
        """Settle the format by the partition's first lines; return what is wrong if none fits."""
        self.looked = True
        self.directive = last_directive(sample) or self.directive
        if self.source.format != "auto" or self.source.mapping:
            return None
        payloads = self._normaliser.payloads(sample)
        reading = Reading(timezone=self.source.timezone, directive=self.directive)
        lines = [payloads[index] for index in range(min(len(payloads), SAMPLE_LINES))]
        self.detection = detect_format(lines, reading)
        if self.detection.format is not None or not lines:
            return None
        return InputProblem(
            self.name,
            "unknown format: no line reads as one of the known formats"
            if not self.detection.confidence
            else "unknown format: too few of the first lines read as one of the known formats",
            "set the source's format (docs/formats.md), its log_format as pattern, or a mapping"
            " for JSON lines",
        )

    @property
    def settled(self) -> bool:
        """Whether the first lines were looked at and a format is known."""
        return self.looked and self.detection is not None and self.detection.format is not None

    def held_from(self, position: int) -> tuple[int, int]:
        """Return (where to read from after a restart, from where on lines count), as things are.

        `position` is where the next record begins.
        """
        held = self.clock.held_from
        counts = max(position if held is None else held, self.parts.resume)
        return min(self.parts.needed_from(counts), position), counts

    def state(self, position: int) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON; the next record begins at `position`."""
        begin, counts = self.held_from(position)
        found = self.detection.format if self.detection else None
        seen = {} if self._seen < 0 else {"seen": self._seen}
        return {
            **self.clock.state(),
            "format": found,
            "directive": self.directive,
            **seen,
            **self.parts.state(begin, counts),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored state: keys newest, late, format, directive."""
        self.clock.newest = state["newest"]
        self.clock.late = state["late"]
        self.directive = state.get("directive")
        self._seen = self._counted = state.get("seen", -1)
        self.parts = Parts.restored(state)
        self.looked = state["format"] is not None
        if self.detection is None and state["format"] in FORMATS:
            self.detection = Detection(state["format"], 1.0)

    def records(self, chunk: Chunk) -> Records:
        """Return a chunk's records; to be called in order, as directives reach further on."""
        records = Records.of_chunk(chunk, self.directive)
        self.directive = last_directive(records.lines) or self.directive
        records, self.parts = joined_parts(records, self.parts)
        return records

    def parse(self, records: Records) -> Read:
        """Parse records; changes nothing, so that threads may do it ahead of time."""
        name = self.detection.format if self.detection else None
        return joined([self._normaliser.read(some, name) for some in records.pieces()])

    def begin_anew(self) -> None:
        """Positions count from elsewhere from now on: a topic was created again."""
        self._seen = self._counted = -1
        self.parts = Parts()

    def count(self, read: Read) -> None:
        """Count what cannot be events, except what was counted before a restart.

        What lies behind a record that the clock holds back is read again then.
        """
        self.tally.lines += read.lines
        self.tally.blank += read.blank
        self.tally.ignored += read.ignored
        for reject in read.rejects:
            positions, lines = reject.positions, reject.lines
            self._seen = max(self._seen, int(positions[-1]))
            if positions[0] <= self._counted:
                fresh = positions > self._counted
                self.tally.lines -= len(positions) - int(fresh.sum())
                positions, lines = positions[fresh], lines and lines.select(fresh)
            self.tally.quarantine.add(self.name, reject.reason, positions, lines)

    def feed(self, read: Read) -> Timed:
        """Count a reading and pass its events by the clock; they have BATCH_SCHEMA."""
        self.count(read)
        before = self.clock.newest
        timed = self.clock.feed(read.events)
        unread = [reject.positions for reject in read.rejects]
        return self._timed(before, timed, np.sort(np.concatenate(unread)) if unread else _NOWHERE)

    def tick(self, until: int) -> Timed:
        """Let time pass to `until` (us), as nothing is new; return what was held back."""
        before = self.clock.newest
        timed = self._timed(before, self.clock.tick(until))
        if self.clock.newest == until and before != until:
            self._meter.tick(until)
        return timed

    def finish(self) -> Timed:
        """Return what was held back: the input has ended, or goes on elsewhere."""
        lost = sorted(entry.last for entry in self.parts.pending.values() if entry.last >= 0)
        self.tally.lines += len(lost)
        self.tally.quarantine.add(self.name, "partial", lost)
        self.parts = Parts()
        return self._timed(self.clock.newest, self.clock.finish())

    def readings(self) -> pl.DataFrame:
        """Return how it fared since the last call (READING_SCHEMA)."""
        return self._meter.take()

    def _timed(self, before: int | None, timed: Timed | None, unread: Ints = _NOWHERE) -> Timed:
        """Count what the clock decided; the events have the columns of BATCH_SCHEMA."""
        decided = None if timed is None else timed.decided
        self._meter.count(before, decided, unread, self.clock.held_at)
        if timed is None:
            return Timed(no_events())
        reason: Reason = "future"
        self.tally.quarantine.add(self.name, reason, timed.future)
        self.tally.events += timed.events.height
        self.enrichment.observe(timed.events)
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
        if not self.partition.looked:
            self._detect()
        return self._ahead.popleft() if self._ahead else next(self._rest, None)

    def next_read(self, pool: Executor, ahead: int) -> Read | None:
        """Return the next chunk parsed, or None at the end.

        Up to `ahead` further chunks are parsed in the pool meanwhile.
        """
        while len(self._parsing) <= ahead:
            chunk = self.next()
            if chunk is None:
                break
            records = self.partition.records(chunk)
            self._parsing.append(pool.submit(self.partition.parse, records))
        return self._parsing.popleft().result() if self._parsing else None

    def _detect(self) -> None:
        sample: list[bytes] = []
        size = count = 0
        while count < SAMPLE_LINES and size < SAMPLE_BYTES:
            chunk = next(self._rest, None)
            if chunk is None:
                break
            self._ahead.append(chunk)
            size += len(chunk.data)
            sample.append(chunk.data[:SAMPLE_BYTES])
            count += sample[-1].count(b"\n")
        problem = self.partition.detect(first_lines(b"".join(sample)))
        if problem is not None:
            self.chunks.problems.append(problem)


def first_lines(data: bytes) -> Lines:
    """Return the first lines of `data` that are worth a look at their format."""
    lines = Lines.of(data)
    kept = lines.select(~(lines.blank() | lines.too_long()))
    return kept.select(np.arange(min(len(kept), SAMPLE_LINES)))
