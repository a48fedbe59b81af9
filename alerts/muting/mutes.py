"""Whether an incident may be told now: silences, maintenance and inhibition in one place.

One entry point for who sends:

    moment = muting.at(connection, now)      # reads silences and open sources once
    mute = moment.judge(incident)            # None: tell it; else wait until mute.until
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from alerts.database.models import IncidentRow, table_of
from alerts.incidents.views import IncidentView
from alerts.muting.inhibition import AGAIN_AFTER, OPEN, Inhibition, InhibitRule, level_of
from alerts.muting.maintenance import Maintenance
from alerts.muting.silences import Silence, active_silences
from alerts.storage.rows import stored_view
from detectors.findings import Level

#: Open incidents of one status that one round looks at: the most severe, then the last active.
SOURCE_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Mute:
    """Nobody is told until then, for this reason: "silence 3", "maintenance NAME", and so on."""

    reason: str
    until: datetime


class Moment:
    """What mutes incidents at one moment; good for a round of judging, not to be kept."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        silences: Sequence[Silence],
        maintenance: Maintenance,
        inhibition: Inhibition,
    ) -> None:
        self._connection = connection
        self._now = now
        self._silences = silences
        self._windows = maintenance.open_at(now)
        self._inhibition = inhibition
        self._sources: list[IncidentView] | None = None

    def judge(self, incident: IncidentView) -> Mute | None:
        """Return what mutes the incident longest, None if nothing does."""
        return max(self.mutes(incident), key=lambda mute: mute.until, default=None)

    def mutes(self, incident: IncidentView) -> Iterator[Mute]:
        """Give everything that mutes the incident: silences, then windows, then inhibition."""
        for silence in self._silences:
            if silence.matchers.matches(incident):
                yield Mute(silence.reason, silence.ends_at)
        for window, end in self._windows:
            if window.match.matches(incident):
                yield Mute(f"maintenance {window.name}", end)
        if not self._inhibition.concerns(incident):
            return
        inhibitor = self._inhibition.inhibitor(incident, self._open_sources())
        if inhibitor is not None:
            rule, source = inhibitor
            yield Mute(f"inhibited by incident {source.id} ({rule.name})", self._now + AGAIN_AFTER)

    def _open_sources(self) -> list[IncidentView]:
        if self._sources is None:
            self._sources = open_sources(self._connection, self._inhibition.rules)
        return self._sources


class Muting:
    """Silences (of the database), inhibition and maintenance (of the settings)."""

    def __init__(
        self,
        inhibition: Inhibition | None = None,
        maintenance: Maintenance | None = None,
    ) -> None:
        self.inhibition = inhibition or Inhibition()
        self.maintenance = maintenance or Maintenance()

    def at(self, connection: Connection, now: datetime) -> Moment:
        """Return what mutes incidents at a moment; use it for many incidents in one round."""
        silences = active_silences(connection, now)
        return Moment(connection, now, silences, self.maintenance, self.inhibition)

    def judge(self, connection: Connection, incident: IncidentView, now: datetime) -> Mute | None:
        """Return what mutes one incident now longest, None if nothing does."""
        return self.at(connection, now).judge(incident)


def open_sources(connection: Connection, rules: Sequence[InhibitRule]) -> list[IncidentView]:
    """Return open incidents that may mute others by these rules, the most severe first."""
    if not rules:
        return []
    found = open_incidents(connection, min(rule.source.least for rule in rules))
    sources = (view for view in found if any(rule.source.matches(view) for rule in rules))
    return sorted(sources, key=lambda view: (-level_of(view), view.id))


def open_incidents(connection: Connection, least: Level) -> list[IncidentView]:
    """Return incidents that are not over, of a level and above; at most SOURCE_LIMIT a status."""
    table = table_of(IncidentRow)
    found: list[IncidentView] = []
    for status in OPEN:
        query = (
            select(table)
            .where(
                table.c.status == status,
                table.c.mode == "alert",
                table.c.merged_into.is_(None),
                table.c.severity >= int(least),
            )
            .order_by(table.c.severity.desc(), table.c.last_at.desc(), table.c.id)
            .limit(SOURCE_LIMIT)
        )
        found += map(stored_view, connection.execute(query).mappings())
    return found
