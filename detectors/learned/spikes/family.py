"""The family of detectors: sums of batches in, findings about what is out of the ordinary out."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from detectors.detector import Detector, active
from detectors.findings import Finding
from detectors.learned.family import Learning
from detectors.learned.spikes.kinds import DETECTORS, KINDS, LEVELS, WATCHED, Watched
from detectors.learned.spikes.scores import DOWN, UP
from detectors.learned.spikes.seasons import DAY
from detectors.learned.spikes.settings import SpikesSettings
from detectors.learned.spikes.state import VERSION, frames, taken
from detectors.learned.spikes.sums import LENGTHS, MINUTE_US, SUM_SCHEMA, added, no_sums, sums_of
from detectors.learned.spikes.table import Table, Told
from detectors.learned.spikes.telling import finding
from detectors.learned.spikes.usual import expected
from detectors.overrides import RuleOverride
from ingest.times import moment

#: Services and routes that are watched, each; the rest are one.
SERVICE_CAP: Final = 200
ROUTE_CAP: Final = 2_000

#: The windows of each table, in panes: one, and as many as make 5 and 30 minutes.
_WINDOWS: Final = {"minutes": (1, 5, 30), "routes": (1, 6)}
_TYPES: Final = {"minutes": ("all", "service"), "routes": ("route",)}
_CALLED: Final = {"all": "all traffic", "service": "services", "route": "routes"}


class Spikes:
    """Counts that are far from what their week and their last hours lead one to expect.

    `overrides` are the settings of its detectors; those of others are passed over. Raises
    DetectorSettingsError.
    """

    name: Final = "spikes"

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        settings: SpikesSettings | None = None,
        *,
        service_cap: int = SERVICE_CAP,
        route_cap: int = ROUTE_CAP,
    ) -> None:
        self.detectors: Mapping[str, Detector] = active(DETECTORS, overrides or {})
        self.settings = settings or SpikesSettings()
        self._caps = {"minutes": service_cap, "routes": route_cap}
        self._watched = {
            (each.kind, each.side): self.detectors[each.detector.name]
            for each in WATCHED
            if each.detector.name in self.detectors
        }
        self._begin()

    def _begin(self) -> None:
        self._open: list[pl.DataFrame] = []
        self._tables = {name: self._table(name) for name in _TYPES}
        self._parts: dict[str, pl.DataFrame] = {}

    def _table(self, name: str) -> Table:
        least = np.zeros((2, KINDS))
        judged = np.zeros((2, KINDS), np.bool_)
        for (kind, side), detector in self._watched.items():
            least[side, kind], judged[side, kind] = detector.threshold, True
        return Table(
            _TYPES[name],
            length=LENGTHS[_TYPES[name][0]],
            windows=_WINDOWS[name],
            zone=ZoneInfo(self.settings.time_zone),
            learning=self.settings.learning_days * DAY,
            share=self.settings.false_alarms_per_day / LEVELS,
            cap=self._caps[name],
            least=(least[UP], least[DOWN]),
            judged=(judged[UP], judged[DOWN]),
        )

    @property
    def evicted(self) -> int:
        """How many services and routes were forgotten because there are too many."""
        return sum(table.evicted for table in self._tables.values())

    def aggregate(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the counts (SUM_SCHEMA) of a batch."""
        return sums_of(events)

    def judge(self, sums: pl.DataFrame, watermark: int | None) -> list[Finding]:
        """Add counts; close the panes that end before the watermark (us)."""
        if sums.height:
            self._open.append(sums)
        if watermark is None:
            return []
        return self._close({name: table.start(watermark) for name, table in self._tables.items()})

    def finish(self) -> list[Finding]:
        """Close all panes with events: the input has ended, and what follows it was not seen.

        The pane that it ends in may be cut short, so there it does not say that there was less.
        """
        newest = max((int(time) for each in self._open for time in each["pane"]), default=None)
        if newest is None:
            until = {name: table.next or 0 for name, table in self._tables.items()}
        else:
            end = newest + MINUTE_US
            until = {
                name: table.start(end - 1) + table.length for name, table in self._tables.items()
            }
        found = self._close(until, ending=True)
        for table in self._tables.values():
            table.ended = True
        return found

    def _close(self, until: Mapping[str, int], *, ending: bool = False) -> list[Finding]:
        """Judge and learn all panes that begin before a time, of each table."""
        if all(until[name] <= (table.next or -1) for name, table in self._tables.items()):
            return []
        waiting = added(self._open) if self._open else no_sums()
        late = pl.lit(value=False)
        found: list[Iterator[Finding]] = []
        for name, table in self._tables.items():
            ours = pl.col("type").is_in(table.types)
            due = waiting.filter(ours & (pl.col("pane") < until[name]))
            late |= ours & (pl.col("pane") >= until[name])
            told = table.close(due, until[name])
            last = until[name] - table.length if ending else None
            found.append(self._findings(told, table.length, last))
        result = list(chain.from_iterable(found))
        self._open = [waiting.filter(late)]
        return result

    def _findings(self, told: Iterator[Told], length: int, cut: int | None) -> Iterator[Finding]:
        for each in told:
            detector = self._watched[each.violation.kind, each.violation.side]
            if each.time == cut and each.violation.side == DOWN:
                continue
            if not self._excepted(detector, each):
                yield finding(each, detector, length)

    def _excepted(self, detector: Detector, told: Told) -> bool:
        """Whether the service of an entity is excepted; a route begins with that of its own."""
        kind, entity = told.entity
        service = entity.split(" ", 1)[0] if kind == "route" else entity
        return kind != "all" and detector.excepts(service, told.time)

    def expected(self, kind: str, entity: str) -> list[tuple[str, str]]:
        """Return detectors with what they expect of an entity, with the interval, in words."""
        found = [each for table in self._tables.values() for each in expected(table, kind, entity)]
        return [each for each in found if each[0] in self.detectors]

    def status(self) -> list[Learning]:
        """Say how far each detector has learned all traffic, services and routes, by days.

        `entity` is what they are; those that have learned for as many days are one row.
        """
        return [
            row
            for each in WATCHED
            if each.detector.name in self.detectors
            for table in self._tables.values()
            for row in self._learning(each, table)
        ]

    def _learning(self, watched: Watched, table: Table) -> Iterator[Learning]:
        days: dict[tuple[int, int], list[int]] = {}
        of_days = self.settings.learning_days
        for (kind, _), row in table.row_of.items():
            since = int(table.baselines.series.since[row, watched.kind])
            learned = min(((table.next or since) - since) // DAY, of_days)
            days.setdefault((table.types.index(kind), learned), []).append(since)
        for (kind_at, learned), begun in sorted(days.items()):
            yield Learning(
                detector=watched.detector.name,
                entity_type=watched.detector.entity_type,
                entity=_CALLED[table.types[kind_at]],
                since=moment(min(begun)),
                days=learned,
                of_days=of_days,
                series=len(begun),
            )

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Return the state: a frame for each hour of the week, and what changes all the time."""
        if len(self._open) != 1:
            self._open = [added(self._open) if self._open else no_sums()]
        parts = {"open": self._open[0]}
        for name, table in self._tables.items():
            parts |= frames(name, table, self._signature, self._parts)
        self._parts = parts
        return parts

    @property
    def _signature(self) -> str:
        told = (VERSION, self.settings.time_zone, self.settings.learning_days, _WINDOWS)
        return repr((told, self._caps))

    def restore(self, parts: Mapping[str, pl.DataFrame]) -> list[str]:
        """Take over a state; of another version, time zone or time of learning, all begin anew."""
        self._begin()
        if "open" not in parts or parts["open"].schema != SUM_SCHEMA:
            return list(self.detectors)
        for name, table in self._tables.items():
            if not taken(name, table, self._signature, parts):
                self._begin()
                return list(self.detectors)
        self._open = [parts["open"]]
        return []
