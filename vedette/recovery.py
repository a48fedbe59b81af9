"""Where a worker goes on: from its checkpoint, or, if that cannot be used, from further back.

What rules have counted is lost with a damaged checkpoint, or one of a version that nobody can
read; it is in the logs still. So input is read again from a mark of positions that is older than
the longest window, and all is counted anew. What ended by the stored watermark was found before:
it only makes stored incidents grow, and nobody is told again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from alerts.recovery.checkpoint import Checkpoint, CheckpointError
from alerts.recovery.marks import Mark
from alerts.storage.store import Store
from detectors.catalogue import Catalogue
from detectors.panes import Panes
from detectors.snapshot import Snapshot, SnapshotError
from ingest.gaps import Gap, Unit
from ingest.live import by_kind
from ingest.sources import Place
from ingest.times import iso

#: The key among the positions that says how far input is read again.
KNOWN_UNTIL: Final = "known_until"

#: No pane is longer: what ends in the last one before a watermark may not have been judged by it.
_LONGEST_PANE: Final = timedelta(minutes=1)

#: How long after the time up to which input is read again nothing can end before it any more.
_LEFT_BEHIND: Final = timedelta(hours=25)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_log: Final = structlog.get_logger("vedette.worker")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a worker goes on. Logs without a position begin at `start`.

    Without `snapshot` all is counted anew; findings that end before `known_until` were found
    before. `gaps` is what cannot be read again. With `again` places were lost: what has none was
    maybe read before.
    """

    positions: Mapping[str, Any]
    start: Place
    snapshot: Snapshot | None = None
    watermark: datetime | None = None
    known_until: datetime | None = None
    gaps: tuple[Gap, ...] = field(default=())
    again: bool = False

    @property
    def is_first(self) -> bool:
        """Whether no worker was here before."""
        return self.start == "end"


def origin_of(store: Store, catalogue: Catalogue) -> Origin:
    """Return where the last worker left off, and log what of it was lost."""
    checkpoint: Checkpoint | None = None
    try:
        checkpoint = store.load_checkpoint()
        if checkpoint is None:
            return Origin({}, "end")
        return _as_it_was(checkpoint)
    except (CheckpointError, SnapshotError) as error:
        origin = _further_back(store.marks(), checkpoint, longest_window(catalogue))
        _log.warning(
            "checkpoint damaged or not readable: reading again from further back",
            reason=str(error),
            since=_said(origin.watermark),
            known_until=_said(origin.known_until),
        )
        return origin


def longest_window(catalogue: Catalogue) -> timedelta:
    """Return how far back what is counted now can reach."""
    windows = (series.window for rule in catalogue.rules for series in rule.every_series())
    spans = [Panes.of(window).span for window in set(windows)]
    return max(spans, default=0) * _MICROSECOND


def _as_it_was(checkpoint: Checkpoint) -> Origin:
    known = checkpoint.positions.get(KNOWN_UNTIL)
    until = datetime.fromisoformat(known) if known else None
    if until is not None and checkpoint.watermark is not None:
        until = until if checkpoint.watermark <= until + _LEFT_BEHIND else None
    return Origin(
        by_kind(checkpoint.positions),
        "beginning",
        Snapshot.unpack(checkpoint.state, checkpoint.parts),
        checkpoint.watermark,
        until,
    )


def _further_back(marks: list[Mark], checkpoint: Checkpoint | None, longest: timedelta) -> Origin:
    watermark = checkpoint.watermark if checkpoint is not None else _newest(marks)
    positions = by_kind(checkpoint.positions if checkpoint is not None else {})
    known = positions.get(KNOWN_UNTIL)
    until = [datetime.fromisoformat(known)] if known else []
    if watermark is not None:
        until.append(watermark - _LONGEST_PANE)
    wanted = None if watermark is None else watermark - longest - _LONGEST_PANE
    mark = _mark_before(marks, wanted)
    gaps: tuple[Gap, ...] = ()
    if mark is None or not _reaches(mark, wanted):
        gaps = _gaps(positions, by_kind(mark.positions if mark else {}), wanted, mark)
    back = _counted_once(mark.positions if mark is not None else {}, positions)
    return Origin(
        {**by_kind(back), "enrichment": positions["enrichment"]},
        "beginning",
        None,
        mark.watermark if mark is not None else None,
        max(until, default=None),
        gaps,
        again=True,
    )


def _newest(marks: list[Mark]) -> datetime | None:
    return max((mark.watermark for mark in marks if mark.watermark is not None), default=None)


def _reaches(mark: Mark, wanted: datetime | None) -> bool:
    return mark.watermark is None or (wanted is not None and mark.watermark <= wanted)


def _mark_before(marks: list[Mark], wanted: datetime | None) -> Mark | None:
    """Return the newest mark that is old enough, else the oldest there is."""
    fitting = [mark for mark in marks if _reaches(mark, wanted)]
    return fitting[-1] if fitting else next(iter(marks), None)


def _counted_once(
    back: Mapping[str, Any], positions: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return places with how far of each what was set aside is counted already."""
    return {
        kind: {name: _with_seen(place, positions[kind].get(name)) for name, place in places.items()}
        for kind, places in back.items()
    }


def _with_seen(place: dict[str, Any], later: Mapping[str, Any] | None) -> dict[str, Any]:
    seen = None if later is None else later.get("seen")
    return place if seen is None else {**place, "seen": seen}


def _gaps(
    positions: Mapping[str, Any],
    back: Mapping[str, Any],
    wanted: datetime | None,
    mark: Mark | None,
) -> tuple[Gap, ...]:
    """Say of each partition that what was counted in it before cannot be counted again."""
    until = mark.watermark if mark is not None else None
    names: dict[str, Unit] = dict.fromkeys((*positions["files"], *back["files"]), "bytes")
    topics = {**back["topics"], **positions["topics"]}
    names |= dict.fromkeys((name for name, place in topics.items() if place), "records")
    return tuple(
        Gap(
            name,
            0,
            "detector state was lost, and what it had counted cannot all be read again",
            unit,
            None,
            _micros(wanted),
            _micros(until),
        )
        for name, unit in names.items()
    )


def _micros(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // _MICROSECOND


def _said(time: datetime | None) -> str:
    return "the beginning" if time is None else iso(time)
