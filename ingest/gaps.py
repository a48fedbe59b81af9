"""Gaps: input that was not read and can no longer be, and the event times around it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import polars as pl

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: What the number of lost things counts: records of a topic, bytes of a log.
Unit = Literal["records", "bytes"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Input of one partition that is missing, or may be, from `since` to `until`.

    `position` is where it lies: the first offset of a topic that was not read, or the byte of a
    log behind the last that was. `lost` is how much it was, in `unit`, None if nobody knows: then
    it may even be nothing. Times are in microseconds since 1970: `since` is the newest event time
    before, `until` the time of the first event after, None if there is none (yet).
    """

    partition: str
    position: int
    reason: str
    unit: Unit
    lost: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def key(self) -> str:
        """What tells this gap from others, also after a restart; SHA-256 as hexadecimal."""
        parts = (self.partition, str(self.position), self.reason, str(self.since))
        digest = hashlib.sha256()
        for part in parts:
            data = part.encode(errors="surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        return digest.hexdigest()

    def __str__(self) -> str:
        return f"{self.reason}: {self._what()}; {self.blind}"

    @property
    def blind(self) -> str:
        """From when to when nothing was seen, in words."""
        return f"blind from {_written(self.since)} to {_written(self.until)}"

    def state(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "position": self.position,
            "reason": self.reason,
            "unit": self.unit,
            "lost": self.lost,
            "since": self.since,
            "until": self.until,
        }

    @classmethod
    def stored(cls, partition: str, state: Mapping[str, Any]) -> "Gap":
        """Take up what `state` returned, also that of versions that knew gaps of topics only.

        Raises TypeError or KeyError if it is not that.
        """
        if "why" in state:
            end, first = state["end"], state["first"]
            lost = None if end is None else end - first
            return cls(
                partition, first, state["why"], "records", lost, state["since"], state["until"]
            )
        return cls(partition, **state)

    def _what(self) -> str:
        if self.unit == "records":
            last = "?" if self.lost is None else self.position + self.lost - 1
            return f"offsets {self.position} to {last} were not read"
        if self.lost is None:
            return "lines may be missing"
        return f"{self.lost:,} bytes were not read"


class Gaps:
    """The gaps of one partition: of each reason the last, and what changed since it was taken.

    A gap is open until an event comes that lies behind it. One that begins while another of the
    same reason is open grows that one.
    """

    def __init__(self, partition: str, unit: Unit) -> None:
        self._partition = partition
        self._unit: Unit = unit
        self._last: dict[str, Gap] = {}
        self._open: dict[str, int] = {}
        self._changed: dict[str, Gap] = {}

    def add(
        self,
        position: int,
        reason: str,
        *,
        since: int | None,
        lost: int | None = None,
        goes_on: int | None = None,
    ) -> None:
        """Note a gap; events from position `goes_on` (that of the gap, if None) end it."""
        known = self._last.get(reason) if reason in self._open else None
        if known is None:
            gap = Gap(self._partition, position, reason, self._unit, lost, since)
        else:
            both = None if known.lost is None or lost is None else known.lost + lost
            gap = replace(known, lost=both)
        self._open[reason] = position if goes_on is None else goes_on
        self._keep(gap)

    def passed(self, events: pl.DataFrame) -> None:
        """Take note of further events (columns timestamp, position), in order of positions."""
        if not self._open or events.is_empty():
            return
        for reason, goes_on in list(self._open.items()):
            behind = events.filter(pl.col("position") >= goes_on)
            if behind.height:
                until = int(behind["timestamp"].to_physical()[0])
                del self._open[reason]
                self._keep(replace(self._last[reason], until=until))

    def take(self) -> list[Gap]:
        """Return the gaps that are new or changed since the last call; each is whole."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    @property
    def last(self) -> list[Gap]:
        """The last gap of each reason."""
        return list(self._last.values())

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON; nothing if there never was a gap."""
        if not self._last:
            return {}
        last = [
            {**gap.state(), "goes_on": self._open.get(reason)} for reason, gap in self._last.items()
        ]
        return {"gaps": last}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a partition's stored state; what was stored with it did not change."""
        entries = [dict(entry) for entry in state.get("gaps", ())]
        if "gap" in state:  # of versions that knew gaps of topics only
            entries = [{**state["gap"], "goes_on": 0 if state["gap"]["until"] is None else None}]
        for entry in entries:
            goes_on = entry.pop("goes_on")
            gap = Gap.stored(self._partition, entry)
            self._last[gap.reason] = gap
            if goes_on is not None:
                self._open[gap.reason] = int(goes_on)

    def _keep(self, gap: Gap) -> None:
        self._last[gap.reason] = gap
        self._changed[gap.key] = gap


def _written(time: int | None) -> str:
    if time is None:
        return "?"
    return f"{_EPOCH + timedelta(microseconds=time):%Y-%m-%d %H:%M:%S}"
