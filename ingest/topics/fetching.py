"""Surveys the cluster, fetches what is new into buffers, and begins anew after a failure.

All of it happens in `step`, which one thread calls again and again; the follower reads the public
attributes from another.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ingest.gaps import Gap
from ingest.logs import InputProblem
from ingest.sources import KafkaSource
from ingest.topics.backoff import Backoff
from ingest.topics.buffers import Buffers, Start
from ingest.topics.client import (
    ClientError,
    Cluster,
    Connect,
    OutOfRangeError,
    Sealed,
    TopicClient,
    TopicPartition,
)
from ingest.topics.connection import servers
from ingest.topics.places import Place

#: New partitions, recreated topics and dead brokers are noticed within this time.
SURVEY_SECONDS: Final = 5.0

#: How long to wait for news at most; commits and new places wait as long.
WAIT_SECONDS: Final = 0.1

_RECREATED: Final = "the topic was deleted and created again, or is on another cluster"
_DELETED: Final = "records were deleted before they were read"
_CUT: Final = "the log is shorter than what was read of it"


@dataclass
class _Stream:
    """One partition: whose offsets these are, what to fetch next, and batches without room."""

    cluster: str | None
    topic_id: str | None
    next_offset: int
    backlog: deque[Sealed] = field(default_factory=deque)


class Fetching:
    """Keeps the buffers of one source filled.

    `stored` are the places where partitions stood before a restart, `absent` topics that were
    looked for and not there: they are read from their beginning once they are.
    """

    def __init__(
        self,
        source: KafkaSource,
        connect: Connect,
        buffers: Buffers,
        *,
        stored: Mapping[str, Place],
        absent: Collection[str] = (),
        wait: float = WAIT_SECONDS,
        monotonic: Callable[[], float],
        survey_seconds: float = SURVEY_SECONDS,
    ) -> None:
        self.buffers = buffers
        self.problems: dict[str, InputProblem] = {}
        self.ends: Mapping[TopicPartition, int] = {}
        self.absent = set(absent)
        self.stalled: set[TopicPartition] = set()
        self.connections = 0
        self.connected = False
        self._source = source
        self._connect = connect
        self._stored = dict(stored)
        self._wait = wait
        self._monotonic = monotonic
        self._survey_seconds = survey_seconds
        self._backoff = Backoff()
        self._client: TopicClient | None = None
        self._streams: dict[TopicPartition, _Stream] = {}
        self._assigned: set[TopicPartition] = set()
        self._survey_at = self._retry_at = monotonic()
        self._to_commit: Mapping[TopicPartition, int] = {}

    def step(self) -> float:
        """Do what is due; return how many seconds there is nothing to do."""
        now = self._monotonic()
        if self._client is None and now < self._retry_at:
            return self._retry_at - now
        try:
            if self._client is None:
                self._client = self._connect(self._source)
                self._assigned = set()
                self._survey_at = now
            if now >= self._survey_at:
                self._survey(self._client)
            self._commit(self._client)
            self._fetch(self._client)
        except ClientError as error:
            self.begin_anew(error)
            return 0.0
        if not self.connected:
            self.connected = True
            self.connections += 1
            self._backoff.reset()
            self.problems.pop("", None)
        return 0.0

    def begin_anew(self, error: ClientError) -> None:
        """Give the connection up; the next one is tried after a while."""
        self.close()
        where = f"Kafka at {servers(self._source)}"
        self.problems[""] = InputProblem(where, error.reason, error.advice)
        self._retry_at = self._monotonic() + self._backoff.seconds()

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Have the cluster told, soon, how far reading has come."""
        self._to_commit = dict(offsets)

    def close(self) -> None:
        """End the connection."""
        self.connected = False
        if self._client is not None:
            self._client.close()
            self._client = None

    def _survey(self, client: TopicClient) -> None:
        """See which topics and partitions there are, and place those that are new."""
        cluster = client.describe(self._source.topics)
        self._note(cluster)
        there = {
            TopicPartition(name, number): topic.id
            for name, topic in cluster.topics.items()
            for number in topic.partitions
        }
        unplaced = {
            partition: topic_id
            for partition, topic_id in there.items()
            if not self._is_placed(partition, cluster.id, topic_id)
        }
        if unplaced:
            self._place(client, cluster, unplaced)
        if set(there) != self._assigned or unplaced:
            self._assign(client, there)
        self.stalled = {
            at for at in self._streams if at not in there and self._returns(at, cluster)
        }
        self._survey_at = self._monotonic() + self._survey_seconds

    def _note(self, cluster: Cluster) -> None:
        for topic in self._source.topics:
            if topic in cluster.refused:
                self.problems[topic] = InputProblem(f"topic {topic}", *cluster.refused[topic])
            else:
                self.problems.pop(topic, None)
        known = {partition.topic for partition in self._streams} | self._stored_topics()
        self.absent = self.absent | (cluster.missing - known)

    def _is_placed(self, partition: TopicPartition, cluster: str | None, topic: str | None) -> bool:
        stream = self._streams.get(partition)
        if stream is None:
            return False
        place = Place(stream.cluster, stream.topic_id, stream.next_offset)
        return place.belongs_to(cluster, topic)

    def _returns(self, partition: TopicPartition, cluster: Cluster) -> bool:
        """Return whether a partition that cannot be read now is still there."""
        topic = cluster.topics.get(partition.topic)
        if topic is None:
            return partition.topic not in cluster.missing
        return topic.id == self._streams[partition].topic_id

    def _place(
        self,
        client: TopicClient,
        cluster: Cluster,
        unplaced: Mapping[TopicPartition, str | None],
    ) -> None:
        bounds = client.bounds(unplaced)
        known = {partition.topic for partition in self._streams}
        known |= self._stored_topics() | self.absent
        first = self._first_offsets(client, [at for at in unplaced if at.topic not in known])
        starts = []
        for partition, topic_id in unplaced.items():
            begin, end = bounds[partition]
            stream, stored = self._streams.get(partition), self._stored.pop(str(partition), None)
            offset, skip, gap = begin, 0, None
            if stream is not None:
                gap = Gap(str(partition), stream.next_offset, _RECREATED, "records")
                self._flush(stream)
            elif stored is not None and not stored.belongs_to(cluster.id, topic_id):
                gap = Gap(str(partition), stored.offset, _RECREATED, "records")
            elif stored is not None and not begin <= stored.offset <= end:
                gap = _gap(partition, stored.offset, begin)
            elif stored is not None:
                offset, skip = stored.offset, stored.skip
            elif partition in first:
                found = first[partition]
                offset = end if found is None else max(begin, found)
            place = Place(cluster.id, topic_id, offset, skip)
            self._streams[partition] = _Stream(cluster.id, topic_id, offset)
            starts.append(Start(partition, place, gap))
        self.buffers.start(starts)
        self.ends = {**self.ends, **{at: end for at, (_, end) in bounds.items()}}

    def _first_offsets(
        self, client: TopicClient, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, int | None]:
        """Return where partitions begin that were never read; None means at their end."""
        start = self._source.start
        if start == "beginning" or not partitions:
            return {}
        if isinstance(start, datetime):
            return client.offsets_at(partitions, int(start.timestamp() * 1000))
        return dict.fromkeys(partitions)

    def _assign(self, client: TopicClient, there: Collection[TopicPartition]) -> None:
        client.assign({at: self._streams[at].next_offset for at in there})
        self._assigned = set(there)

    def _fetch(self, client: TopicClient) -> None:
        self._move()
        full = [at for at in self._assigned if not self._wants(at)]
        client.pause(full)
        try:
            found = client.fetch(self._wait)
        except OutOfRangeError as error:
            self._survey(client)
            self._skip_gap(client, error.partitions)
            return
        for sealed in found:
            stream = self._streams[sealed.partition]
            stream.backlog.append(sealed)
            stream.next_offset = sealed.next_offset
        self._move()
        ends = {**self.ends, **client.ends()}
        self.ends = {at: end for at, end in ends.items() if at in self._assigned}

    def _skip_gap(self, client: TopicClient, partitions: Collection[TopicPartition]) -> None:
        """Go on at the oldest record of partitions whose next one is not there."""
        bounds = client.bounds(partitions)
        starts = []
        for partition, (begin, end) in bounds.items():
            stream = self._streams[partition]
            if begin <= stream.next_offset <= end:
                continue
            self._flush(stream)
            gap = _gap(partition, stream.next_offset, begin)
            stream.next_offset = begin
            place = Place(stream.cluster, stream.topic_id, begin)
            starts.append(Start(partition, place, gap))
        self.buffers.start(starts)
        self._assign(client, self._assigned)

    def _wants(self, partition: TopicPartition) -> bool:
        return not self._streams[partition].backlog and self.buffers.has_room(partition)

    def _move(self) -> None:
        """Open batches while there is room for what they hold."""
        for partition, stream in self._streams.items():
            while stream.backlog and self.buffers.has_room(partition):
                self.buffers.put(stream.backlog.popleft().open())

    def _flush(self, stream: _Stream) -> None:
        while stream.backlog:
            self.buffers.put(stream.backlog.popleft().open())

    def _commit(self, client: TopicClient) -> None:
        offsets, self._to_commit = self._to_commit, {}
        if offsets:
            client.commit(offsets)
        failure = client.commit_failure
        if failure is None:
            self.problems.pop("commit", None)
            return
        self.problems["commit"] = InputProblem(
            f"group {self._source.group_id}",
            f"offsets are not committed: {failure}",
            "only lag tools miss them; grant READ on the group, or choose a group_id of its own",
        )

    def _stored_topics(self) -> set[str]:
        return {name.rpartition("-")[0] for name in self._stored}


def _gap(partition: TopicPartition, wanted: int, begin: int) -> Gap:
    if wanted < begin:
        return Gap(str(partition), wanted, _DELETED, "records", begin - wanted)
    return Gap(str(partition), wanted, _CUT, "records")
