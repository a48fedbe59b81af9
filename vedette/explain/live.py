"""One entity at one time, by what the service has stored: checkpoint, incidents, silences."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from alerts.incidents.views import IncidentView
from alerts.lists.filters import IncidentFilter
from alerts.lists.queries import PAGE_LIMIT, get_incident, list_incidents
from alerts.muting.mutes import Muting
from alerts.recovery.checkpoint import Checkpoint, CheckpointError
from alerts.storage.store import Store
from detectors.detection import Detection
from detectors.findings import Finding
from detectors.learned.expecting import expectations
from detectors.probe import Probe
from detectors.snapshot import Snapshot, SnapshotError
from ingest.times import microseconds, moment
from vedette.baselines import stored_state
from vedette.explain.entities import Entity, EntityError, Explained, is_near

if TYPE_CHECKING:
    from sqlalchemy import Engine


def explain_stored(
    engine: "Engine",
    detection: Detection,
    muting: Muting,
    entity: Entity,
    time: datetime | None,
) -> Explained:
    """Return what a service's database tells of an entity at a time, by default as of now.

    `detection` is new, with the settings of the service. "Now" is the event time up to which the
    service has stored its state. Raises EntityError if it has stored none.
    """
    store = Store(engine)
    checkpoint, snapshot, damage = _stored(store)
    newest = checkpoint.watermark if checkpoint is not None else None
    when = time or newest
    if when is None:
        raise EntityError("the database has no state of the service yet: give --at, or a log")
    probe = Probe(detection.catalogue.rules, entity.kind, entity.name)
    unknown = [damage] if damage else []
    if snapshot is not None:
        anew = probe.restore(snapshot)
        if anew:
            unknown.append(f"counted under other settings, so not told: {', '.join(anew)}")
        unknown += _beyond(probe, snapshot, when, newest)
    state, remarks = stored_state(store, detection.learned)
    detection.learned.restore(state)
    incidents = _incidents(engine, entity)
    findings = [each for view in incidents for each in _findings(engine, view)]
    near = [each for each in findings if is_near(each, when)]
    mine = [each for each in near if (each.entity_type, each.entity) == (entity.kind, entity.name)]
    return Explained(
        entity=entity,
        time=when,
        requests=None,
        first=None,
        last=None,
        counters=tuple(probe.counters(microseconds(when))),
        left=(),
        expected=tuple(expectations(detection.learned, entity.kind, entity.name)),
        findings=tuple(mine),
        beside=tuple(each for each in near if entity.name in each.members),
        unknown=(
            *unknown,
            *remarks,
            "requests that exceptions left out were not counted: only a log tells how many",
        ),
        told=tuple(_told(engine, muting, incidents, when)),
    )


def _stored(store: Store) -> tuple[Checkpoint | None, Snapshot | None, str]:
    """Return the checkpoint, the state in it, and why there is none that can be used."""
    checkpoint = None
    try:
        checkpoint = store.load_checkpoint()
        if checkpoint is None:
            return None, None, "there is no checkpoint: nothing is known of what rules counted"
        return checkpoint, Snapshot.unpack(checkpoint.state, checkpoint.parts), ""
    except (CheckpointError, SnapshotError) as error:
        return checkpoint, None, f"the checkpoint cannot be used: {error}"


def _beyond(
    probe: Probe, snapshot: Snapshot, when: datetime, newest: datetime | None
) -> Iterator[str]:
    """Yield which windows the stored state does not have whole at that time."""
    if newest is not None and when > newest:
        yield f"the state is of {newest:%Y-%m-%d %H:%M:%S} UTC: what came later is not in it"
    time = microseconds(when)
    gone = [
        rule.name
        for rule in probe.rules
        if (window := snapshot.windows.get(int(rule.window.total_seconds() * 1e6))) is not None
        and rule.panes.start(time) < window.closed - rule.panes.length
    ]
    if gone:
        since = min(window.closed for window in snapshot.windows.values())
        yield (
            f"windows that ended before {moment(since):%Y-%m-%d %H:%M:%S} UTC are partly forgotten,"
            f" so these may have counted more than is told: {', '.join(gone)}; a log tells all"
        )


def _incidents(engine: "Engine", entity: Entity) -> Sequence[IncidentView]:
    wanted = IncidentFilter(
        entity_type=entity.kind, entity=entity.name, mode="any", include_members=True
    )
    return list_incidents(engine, wanted, limit=PAGE_LIMIT).items


def _findings(engine: "Engine", view: IncidentView) -> Sequence[Finding]:
    detail = get_incident(engine, view.id)
    return () if detail is None else detail.findings


def _told(
    engine: "Engine", muting: Muting, incidents: Sequence[IncidentView], when: datetime
) -> Iterator[str]:
    """Yield the incidents at that time, and what muted them then."""
    with engine.connect() as connection:
        moment_of = muting.at(connection, when)
        for view in incidents:
            if not view.started_at <= when <= view.last_at:
                continue
            yield f"incident {view.id} ({view.severity}, {view.status}): {view.summary}"
            if view.parent_id is not None:
                yield f"incident {view.id} is part of incident {view.parent_id}: nobody is told"
            for mute in moment_of.mutes(view):
                yield f"incident {view.id} is muted by {mute.reason} until {mute.until:%H:%M} UTC"
