"""Clusters of sources: reachable, their topics there, records kept long enough."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Final

from detectors.catalogue import UnknownDetectorError, UnknownPlaceholderError
from detectors.documents import RuleError
from ingest.durations import format_duration
from ingest.sources import KafkaSource
from ingest.topics.client import ClientError, Cluster, TopicClient, TopicPartition
from ingest.topics.connection import servers
from ingest.topics.follower import connect_to_kafka
from vedette.doctor.bounded import Broken, Done, together
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings
from vedette.rules import catalogue_of

SECONDS: Final = 4.5

#: Records from further ahead than this were written by another clock.
AHEAD: Final = timedelta(minutes=2)


def check_brokers(at: Surroundings) -> Iterator[Remark]:
    """Connect to each cluster as the service would, and ask about its topics."""
    if not at.clusters:
        yield skipped("no source reads topics")
        return
    jobs = [partial(_cluster, source) for source in at.clusters]
    for source, outcome in zip(at.clusters, together(jobs, SECONDS), strict=True):
        if isinstance(outcome, Done):
            yield from outcome.value
        elif isinstance(outcome, Broken):
            yield fail(f"{servers(source)}: looking at it breaks: {outcome.kind}", "report this")
        else:
            yield fail(
                f"{servers(source)}: no answer in {SECONDS:g} s",
                "check bootstrap_servers, security_protocol, and the firewall in between",
            )


def check_retention(at: Surroundings) -> Iterator[Remark]:
    """Ask how long topics keep records, against the longest window of the rules."""
    if not at.clusters:
        yield skipped("no source reads topics")
        return
    try:
        windows = [rule.window for rule in catalogue_of(at.settings).rules]
    except (RuleError, UnknownDetectorError, UnknownPlaceholderError, OSError):
        windows = []
    longest = max(windows, default=timedelta(0))
    jobs = [partial(_retention, source, longest) for source in at.clusters]
    for source, outcome in zip(at.clusters, together(jobs, SECONDS), strict=True):
        if isinstance(outcome, Done):
            yield from outcome.value
        else:
            yield skipped(f"{servers(source)}: not told how long topics keep records")


def check_topic_times(at: Surroundings) -> Iterator[Remark]:
    """Ask whether topics hold records whose time is still to come."""
    jobs = [partial(_ahead, source, at) for source in at.clusters]
    for source, outcome in zip(at.clusters, together(jobs, SECONDS), strict=True):
        if isinstance(outcome, Done):
            yield from outcome.value
        else:
            yield skipped(f"{servers(source)}: not asked for times (see brokers)")


def _cluster(source: KafkaSource) -> list[Remark]:
    try:
        with closing(connect_to_kafka(source)) as client:
            cluster = client.describe(source.topics)
            return [
                ok(f"{servers(source)}: answers{_as_whom(source)}"),
                *(_topic(client, cluster, name) for name in source.topics),
            ]
    except ClientError as error:
        return [fail(error.reason, error.advice)]


def _as_whom(source: KafkaSource) -> str:
    """Say how we present ourselves, without what is secret of it."""
    how = source.security_protocol
    if source.sasl_mechanism is not None:
        return f" to {source.username!r} ({how}, {source.sasl_mechanism})"
    return f" ({how}{', our certificate' if source.certificate_file else ''})"


def _topic(client: TopicClient, cluster: Cluster, name: str) -> Remark:
    if name in cluster.refused:
        reason, advice = cluster.refused[name]
        return fail(f"topic {name}: {reason}", advice)
    if name not in cluster.topics:
        return fail(f"topic {name}: there is no such topic", "create it, or correct topics")
    places = [TopicPartition(name, number) for number in cluster.topics[name].partitions]
    kept = sum(end - begin for begin, end in client.bounds(places).values())
    many = "1 partition" if len(places) == 1 else f"{len(places)} partitions"
    return ok(f"topic {name}: {many}, about {kept:,} records kept")


def _retention(source: KafkaSource, longest: timedelta) -> list[Remark]:
    from ingest.topics.retention import retentions

    try:
        found = retentions(source, source.topics)
    except ClientError as error:
        return [skipped(f"not known how long topics keep records: {error.reason}")]
    except OSError:
        return [skipped(f"{servers(source)}: certificates cannot be loaded (see brokers)")]
    return [kept(name, length, longest) for name, length in found.items()]


def kept(name: str, length: timedelta | None, longest: timedelta) -> Remark:
    """Say whether a topic keeps records as long as the longest window of a rule."""
    if length is None:
        return ok(f"topic {name}: keeps records for ever, or by size")
    seen = f"topic {name}: keeps records for {format_duration(length)}"
    if length < longest:
        return warn(
            f"{seen}; the longest window of a rule is {format_duration(longest)}",
            "raise retention.ms: after a damaged checkpoint so much is read again",
        )
    return ok(seen)


def _ahead(source: KafkaSource, at: Surroundings) -> list[Remark]:
    try:
        with closing(connect_to_kafka(source)) as client:
            topics = client.describe(source.topics).topics
            places = [TopicPartition(n, p) for n, t in topics.items() for p in t.partitions]
            later = client.offsets_at(places, int((at.now + AHEAD).timestamp() * 1000))
    except ClientError:
        return [skipped(f"{servers(source)}: not asked for times (see brokers)")]
    ahead = sorted(str(place) for place, offset in later.items() if offset is not None)
    if ahead:
        return [
            warn(
                f"{', '.join(ahead[:3])}: holds records from over"
                f" {format_duration(AHEAD)} in the future",
                "set the clocks of brokers, producers and this machine (NTP)",
            )
        ]
    return [ok(f"{servers(source)}: no record is from the future")] if places else []
