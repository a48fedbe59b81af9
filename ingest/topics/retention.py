"""How long topics keep their records."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from ingest.sources import KafkaSource
from ingest.topics.client import ClientError
from ingest.topics.connection import connection_settings
from ingest.topics.diagnosis import why_unreachable

_KEY: Final = "retention.ms"
_ANSWER_MS: Final = 3_000


def retentions(source: KafkaSource, topics: Collection[str]) -> dict[str, timedelta | None]:
    """Ask the cluster how long topics keep records; None is for ever, or by size only.

    Raises ClientError, also if this user may not ask (DESCRIBE_CONFIGS), and OSError for
    certificates that cannot be loaded.
    """
    closed = why_unreachable(source)  # the library would leave connections behind
    if closed is not None:
        raise ClientError(*closed)
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    try:
        admin = KafkaAdminClient(
            **connection_settings(source),
            request_timeout_ms=_ANSWER_MS,
            bootstrap_timeout_ms=_ANSWER_MS,
        )
        try:
            answer = admin.describe_configs(asked, config_filter="all")
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        raise ClientError(
            f"how long topics keep records is not told: {type(error).__name__}",
            "grant DESCRIBE_CONFIGS on them to this user",
        ) from error
    found = {name: values for kinds in answer.values() for name, values in kinds.items()}
    return {name: _length(found[name]) for name in topics if _KEY in found.get(name, {})}


def _length(values: dict[str, dict[str, str]]) -> timedelta | None:
    milliseconds = int(values[_KEY]["value"])
    return None if milliseconds < 0 else timedelta(milliseconds=min(milliseconds, 10**15))
