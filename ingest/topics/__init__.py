"""Kafka topics as a source: records into batches of events, each line once, over restarts.

connection    a source's settings -> keyword arguments of kafka-python; the only place of secrets
client        what is asked of a cluster (`TopicClient`), and what its answers look like
kafka_client  that, by kafka-python; knows the library's inside so that nobody else has to
memory        that, in memory: the twin for tests and demonstrations
unpacking     compressed batches into bytes, never into more than a bound
blocks        batches as they were sent into blocks of values, unreadable ones put aside
places        where reading stands and goes on; gaps
buffers       blocks that wait, within bounds, between the fetching thread and the reader
fetching      surveys the cluster, fetches, and begins anew after a failure
followed      a partition: its blocks into timed events, and where reading stands
again         records by their offsets, for replay
follower      TopicFollower: all partitions of a source, read fairly
backoff       waits between attempts to connect
diagnosis     why no broker answers
retention     how long topics keep records
library_batches  batches taken from kafka-python's fetcher
"""

from ingest.topics.follower import TopicFollower

__all__ = ["TopicFollower"]
