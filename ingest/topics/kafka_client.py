"""A TopicClient by kafka-python 3.

The library's inside is used where it has no other way: batches are taken from its fetcher before
it makes objects of their records; cluster and topic ids are in no answer of its consumer; and its
consumer would have missing topics created.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import MetadataRequest

from ingest.sources import KafkaSource
from ingest.topics.client import (
    ClientError,
    Cluster,
    OutOfRangeError,
    Sealed,
    Topic,
    TopicPartition,
)
from ingest.topics.connection import connection_settings
from ingest.topics.diagnosis import why_silent, why_unreachable
from ingest.topics.library_batches import LibraryBatches

#: How long a question to the cluster may take, and finding it in the first place.
_ANSWER_MS: Final = 5_000
_BOOTSTRAP_MS: Final = 5_000

#: One fetch brings at most so much, packed; of one partition at most so much.
_FETCH_BYTES: Final = 8 << 20
_PARTITION_BYTES: Final = 2 << 20

#: A broker without news answers after so long; until then nothing else is asked of it.
_WAIT_MS: Final = 100

#: Batches taken at once.
_BATCHES: Final = 1_000

_UNKNOWN_TOPIC: Final = 3
_REFUSED: Final = {
    _UNKNOWN_TOPIC: (
        "there is no such topic",
        "create it, or correct topics; it is read as soon as it is there",
    ),
    17: ("this is not a name that a topic can have", "correct topics"),
    29: ("not allowed to read this topic", "grant READ and DESCRIBE on it to this user"),
}
_NO_LEADER: Final = -1
_LEADERLESS: Final = ("partitions have no leader", "see whether all brokers are up")


class KafkaClient:
    """One consumer without a group, and a second one for commits once there are any."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source
        self._consumers: list[KafkaConsumer] = []
        self._paused: set[TopicPartition] = set()
        self._committing: KafkaConsumer | None = None
        self._commit_failure: str | None = None
        with self._failing():
            self._settings = connection_settings(source)
            closed = why_unreachable(source)
            if closed is not None:
                raise ClientError(*closed)
            self._consumer = self._connect(
                auto_offset_reset="none",
                isolation_level="read_committed",
                fetch_max_wait_ms=_WAIT_MS,
                fetch_max_bytes=_FETCH_BYTES,
                max_partition_fetch_bytes=_PARTITION_BYTES,
                max_poll_records=_BATCHES,
                request_timeout_ms=_ANSWER_MS * 2,
            )
        self._consumer._fetcher.PartitionRecords = LibraryBatches  # noqa: SLF001 - see above

    def describe(self, topics: Collection[str]) -> Cluster:
        """Ask the cluster which topics there are now; creates none."""
        request = MetadataRequest(
            topics=[MetadataRequest.MetadataRequestTopic(name=topic) for topic in topics],
            allow_auto_topic_creation=False,
        )
        manager = self._consumer._manager  # noqa: SLF001 - see above

        async def answer() -> Any:  # noqa: ANN401 - the library has no types
            return await manager.wait_for(manager.send(request), _ANSWER_MS)

        with self._failing():
            response = manager.run(answer)
        return _cluster(response)

    def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Ask for each partition's oldest offset, and the one its next record will have."""
        asked = [KafkaPartition(*partition) for partition in partitions]
        with self._failing():
            try:
                begins = self._consumer.beginning_offsets(asked, _ANSWER_MS)
                ends = self._consumer.end_offsets(asked, _ANSWER_MS)
            except KeyError as error:
                raise ClientError(
                    f"the broker does not say where {error.args[0]} begins and ends",
                    "its own log may say more",
                ) from error
        return {TopicPartition(*at): (begins[at], ends[at]) for at in asked}

    def offsets_at(
        self, partitions: Collection[TopicPartition], time_ms: int
    ) -> Mapping[TopicPartition, int | None]:
        """Ask for the first offset with at least this time; None if there is none."""
        asked = {KafkaPartition(*partition): max(time_ms, 0) for partition in partitions}
        with self._failing():
            found = self._consumer.offsets_for_times(asked, _ANSWER_MS)
        return {
            TopicPartition(*at): None if hit is None else hit.offset for at, hit in found.items()
        }

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        partitions = {KafkaPartition(*partition): at for partition, at in offsets.items()}
        with self._failing():
            self._consumer.assign(list(partitions))
            for partition, offset in partitions.items():
                self._consumer.seek(partition, offset)
        self._paused &= set(offsets)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch from all assigned partitions but these."""
        wanted = set(partitions)
        if wanted == self._paused:
            return
        with self._failing():
            self._consumer.pause(*(KafkaPartition(*at) for at in wanted - self._paused))
            self._consumer.resume(*(KafkaPartition(*at) for at in self._paused - wanted))
        self._paused = wanted

    def fetch(self, seconds: float) -> list[Sealed]:
        """Return what has come, in order of offsets; wait at most so long for it."""
        self._unpark()
        try:
            with self._failing():
                found = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except OffsetOutOfRangeError as error:
            raise OutOfRangeError([TopicPartition(*at) for at in error.args[0]]) from error
        return [batch for batches in found.values() for batch in batches]

    def _unpark(self) -> None:
        """Let the library go on with partitions that were paused in the midst of a fetch.

        It looks for those only while it has nothing else in hand, and takes what it has read to
        its end for something.
        """
        fetcher = self._consumer._fetcher  # noqa: SLF001 - see the module
        if not fetcher._next_partition_records:  # noqa: SLF001
            fetcher._next_partition_records = None  # noqa: SLF001

    def ends(self) -> Mapping[TopicPartition, int]:
        """Return the offsets that next records will have, as last heard."""
        heard = {}
        for partition in self._consumer.assignment():
            end = self._consumer.highwater(partition)
            if end is not None:
                heard[TopicPartition(*partition)] = end
        return heard

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the cluster how far reading has come; does not wait for its answer."""
        told = {
            KafkaPartition(*partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        try:
            if self._committing is None:
                self._committing = self._connect(group_id=self._source.group_id)
            future = self._committing.commit_async(told, callback=self._committed)
        except (KafkaError, OSError) as error:
            self._commit_failure = type(error).__name__
        else:
            future.add_errback(self._not_committed)

    @property
    def commit_failure(self) -> str | None:
        """Why the last commit failed."""
        return self._commit_failure

    def close(self) -> None:
        """End the connections."""
        for consumer in self._consumers:
            try:
                consumer.close(autocommit=False, timeout_ms=1_000)
            except (KafkaError, OSError) as error:
                self._commit_failure = type(error).__name__
        self._consumers = []

    def _committed(self, _offsets: object, answer: object) -> None:
        if isinstance(answer, Exception):
            self._not_committed(answer)
        else:
            self._commit_failure = None

    def _not_committed(self, error: Exception) -> None:
        """Take note, unless the next commit, some seconds later, is likely to succeed."""
        if not getattr(error, "retriable", False):
            self._commit_failure = type(error).__name__

    def _connect(self, **settings: Any) -> KafkaConsumer:  # noqa: ANN401 - the library's
        made: list[KafkaNetClient] = []

        def make(**configs: Any) -> KafkaNetClient:  # noqa: ANN401 - the library's
            client = KafkaNetClient(**configs)
            client.cluster.config["allow_auto_create_topics"] = False
            made.append(client)
            return client

        try:
            consumer = KafkaConsumer(
                **self._settings,
                **settings,
                enable_auto_commit=False,
                metrics_enabled=False,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                kafka_client=make,
            )
        except (KafkaError, OSError) as error:
            refusals = [refusal for client in made for refusal in _refusals(client)]
            for client in made:  # else its thread goes on for ever
                client.close()
            if refusals:
                raise refusals[0] from error
            raise
        self._consumers.append(consumer)
        return consumer

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn the library's errors into one that says what to do; never shows a secret."""
        try:
            yield
        except OffsetOutOfRangeError:
            raise
        except (SaslAuthenticationFailedError, UnsupportedSaslMechanismError) as error:
            raise ClientError(
                f"the broker refuses the user {self._source.username!r} "
                f"({self._source.sasl_mechanism})",
                "check username, password and sasl_mechanism",
            ) from error
        except AuthorizationError as error:
            raise ClientError(
                f"not allowed: {type(error).__name__}",
                "grant READ and DESCRIBE on the topics to this user",
            ) from error
        except KafkaTimeoutError as error:
            raise ClientError(
                *(why_unreachable(self._source) or why_silent(self._source))
            ) from error
        except KafkaError as error:
            raise ClientError(
                f"{type(error).__name__}", "the broker's own log may say more"
            ) from error
        except OSError as error:
            raise ClientError(
                f"{error.strerror or type(error).__name__}: {error.filename or 'certificates'}",
                "check ca_file, certificate_file, key_file and key_password",
            ) from error


def _refusals(client: KafkaNetClient) -> list[KafkaError]:
    """Return why brokers let nobody in; the library tries on until it may not any longer."""
    manager = client._manager  # noqa: SLF001 - see above
    found = [manager.auth_failure(at.node_id) for at in client.cluster.bootstrap_brokers()]
    return [refusal for refusal in found if refusal is not None]


def _cluster(response: Any) -> Cluster:  # noqa: ANN401 - the library has no types
    topics, refused, missing = {}, {}, set()
    for topic in response.topics:
        if topic.error_code == _UNKNOWN_TOPIC:
            missing.add(topic.name)
        if topic.error_code in _REFUSED:
            refused[topic.name] = _REFUSED[topic.error_code]
            continue
        led = [entry.partition_index for entry in topic.partitions if entry.leader_id != _NO_LEADER]
        if len(led) < len(topic.partitions) or not led:
            refused[topic.name] = _LEADERLESS
        known = topic.topic_id is not None and topic.topic_id.int != 0
        topics[topic.name] = Topic(str(topic.topic_id) if known else None, tuple(sorted(led)))
    return Cluster(response.cluster_id, topics, refused, frozenset(missing))
