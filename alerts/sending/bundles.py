"""Which notifications go together in one message, and when. Pure: the time is given.

How messages are bundled is best effort: a restart forgets since when a group waits.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from alerts.incidents.views import IncidentView
from alerts.routing.matchers import values_of
from alerts.routing.routes import INCIDENT, Route
from alerts.routing.target import Target

#: The group of a message about all that is ready.
DIGEST: Final = "digest"

#: Characters of a group's key; of longer ones the end is a digest.
KEY_LIMIT: Final = 300

#: Groups of one target that are remembered while they wait.
_WAITING_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a group's earlier messages."""

    last_sent: datetime | None = None
    under_way_until: datetime | None = None


@dataclass(slots=True)
class Bundle:
    """Notifications of one group that are ready."""

    key: str
    rows: list[int] = field(default_factory=list)
    incidents: int = 0
    digest: bool = False

    def add(self, rows: Iterable[int]) -> None:
        """Add the notifications of one incident."""
        self.rows += rows
        self.incidents += 1


def group_key(route: Route, incident: IncidentView) -> str:
    """Return the name of an incident's group: the route, and what it groups by."""
    parts = [f"route={route.name}"]
    for name in route.group_by:
        values = (str(incident.id),) if name == INCIDENT else values_of(incident, name)
        parts.append(f"{name}={','.join(values)}")
    key = " ".join(parts)
    if len(key) <= KEY_LIMIT:
        return key
    digest = sha256(key.encode()).hexdigest()
    return f"{key[: KEY_LIMIT - len(digest) - 1]} {digest}"


class Waiting:
    """The groups of one target that wait for more, and until when."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}

    def ready_at(self, key: str, route: Route, first: datetime, past: Past | None) -> datetime:
        """Return when a group with a notification made at `first` is ready.

        A new group waits group_wait from its first notification; one that was told before
        waits until group_interval after its last message; none overtakes its own.
        """
        if past is not None and past.under_way_until is not None:
            return past.under_way_until
        if past is not None and past.last_sent is not None:
            return past.last_sent + route.group_interval
        ready = min(first + route.group_wait, self._until.get(key, first + route.group_wait))
        if route.group_wait and len(self._until) < _WAITING_LIMIT:
            self._until[key] = ready
        return ready

    def forget(self, keys: Iterable[str], now: datetime) -> None:
        """Forget groups whose message is on its way, and those that nothing is left of."""
        gone = set(keys)
        self._until = {
            key: until for key, until in self._until.items() if key not in gone and until > now
        }


class Pace:
    """How much one target may be sent: max_messages within `per`, attempts counting.

    After a digest the next message waits a fair share of `per`: what comes meanwhile goes
    together, and a storm does not use up at once what the target takes.
    """

    def __init__(self, target: Target, attempts: Sequence[datetime] = ()) -> None:
        self._per = target.per
        self._limit = max(1, target.max_messages)
        self._attempts = deque(attempts, maxlen=self._limit)
        self._not_before: datetime | None = None

    def left(self, now: datetime) -> int:
        """Return how many messages may go now."""
        if self._not_before is not None and now < self._not_before:
            return 0
        return self._limit - sum(at > now - self._per for at in self._attempts)

    def began(self, at: datetime, *, digest: bool = False) -> None:
        """Count an attempt."""
        self._attempts.append(at)
        if digest:
            self.pause(at + self._per / self._limit)

    def pause(self, until: datetime) -> None:
        """Send nothing until then: the receiver asked for it, or a storm is on."""
        self._not_before = max(until, self._not_before or until)


def bundles_of(ready: dict[str, Bundle], left: int) -> list[Bundle]:
    """Return the messages to send: one a group, or one digest if `left` is less than that."""
    if len(ready) <= left:
        return list(ready.values())
    digest = Bundle(DIGEST, digest=True)
    for bundle in ready.values():
        digest.rows += bundle.rows
        digest.incidents += bundle.incidents
    return [digest]
