"""Events and rejects as a log has them, line by line, masked: what `vedette normalise` prints."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import polars as pl

from ingest.chunks import CHUNK_BYTES, LogChunks
from ingest.enrichment import Enrichment
from ingest.events import EVENT_SCHEMA
from ingest.logs import InputProblem, find_logs
from ingest.masking import mask_series
from ingest.partitions import Partition, PartitionFiles, Tally
from ingest.quarantine import Reason
from ingest.sources import FileSource

NORMALISED_SCHEMA: Final = pl.Schema({**EVENT_SCHEMA, "reason": pl.String()})

#: Text that can only be an address, a hash, or our own; all other text is masked.
PLAIN: Final = frozenset({"client_ip", "client_network", "api_key", "location", "partition"})
MASKED: Final = tuple(
    name for name, dtype in EVENT_SCHEMA.items() if dtype == pl.String and name not in PLAIN
)


def normalised(
    sources: Sequence[FileSource],
    *,
    chunk_bytes: int = CHUNK_BYTES,
    enrichment: Enrichment | None = None,
    stdin: BinaryIO | None = None,
    problems: list[InputProblem] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield frames of NORMALISED_SCHEMA, log by log, rows in order of lines.

    A row is an event with `reason` null, or a line that is none: `reason`, partition and position
    only. Text is masked. What is wrong with inputs is added to `problems`.
    """
    noted = [] if problems is None else problems
    for source in sources:
        logs, missing = find_logs(source.paths)
        noted.extend(missing)
        for log in logs:
            chunks = LogChunks(log, chunk_bytes, stdin)
            partition = Partition(log.name, source, Tally(), enrichment or Enrichment())
            yield from _of_partition(PartitionFiles(partition, chunks))
            noted.extend(chunks.problems)


def masked_events(events: pl.DataFrame) -> pl.DataFrame:
    """Return events with all text masked that could hold a secret."""
    return events.with_columns(mask_series(events[name]).alias(name) for name in MASKED)


def _of_partition(files: PartitionFiles) -> Iterator[pl.DataFrame]:
    partition = files.partition
    waiting = pl.DataFrame(schema=NORMALISED_SCHEMA)
    while (chunk := files.next()) is not None:
        read = partition.parse(partition.records(chunk))
        timed = partition.feed(read)
        rows = [waiting, _accepted(timed.events)]
        rows += [_rejected(partition.name, it.reason, it.positions.tolist()) for it in read.rejects]
        rows.append(_rejected(partition.name, "future", timed.future))
        frame = pl.concat(rows).sort("position")
        limit = partition.clock.held_from
        ready = pl.repeat(limit is None, frame.height, eager=True)
        if limit is not None:
            ready = frame["position"] < limit
        waiting = frame.filter(~ready)
        yield frame.filter(ready)
    timed = partition.finish()
    late = _rejected(partition.name, "future", timed.future)
    yield pl.concat([waiting, _accepted(timed.events), late]).sort("position")


def _accepted(events: pl.DataFrame) -> pl.DataFrame:
    shown = masked_events(events.select(EVENT_SCHEMA.names()))
    return shown.with_columns(pl.lit(None, pl.String).alias("reason"))


def _rejected(partition: str, reason: Reason, positions: Sequence[int]) -> pl.DataFrame:
    rows = [{"partition": partition, "position": at, "reason": reason} for at in positions]
    return pl.DataFrame(rows, schema=NORMALISED_SCHEMA)
