"""Places: where reading of a partition stands; gaps: what was lost before it was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: at `offset`, without the first `skip` events of the record there.

    Ids of cluster and topic say whose offset it is.
    """

    cluster: str | None
    topic_id: str | None
    offset: int
    skip: int = 0

    @classmethod
    def stored(cls, state: Mapping[str, Any]) -> "Place":
        """Take up what `state` returned; raises KeyError if it is not that."""
        return cls(state["cluster"], state["topic_id"], int(state["offset"]), int(state["skip"]))

    def state(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "cluster": self.cluster,
            "topic_id": self.topic_id,
            "offset": self.offset,
            "skip": self.skip,
        }

    def belongs_to(self, cluster: str | None, topic_id: str | None) -> bool:
        """Return whether it is a place in this topic; without an id that is believed."""
        same_cluster = None in {self.cluster, cluster} or self.cluster == cluster
        same_topic = None in {self.topic_id, topic_id} or self.topic_id == topic_id
        return same_cluster and same_topic


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of a partition that can no longer be read, and the event times around them.

    From offset `first` to before `end`, None if nobody knows; times in microseconds since 1970,
    `since` that of the last event before, `until` of the first one after, None if there is none.
    """

    partition: str
    first: int
    end: int | None
    why: str
    since: int | None = None
    until: int | None = None

    def __str__(self) -> str:
        last = "?" if self.end is None else self.end - 1
        return (
            f"{self.why}: offsets {self.first} to {last} were not read; "
            f"blind from {_written(self.since)} to {_written(self.until)}"
        )

    def state(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "first": self.first,
            "end": self.end,
            "why": self.why,
            "since": self.since,
            "until": self.until,
        }

    @classmethod
    def stored(cls, partition: str, state: Mapping[str, Any]) -> "Gap":
        """Take up what `state` returned; raises TypeError if it is not that."""
        return cls(partition, **state)


def _written(time: int | None) -> str:
    if time is None:
        return "?"
    return f"{_EPOCH + timedelta(microseconds=time):%Y-%m-%d %H:%M:%S}"
