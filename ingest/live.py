"""Live sources: files that grow and topics, read as one stream with one watermark."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Protocol, Self

from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.follow import LogFollower
from ingest.formats.detection import Detection
from ingest.gaps import Gap
from ingest.logs import InputProblem
from ingest.partitions import Partition, Tally
from ingest.reader import least
from ingest.sources import FileSource, KafkaSource, Place, files_among
from ingest.topics import TopicFollower

#: How long to wait before polling again when there was nothing new.
INTERVAL: Final = timedelta(milliseconds=100)

Positions = dict[str, dict[str, Any]]


class LiveSource(Protocol):
    """What can be followed. `poll` and `tick` never wait, and never raise for what is read."""

    def poll(self) -> list[Batch]:
        """Return what is new, a batch a partition at most."""
        ...

    def tick(self, now: int | None = None) -> list[Batch]:
        """Let time pass for idle partitions; `now` in microseconds since 1970."""
        ...

    def positions(self) -> Positions:
        """Return where each partition stands after the batches returned so far; plain JSON."""
        ...

    def take_gaps(self) -> list[Gap]:
        """Return the gaps that are new or changed since the last call: to be stored."""
        ...

    def commit(self) -> None:
        """Tell others how far what was stored has come, where the source has a place for it."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    @property
    def has_partitions(self) -> bool:
        """Whether there is, or was before a restart, anything to read."""
        ...

    @property
    def watermark(self) -> int | None:
        """Event time (us) up to which all partitions are complete; None while one has not begun."""
        ...

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong at present."""
        ...

    @property
    def lag(self) -> Mapping[str, int]:
        """Records, or bytes of a file, that wait to be read, by partition."""
        ...

    @property
    def late(self) -> int:
        """Events whose effective time is later than their timestamp."""
        ...

    @property
    def detections(self) -> Mapping[str, Detection]:
        """The format of each partition that was begun."""
        ...


class LiveSources:
    """Some sources followed together: every batch carries the watermark over all of them.

    A source without any partition, such as a topic that nobody has created, holds nothing back.
    `tally` counts the lines of them all.
    """

    def __init__(
        self, files: Sequence[LiveSource], topics: Sequence[LiveSource], tally: Tally
    ) -> None:
        self.tally = tally
        self._files = tuple(files)
        self._topics = tuple(topics)
        self._sources = self._files + self._topics

    @classmethod
    def open(
        cls,
        sources: Sequence[FileSource | KafkaSource],
        enrichment: Enrichment,
        *,
        start: Place,
        positions: Mapping[str, Positions] | None = None,
        again: bool = False,
    ) -> Self:
        """Follow the sources from stored positions; logs without one begin at `start`.

        `positions` is what `positions()` returned. Partitions of topics without one begin where
        their source says; with `again` at their beginning, as some may have been read before and
        the place is lost. Raises ValueError if a source names standard input.
        """
        tally = Tally.under(enrichment)
        known = positions or {}
        files = files_among(sources)
        logs = [
            LogFollower(
                files,
                tally=tally,
                enrichment=enrichment,
                start=start,
                positions=known.get("files"),
            )
        ]
        topics = [
            _topics(
                source.model_copy(update={"start": "beginning"}) if again else source,
                tally,
                enrichment,
                known.get("topics"),
                alone=len(sources) == 1,
            )
            for source in sources
            if isinstance(source, KafkaSource)
        ]
        return cls(logs if files else [], topics, tally)

    def poll(self) -> list[Batch]:
        """Return what is new in all sources; call again at once if there was anything."""
        return list(self._marked(lambda source: source.poll()))

    def tick(self, now: int | None = None) -> list[Batch]:
        """Let time pass for idle partitions."""
        return list(self._marked(lambda source: source.tick(now)))

    def positions(self) -> dict[str, Positions]:
        """Return where every partition stands, by kind of source; plain JSON."""
        return {"files": _joined(self._files), "topics": _joined(self._topics)}

    def take_gaps(self) -> list[Gap]:
        """Return the gaps that are new or changed since the last call.

        To be stored with the positions, like what was set aside.
        """
        return [gap for source in self._sources for gap in source.take_gaps()]

    def commit(self) -> None:
        """Tell lag tools how far what was stored has come."""
        for source in self._sources:
            source.commit()

    def close(self) -> None:
        """Let go of files and connections."""
        for source in self._sources:
            source.close()

    @property
    def watermark(self) -> int | None:
        """Event time up to which all sources are complete, None while one has not begun."""
        return least([source.watermark for source in self._sources if source.has_partitions])

    @property
    def problems(self) -> list[InputProblem]:
        """What is wrong at present."""
        return [problem for source in self._sources for problem in source.problems]

    @property
    def lag(self) -> dict[str, int]:
        """Records of topics that wait to be read, by partition."""
        return {name: left for source in self._topics for name, left in source.lag.items()}

    @property
    def unread(self) -> dict[str, int]:
        """Bytes of logs that wait to be read, by partition."""
        return {name: left for source in self._files for name, left in source.lag.items()}

    @property
    def late(self) -> int:
        """Events whose effective time is later than their timestamp."""
        return sum(source.late for source in self._sources)

    @property
    def detections(self) -> dict[str, Detection]:
        """The format of each partition that was begun."""
        return {
            name: found for source in self._sources for name, found in source.detections.items()
        }

    def _marked(self, read: Callable[[LiveSource], list[Batch]]) -> Iterator[Batch]:
        for source in self._sources:
            for batch in read(source):
                yield replace(batch, watermark=self._least(source, batch.watermark))

    def _least(self, source: LiveSource, mark: int | None) -> int | None:
        """Return the least watermark; that of a batch's own source is as of that batch."""
        others = [entry for entry in self._sources if entry is not source and entry.has_partitions]
        return least([mark, *(other.watermark for other in others)])


def by_kind(positions: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored positions with the keys files, topics and enrichment.

    Before topics could be read, all positions were of files.
    """
    known = positions if "files" in positions else {"files": positions}
    return {"files": {}, "topics": {}, "enrichment": {}, **known}


def _joined(sources: Sequence[LiveSource]) -> Positions:
    return {name: place for source in sources for name, place in source.positions().items()}


def _topics(
    source: KafkaSource,
    tally: Tally,
    enrichment: Enrichment,
    positions: Positions | None,
    *,
    alone: bool,
) -> TopicFollower:
    def partition(name: str) -> Partition:
        return Partition(name, source, tally, enrichment)

    return TopicFollower(
        source,
        tally=tally,
        make_partition=partition,
        positions=positions,
        hold_back=None if alone else source.hold_back,  # alone, it holds nobody back
    )
