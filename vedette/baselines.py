"""What is learned, beside the checkpoint: copies of several days, and what old logs taught.

The checkpoint has the newest state of all detectors. Beside it a copy of what is learned is kept
for each day of event time, for the days on which a checkpoint cannot be used: rules count anew what
they had counted, but weeks cannot be learned anew. `vedette learn` leaves a copy, too, which the
next worker takes up in place of the checkpoint's.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

import polars as pl

from alerts.recovery.baselines import Baseline
from alerts.recovery.checkpoint import CheckpointError
from alerts.storage.store import Store
from detectors.learned.families import Families, LearnedState
from detectors.snapshot import Snapshot, SnapshotError, pack_frames, unpack_frames
from vedette.recovery import Origin

#: The key among the positions that says up to which copy `vedette learn` is taken up.
TAKEN_UP: Final = "baselines"

_Parts = Mapping[str, pl.DataFrame]


class Baselines:
    """The copies in a store, as a worker that begins at an origin sees them.

    `taken_up` is the number of the newest copy that is known to it, `remarks` what is to be said
    of what it took up.
    """

    def __init__(self, store: Store, origin: Origin) -> None:
        self._store = store
        self._origin = origin
        known = origin.positions.get(TAKEN_UP)
        self.taken_up = known if isinstance(known, int) else 0
        self._day: date | None = None
        self.remarks: list[str] = []

    def take_up(self, learned: Families) -> LearnedState:
        """Return the state that each family begins with, and remark what of it was lost."""
        snapshot = self._origin.snapshot
        state: dict[str, _Parts] = {} if snapshot is None else dict(snapshot.learned)
        lost = {} if snapshot is None else snapshot.lost
        for name in learned.by_name:
            copies = self._store.baselines(name)
            # without a checkpoint that says so, a service that left a copy later has taken it up
            since = self.taken_up or max((c.id for c in copies if c.origin == "service"), default=0)
            taught = [c for c in copies if c.origin == "learn" and c.id > since]
            found = self._first_readable(taught[:1])
            if found is None and name not in state:
                found = self._first_readable(self._old_enough(copies))
                if name in lost or (snapshot is None and copies):
                    self._say_lost(name, lost.get(name), found)
            elif found is not None:
                self.remarks.append(f"{name}: takes up what vedette learn has learned")
            if found is not None:
                state[name] = found[1]
            days = [c.watermark.date() for c in copies if c.watermark and c.origin == "service"]
            self._day = max(days, default=self._day)
        self.taken_up = max(self.taken_up, self._store.newest_baseline())
        return state

    def keep(self, learned: Families, watermark: datetime | None) -> None:
        """Keep a copy of what is learned, if a day has passed since the last one."""
        if watermark is None or not learned.by_name or self._day == watermark.date():
            return
        packed = {name: pack_frames(parts) for name, parts in learned.snapshot().items()}
        self._store.keep_baselines(packed, "service", watermark)
        self._day = watermark.date()

    def _first_readable(self, copies: Iterable[Baseline]) -> tuple[Baseline, _Parts] | None:
        for copy in copies:
            try:
                return copy, unpack_frames(copy.readable_state())
            except SnapshotError as error:
                self.remarks.append(
                    f"{copy.family}: the copy {_of(copy)} cannot be used: {error}; an earlier one"
                    " is looked for"
                )
        return None

    def _say_lost(
        self, family: str, reason: str | None, found: tuple[Baseline, _Parts] | None
    ) -> None:
        lost = f"{family}: what was learned last is lost ({reason or 'with the checkpoint'})"
        ending = "learning anew" if found is None else f"going on from the copy {_of(found[0])}"
        self.remarks.append(f"{lost}; {ending}")

    def _old_enough(self, copies: Iterable[Baseline]) -> list[Baseline]:
        """Return copies by which nothing is learned twice that is read again; the newest first.

        If there are none, all: the oldest first.
        """
        every = list(copies)
        if self._origin.snapshot is not None or self._origin.watermark is None:
            return every
        start = self._origin.watermark
        return [c for c in every if c.watermark and c.watermark <= start] or every[::-1]


def stored_state(store: Store, learned: Families) -> tuple[LearnedState, list[str]]:
    """Return what a worker that began now would begin with, and what is to be said of it."""
    snapshot, lost = None, []
    positions: Mapping[str, object] = {}
    try:
        checkpoint = store.load_checkpoint()
        if checkpoint is not None:
            positions = checkpoint.positions
            snapshot = Snapshot.unpack(checkpoint.state, checkpoint.parts)
    except (CheckpointError, SnapshotError) as error:
        lost = [str(error)]
    copies = Baselines(store, Origin(positions, "end", snapshot))
    state = copies.take_up(learned)
    return state, [*lost, *copies.remarks]


def _of(copy: Baseline) -> str:
    return "of nothing" if copy.watermark is None else f"of {copy.watermark:%Y-%m-%d %H:%M} UTC"
