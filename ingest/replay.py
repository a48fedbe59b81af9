"""Lines that were put aside, read again from where they lie."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ingest.chunks import CHUNK_BYTES, Chunk, LogChunks, cut_lines
from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.formats.detection import SAMPLE_LINES
from ingest.identity import Identity, candidates_of, find
from ingest.lines import LINE_LIMIT, Ints, Lines
from ingest.logs import Log
from ingest.packed import MAGIC_BYTES, codec_of
from ingest.partitions import Partition, Tally
from ingest.parts import Parts, joined
from ingest.quarantine import Reason, Sample
from ingest.records import Records
from ingest.rotations import Folders
from ingest.sources import Source
from ingest.wrappers import unwrap

Range = tuple[int, int]


class RecordsGoneError(Exception):
    """The records are no longer where they were; the message says what is known, and why."""


class RecordsAt(Protocol):
    """Reads records of a partition by position, while they are there."""

    def has(self, partition: str) -> bool:
        """Whether partitions of this kind are read here."""
        ...

    def read(
        self, partition: str, ranges: Sequence[Range], samples: Sequence[Sample] = ()
    ) -> Iterator[Records]:
        """Yield the records that begin in the ranges (first, last), in order of positions.

        `samples` are some of them, to know them by. Raises RecordsGoneError, before anything is
        yielded, if they are not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file of a log, and the position of its first byte."""

    file: Path
    base: int


class FileRecords:
    """Reads lines of logs: partitions are paths, positions are byte offsets over rotations.

    Which file was at which position is tried: any of the files there are may have been the first
    when reading began, or a stored position (`known`, by partition, as the checkpoint has them)
    says it. What fits is where the samples are found, or, without any, where lines begin.
    """

    def __init__(
        self,
        known: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._known = known or {}
        self._chunk_bytes = chunk_bytes
        self._sizes: dict[Path, int] = {}

    def has(self, partition: str) -> bool:
        """Whether the partition is a path."""
        return Path(partition).is_absolute()

    def read(
        self, partition: str, ranges: Sequence[Range], samples: Sequence[Sample] = ()
    ) -> Iterator[Records]:
        """See RecordsAt. Files of a log are those that its rotations are called."""
        if not ranges:
            return iter(())
        log = Path(partition)
        try:
            files = Folders().rotations_of(log)
        except OSError as error:
            raise RecordsGoneError(f"{partition}: {error.strerror}; check the folder") from error
        if not files:
            raise RecordsGoneError(
                f"{partition}: there is no such log here; lines can be read again only where"
                " their log is"
            )
        for placed in self._placements(partition, files):
            if self._fits(placed, ranges, samples):
                return self._records(placed, ranges)
        raise RecordsGoneError(
            f"{partition}: the lines are in none of its {len(files)} files any more; the log was"
            " rotated away or rewritten"
        )

    def _placements(self, partition: str, files: Sequence[Path]) -> Iterator[list[_Placed]]:
        for start in range(len(files)):
            yield self._in_a_row(files[start:], 0)
        state = self._known.get(partition)
        if state is None or "inode" not in state:
            return
        candidates = candidates_of(list(files))
        index = find(Identity.restored(state), candidates)
        if index is not None:
            before = sum(self._size(candidate.path) for candidate in candidates[:index])
            yield self._in_a_row([c.path for c in candidates], int(state["base"]) - before)

    def _in_a_row(self, files: Sequence[Path], base: int) -> list[_Placed]:
        placed = []
        for file in files:
            placed.append(_Placed(file, base))
            base += self._size(file) if file != files[-1] else 0
        return placed

    def _size(self, file: Path) -> int:
        """Return the size of what a file holds, unpacked."""
        if file not in self._sizes:
            if _packed(file):
                chunks = LogChunks(Log(str(file), (file,)), self._chunk_bytes)
                ends = (chunk.base + len(chunk.data) for chunk in chunks)
                self._sizes[file] = max(ends, default=0)
            else:
                self._sizes[file] = file.stat().st_size
        return self._sizes[file]

    def _chunks(self, place: _Placed, first: int) -> Iterator[Chunk]:
        """Yield a file's chunks in the log, from before `first` on."""
        if _packed(place.file):
            for chunk in LogChunks(Log(str(place.file), (place.file,)), self._chunk_bytes):
                yield replace(chunk, base=place.base + chunk.base)
            return
        # Earlier: lines may be in parts, and if a line begins there, the one before it ended.
        start = max(first - place.base - 2 * LINE_LIMIT, 0)
        with place.file.open("rb") as stream:
            stream.seek(start)
            blocks = iter(lambda: stream.read(self._chunk_bytes), b"")
            for chunk, _ in cut_lines(blocks, place.base + start):
                yield chunk

    def _fits(
        self, placed: Sequence[_Placed], ranges: Sequence[Range], samples: Sequence[Sample]
    ) -> bool:
        wanted = {sample.position: sample for sample in samples}
        places = sorted(wanted) or [ranges[0][0]]
        found = 0
        for records in self._records(placed, [(place, place) for place in places]):
            for index, position in enumerate(records.positions.tolist()):
                sample = wanted.get(position)
                line = records.lines[index]
                if sample is not None and sample.sha256 not in digests(line):
                    return False
                found += 1
        return found == len(places)

    def _records(self, placed: Sequence[_Placed], ranges: Sequence[Range]) -> Iterator[Records]:
        firsts = np.array([first for first, _ in ranges], dtype=np.int64)
        lasts = np.array([last for _, last in ranges], dtype=np.int64)
        parts = Parts()
        for index, place in enumerate(placed):
            if index + 1 < len(placed) and placed[index + 1].base <= firsts[0]:
                continue
            for chunk in self._chunks(place, int(firsts[0])):
                if chunk.base > lasts[-1]:
                    return
                records, parts = joined(Records.of_chunk(chunk), parts)
                yield from _within(records, firsts, lasts)


class Replay:
    """Records of one partition, read with the settings of today, as if they were all of it.

    Once `batches` has ended, lines == events + blank + ignored + the sum of `rest`.
    """

    def __init__(
        self, partition: str, source: Source, enrichment: Enrichment | None = None
    ) -> None:
        self._tally = Tally()
        shared = enrichment or Enrichment()
        self._partition = Partition(partition, source, self._tally, shared)

    def batches(self, records: Iterable[Records]) -> Iterator[Batch]:
        """Yield the events among the records, in order of positions."""
        partition = self._partition
        for some in records:
            if not partition.settled:
                partition.detect(some.lines.select(np.arange(min(len(some.lines), SAMPLE_LINES))))
            timed = partition.feed(partition.parse(some))
            yield Batch(timed.events, partition.clock.watermark, partition.readings())
        yield Batch(partition.finish().events, None, partition.readings())

    @property
    def lines(self) -> int:
        """Lines read."""
        return self._tally.lines

    @property
    def events(self) -> int:
        """Lines that are events now."""
        return self._tally.events

    @property
    def rest(self) -> dict[Reason, int]:
        """Lines that still are none, by reason."""
        return self._tally.quarantine.by_reason()

    @property
    def newest(self) -> int | None:
        """The newest event time, in microseconds since 1970."""
        return self._partition.clock.newest


def digests(line: bytes) -> set[str]:
    """Return the SHA-256 of a line, and of what it holds if it is wrapped."""
    held = unwrap(Lines.of(line)).lines
    inner = [held[index] for index in range(len(held))]
    return {hashlib.sha256(data).hexdigest() for data in (line, *inner)}


def _packed(file: Path) -> bool:
    with file.open("rb") as stream:
        return codec_of(stream.read(MAGIC_BYTES)) is not None


def _within(records: Records, firsts: Ints, lasts: Ints) -> Iterator[Records]:
    """Yield the lines that begin in one of the ranges."""
    at = np.searchsorted(firsts, records.positions, side="right") - 1
    inside = (at >= 0) & (records.positions <= lasts[np.maximum(at, 0)])
    if inside.any():
        yield Records(records.lines.select(inside), records.positions[inside])
