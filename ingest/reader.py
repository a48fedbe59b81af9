"""Reads whole logs once: batches of events, merged by event time in bounded memory."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final

import polars as pl

from ingest.chunks import CHUNK_BYTES, LogChunks
from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.formats.detection import Detection
from ingest.logs import InputProblem, find_logs
from ingest.partitions import Partition, PartitionFiles, Tally
from ingest.sources import FileSource

#: Chunks of a partition parsed in threads while the caller works on the one before; with more
#: than a few partitions none, to bound memory.
AHEAD: Final = 2
FEW_PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes read of bytes on disk (compressed); the total is None with standard input."""

    bytes_read: int
    bytes_total: int | None


class LogReader:
    """Reads the logs of some sources from beginning to end.

    Raises nothing because of what files hold: `problems` tells which could not be read, and
    `tally` what became of each line.
    """

    def __init__(
        self,
        sources: Sequence[FileSource],
        *,
        enrichment: Enrichment | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        stdin: BinaryIO | None = None,
    ) -> None:
        if chunk_bytes < 1:
            raise ValueError("chunk_bytes must be at least 1")
        shared = enrichment or Enrichment()
        self.tally = Tally.under(shared)
        self._problems: list[InputProblem] = []
        self._files: list[PartitionFiles] = []
        names: set[str] = set()
        for source in sources:
            logs, problems = find_logs(source.paths)
            self._problems.extend(problems)
            for log in logs:
                if log.name in names:
                    self._problems.append(_named_twice(log.name))
                    continue
                names.add(log.name)
                partition = Partition(log.name, source, self.tally, shared)
                chunks = LogChunks(log, chunk_bytes, stdin)
                self._files.append(PartitionFiles(partition, chunks))
        self._total = self._bytes_total()

    def batches(self) -> Iterator[Batch]:
        """Yield batches; the next chunk comes from the partition furthest behind in event time.

        Within a partition events are in order of position. The watermark is over the partitions
        that have not ended, None while one of them has no accepted event; None also in the last
        batch, after which there is nothing to wait for.
        """
        unfinished = list(self._files)
        ahead = AHEAD if len(unfinished) <= FEW_PARTITIONS else 0
        with ThreadPoolExecutor(AHEAD, "ingest") as pool:
            while unfinished:
                files = min(unfinished, key=_behind)
                partition = files.partition
                read = files.next_read(pool, ahead)
                if read is None:
                    unfinished.remove(files)
                    events = partition.finish().events
                else:
                    events = partition.feed(read).events
                if events.height or read is None:
                    watermark = watermark_of([entry.partition for entry in unfinished])
                    batch = Batch(events, watermark, partition.readings())
                    del read, events  # not to be held while the next ones are parsed
                    yield batch
                    del batch

    @property
    def progress(self) -> Progress:
        """How far reading has come."""
        return Progress(sum(files.chunks.bytes_read for files in self._files), self._total)

    @property
    def newest(self) -> int | None:
        """The newest accepted time over all partitions, in microseconds since 1970."""
        times = [files.partition.clock.newest for files in self._files]
        return max((time for time in times if time is not None), default=None)

    @property
    def problems(self) -> list[InputProblem]:
        """Inputs that could not be read, wholly or in part."""
        return self._problems + [
            problem for files in self._files for problem in files.chunks.problems
        ]

    @property
    def late(self) -> int:
        """Events whose effective time is later than their timestamp."""
        return sum(files.partition.clock.late for files in self._files)

    @property
    def partitions(self) -> list[str]:
        """The names of all partitions, in order of first mention."""
        return [files.partition.name for files in self._files]

    @property
    def detections(self) -> Mapping[str, Detection]:
        """The format of each partition that was begun."""
        return {
            files.partition.name: files.partition.detection
            for files in self._files
            if files.partition.detection is not None
        }

    def _bytes_total(self) -> int | None:
        totals = [files.chunks.bytes_total for files in self._files]
        known = [total for total in totals if total is not None]
        return sum(known) if len(known) == len(totals) else None


def watermark_of(partitions: Sequence[Partition]) -> int | None:
    """Return the least watermark, None if there is no partition or one has not begun."""
    return least([partition.clock.watermark for partition in partitions])


def least(marks: Sequence[int | None]) -> int | None:
    """Return the least of some watermarks, None if there is none or one is None."""
    known = [mark for mark in marks if mark is not None]
    return min(known) if known and len(known) == len(marks) else None


def _behind(files: PartitionFiles) -> tuple[bool, int]:
    newest = files.partition.clock.newest
    return newest is not None, newest or 0


def _named_twice(name: str) -> InputProblem:
    return InputProblem(name, "more than one source names this log", "name it in one source only")


def events_of(batches: Iterator[Batch]) -> pl.DataFrame:
    """Return all events of some batches in one frame; for notebooks and small logs."""
    frames = [batch.events for batch in batches]
    return pl.concat(frames) if frames else pl.DataFrame()
