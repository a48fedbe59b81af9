"""Places: where reading of a partition stands, and whose offset that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
