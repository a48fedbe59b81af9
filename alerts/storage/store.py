"""Findings into incidents, timeline, outbox and checkpoint: the order is stated here only.

1. What is stored is worked out: findings are made safe, detector state is packed (by the caller).
2. The parts of detector state that are not in the database yet are written, and those that no
   manifest names any more are deleted, in short transactions: nothing asks for them yet, or any
   more (`alerts.recovery.parts`).
3. One transaction. It begins with the lease: another epoch than ours, and nothing is written
   (`alerts.recovery.lease`, through the engine). Then: leave out what was pruned or erased; read
   what is near; write incidents, findings, evidence; close what joined; mark what is calm; roll up
   what is part of an attack by many; write timeline, outbox, quarantine, gaps, endpoints and
   traffic; the checkpoint last: the state's manifest, input positions and ticks, and now and then a
   mark of these.
4. Once a day of event time, a copy of what is learned, in a transaction of its own, after the
   checkpoint that has the same: it is needed only when no checkpoint can be used.
5. The caller tells others how far we are, such as Kafka: for lag tools only.

A crash anywhere leaves the checkpoint before, whose parts are all there. All values are absolute,
so recording the same findings again changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine

from alerts.database.opening import for_writing
from alerts.database.safety import safe_finding
from alerts.database.times import utc_now
from alerts.incidents.views import Transition
from alerts.quarantine.gaps import save_gaps
from alerts.quarantine.rows import save_groups
from alerts.recovery.baselines import Baseline, newest_baseline, save_baselines, stored_baselines
from alerts.recovery.baselines import Origin as BaselineOrigin
from alerts.recovery.checkpoint import Checkpoint, save_checkpoint, stored_checkpoint
from alerts.recovery.marks import Mark, save_mark, stored_marks
from alerts.recovery.parts import CheckpointParts
from alerts.routing.routes import Routing
from alerts.storage.nearby import Entity, load_nearby
from alerts.storage.outbox import enqueue, revive
from alerts.storage.parents import roll_up
from alerts.storage.plan import Plan, plan_entity
from alerts.storage.telling import told
from alerts.storage.tombstones import Tombstones
from alerts.storage.writing import apply_plans, calm_down, transitions_of
from alerts.traffic.counts import save_traffic
from alerts.traffic.endpoints import save_endpoints
from detectors.findings import Finding
from detectors.learned.inventory import EndpointDay
from detectors.traffic import TrafficSlot, TrafficTop
from ingest.gaps import Gap
from ingest.quarantine import QuarantineGroup

#: Incidents whose last event is older than this before the watermark are stored, not sent.
NOTIFY_MAX_AGE: Final = timedelta(hours=1)


class Store:
    """The only writer of findings and incidents."""

    def __init__(
        self,
        engine: Engine,
        *,
        notify_max_age: timedelta = NOTIFY_MAX_AGE,
        tombstones: Tombstones | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """With `tombstones`, what was pruned or erased is not stored again."""
        self._tombstones = tombstones
        self._engine = for_writing(engine)
        self._parts = CheckpointParts(self._engine)
        self._notify_max_age = notify_max_age
        self._now = now

    def record(
        self,
        findings: Sequence[Finding],
        *,
        watermark: datetime | None,
        checkpoint: Checkpoint | None = None,
        routing: Routing | None = None,
        quarantine: Sequence[QuarantineGroup] = (),
        gaps: Sequence[Gap] = (),
        endpoints: Sequence[EndpointDay] = (),
        traffic: Sequence[TrafficSlot | TrafficTop] = (),
        known_until: datetime | None = None,
    ) -> list[Transition]:
        """Store findings (or runs of them), and the checkpoint if given; return what changed.

        Of many incidents that are calm at the watermark only some are resolved, so that nobody
        waits for long, and the others in the next call; without one, call `calm_down`.

        Neither the order of findings nor how they are cut into calls changes the incidents.
        Incidents calm for 15 min before `watermark` are resolved; None leaves them open. For
        each transition a notification to each target that `routing` names is stored, unless it
        is there already or too old. Monitored incidents are stored without transitions, and so
        are those that are part of an incident about many clients. `quarantine` is what was put
        aside up to the checkpoint: give it with that, and counts agree after a crash; likewise
        `gaps`, what was missing up to it, and `endpoints` and `traffic`, what was counted of them
        up to it.
        With `known_until` input is read again up to there, with less known of what came before:
        what ended by then makes no incident and is not told, it only makes those grow that are
        stored already.
        The clock gives only the creation times of notifications, and when quarantine was seen.
        """
        safe = [safe_finding(finding) for finding in findings]
        if checkpoint is not None:
            self._parts.prepare(checkpoint.parts, checkpoint.named)
        with self._engine.begin() as connection:
            if self._tombstones is not None:
                safe = self._tombstones.unburied(connection, safe)
            runs = _by_entity(safe)
            plans = _plans(connection, runs)
            placed = apply_plans(
                connection, [p for p in plans if p.elder or _is_new(p, known_until)]
            )
            transitions = transitions_of(
                (number, plan) for number, plan in placed if _is_new(plan, known_until)
            )
            if watermark is not None:
                calm, _ = calm_down(connection, watermark)
                transitions += calm
            moves = roll_up(connection, placed)
            transitions = told(connection, transitions, moves)
            recent = list(self._recent(transitions, watermark))
            if routing is not None:
                enqueue(connection, recent, routing, self._now())
            detached = {move.id for move in moves if move.now is None}
            if detached:
                again = [t for t in recent if t.incident_id in detached]
                revive(connection, again, self._now())
            if quarantine:
                save_groups(connection, quarantine, self._now())
            if gaps:
                save_gaps(connection, gaps, self._now())
            save_endpoints(connection, endpoints)
            save_traffic(connection, traffic)
            if checkpoint is not None:
                save_checkpoint(connection, checkpoint)
                save_mark(connection, Mark(checkpoint.watermark, _places(checkpoint.positions)))
        if checkpoint is not None:
            self._parts.settled(checkpoint.named)
        return transitions

    def calm_down(self, watermark: datetime, *, routing: Routing | None = None) -> list[Transition]:
        """Resolve all that is calm at the watermark; return what is to be told, and tell targets.

        For who records no more: `record` resolves some of many, and the rest with its next call.
        Each transaction is as short as that of `record`.
        """
        transitions: list[Transition] = []
        more = True
        while more:
            with self._engine.begin() as connection:
                calm, more = calm_down(connection, watermark)
                news = told(connection, calm, ())
                if routing is not None:
                    recent = list(self._recent(news, watermark))
                    enqueue(connection, recent, routing, self._now())
            transitions += news
        return transitions

    def load_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint, None if there is none; raises CheckpointError."""
        with self._engine.connect() as connection:
            return stored_checkpoint(connection)

    def keep_baselines(
        self, states: Mapping[str, bytes], origin: BaselineOrigin, watermark: datetime | None
    ) -> None:
        """Keep a copy of what each family of detectors has learned, and of old ones a few."""
        with self._engine.begin() as connection:
            save_baselines(connection, states, origin, watermark, self._now())

    def baselines(self, family: str) -> list[Baseline]:
        """Return the copies of what a family has learned, the newest first."""
        return list(stored_baselines(self._engine, family))

    def newest_baseline(self) -> int:
        """Return the number of the newest copy of any family, 0 if there is none."""
        return newest_baseline(self._engine)

    def marks(self) -> list[Mark]:
        """Return where the worker was in the last day, oldest first."""
        return stored_marks(self._engine)

    def _recent(
        self, transitions: Iterable[Transition], watermark: datetime | None
    ) -> Iterator[Transition]:
        for transition in transitions:
            last_at = transition.incident.last_at
            if watermark is None or last_at >= watermark - self._notify_max_age:
                yield transition


def _is_new(plan: Plan, known_until: datetime | None) -> bool:
    return known_until is None or plan.content.last_at >= known_until


def _places(positions: Mapping[str, Any]) -> dict[str, Any]:
    """Return where reading stands; what was learned meanwhile is only taken up as it is now."""
    return {kind: places for kind, places in positions.items() if kind in {"files", "topics"}}


def _by_entity(findings: Iterable[Finding]) -> dict[Entity, list[Finding]]:
    runs: dict[Entity, list[Finding]] = defaultdict(list)
    for finding in findings:
        runs[finding.entity_type, finding.entity].append(finding)
    return runs


def _plans(connection: Connection, runs: dict[Entity, list[Finding]]) -> Iterator[Plan]:
    nearby = load_nearby(connection, runs)
    for entity in sorted(runs):
        yield from plan_entity(nearby.get(entity, ()), runs[entity])
