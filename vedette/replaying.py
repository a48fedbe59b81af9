"""Quarantined lines read again; if wanted, through the detectors, as a scan of their own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from alerts.access.secret import server_secret
from alerts.database.times import utc_now
from alerts.quarantine.groups import QuarantineStore, StoredDetail
from alerts.recovery.checkpoint import Checkpoint, CheckpointError
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from detectors.findings import Finding, merge_runs
from ingest.events import Batch
from ingest.live import by_kind
from ingest.logs import find_logs
from ingest.records import Records
from ingest.replay import FileRecords, RecordsAt, RecordsGoneError, Replay
from ingest.sources import KafkaSource, Source, files_among
from vedette.folders import secret_file
from vedette.scan import at
from vedette.settings import Settings
from vedette.sources import enrichment_of, sources_for

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a group: `lines` were read, `unknown` were not, as their place is not kept.

    `problems` say which lines are gone. `changes` counts transitions of incidents, None if
    nothing was to be stored.
    """

    id: int
    lines: int
    events: int
    rest: dict[str, int]
    unknown: int
    problems: tuple[str, ...]
    changes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Replayer:
    """Reads groups of one database again, with the settings of today.

    With `stores`, events go through the detectors and incidents into the database, as absolute
    values: doing it again changes nothing. Incidents too far behind the event time that the
    service had come to are stored and nobody is told; where no service ran nobody is told at all.
    Raises the errors of settings and rules.
    """

    def __init__(
        self,
        settings: Settings,
        engine: "Engine",
        *,
        log_format: str = "auto",
        stores: bool = False,
        others: Sequence[RecordsAt] = (),
    ) -> None:
        self.groups = QuarantineStore(engine)
        self._settings = settings
        self._format = log_format
        self._stores = stores
        secret = server_secret(secret_file())
        self._store = Store(
            engine, notify_max_age=settings.notify.max_age, tombstones=Tombstones(secret)
        )
        self._checkpoint = self._load_checkpoint()
        positions = by_kind(self._checkpoint.positions if self._checkpoint else {})
        self._enrichment = enrichment_of(settings, secret)
        self._enrichment.restore(positions["enrichment"])
        self._places: tuple[RecordsAt, ...] = (FileRecords(positions["files"]), *others)

    def replay(self, detail: StoredDetail) -> Outcome:
        """Read a group again; raises RecordsGoneError if none of its lines is there."""
        group = detail.group
        replay = Replay(group.partition, self._source(group.partition), self._enrichment)
        problems: list[str] = []
        batches = replay.batches(self._records(detail, problems))
        changes = self._judge(replay, batches) if self._stores else None
        for _ in batches:
            pass
        rest = sum(replay.rest.values())
        self.groups.mark_replayed(group.id, utc_now(), events=replay.events, rest=rest)
        return Outcome(
            id=group.id,
            lines=replay.lines,
            events=replay.events,
            rest={str(reason): count for reason, count in replay.rest.items()},
            unknown=max(group.count - replay.lines, 0),
            problems=tuple(problems),
            changes=changes,
        )

    def _records(self, detail: StoredDetail, problems: list[str]) -> Iterator[Records]:
        partition = detail.group.partition
        place = next((place for place in self._places if place.has(partition)), None)
        if place is None:
            raise RecordsGoneError(f"{partition}: lines that came from there cannot be read again")
        found: list[Iterator[Records]] = []
        for span in sorted(detail.spans, key=lambda span: span.ranges):
            try:
                found.append(place.read(partition, span.ranges, span.samples))
            except RecordsGoneError as error:
                problems.append(str(error))
        if not found:
            raise RecordsGoneError("; ".join(dict.fromkeys(problems)) or "no place is known")
        return chain.from_iterable(found)

    def _judge(self, replay: Replay, batches: Iterable[Batch]) -> int:
        from detectors.kernel import RuleKernel
        from vedette.rules import catalogue_of

        kernel = RuleKernel(catalogue_of(self._settings), prompt=False)
        found: list[Finding] = []
        for batch in batches:
            found = merge_runs(found, kernel.process(batch.events, batch.watermark))
        found = merge_runs(found, kernel.finish())
        watermark = self._checkpoint.watermark if self._checkpoint else None
        routing = self._routing() if watermark is not None else None
        calm_at = watermark or at(replay.newest)
        changes = self._store.record(found, watermark=calm_at, routing=routing)
        if calm_at is not None:
            changes += self._store.calm_down(calm_at, routing=routing)
        return len(changes)

    def _source(self, partition: str) -> Source:
        """Return the source that reads the partition today, else what a scan would take."""
        for source in files_among(self._settings.sources):
            logs, _ = find_logs(source.paths)
            if any(log.name == partition for log in logs):
                given = {"format": self._format} if self._format != "auto" else {}
                return source.model_copy(update=given)
        for topics in self._settings.sources:
            if isinstance(topics, KafkaSource) and partition.rpartition("-")[0] in topics.topics:
                return topics
        return sources_for([partition], self._settings, self._format)[0]

    def _routing(self) -> Routing:
        from vedette.notifying import routing_of

        return routing_of(self._settings)

    def _load_checkpoint(self) -> Checkpoint | None:
        try:
            return self._store.load_checkpoint()
        except CheckpointError:  # its positions only help to find files that were rotated
            return None
