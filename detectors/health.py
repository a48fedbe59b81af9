"""Watches the sources themselves: silent ones, lines that nobody can read, times that are wrong,
lines that were never seen.

All is judged on a source's own time (`ingest.readings`), which never goes back: neither other
sources, nor how the stream was cut into batches, nor in which order the batches of several sources
come, changes a finding. Sources are not compared with each other: that one is far behind another
is as it should be for logs of different days, and while one catches up.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from detectors.detector import Detector, active, signature_of
from detectors.findings import Finding
from detectors.missed import missed_lines
from detectors.overrides import RuleOverride
from detectors.panes import Panes
from detectors.registry import (
    CLOCK_SKEW,
    HEALTH,
    MISSED_LINES,
    SOURCE_SILENT,
    UNPARSED_LINES,
)
from detectors.shares import FUTURE, LATE, UNREAD, Slots, violations
from detectors.silence import Silence, Span
from ingest.events import READING_SCHEMA
from ingest.gaps import Gap
from ingest.lines import Flags, Ints
from ingest.times import moment

VERSION: Final = 1

#: Sources watched at most. Beyond, new ones are not, unless others were quiet for a day.
SOURCE_CAP: Final = 10_000
STALE_US: Final = 86_400_000_000

_COLUMNS: Final = READING_SCHEMA.names()[2:]
_FIRST, _LAST, _EVENTS = range(3)

#: The columns of Slots that each detector of shares counts.
_BAD: Final = {UNPARSED_LINES.name: (UNREAD,), CLOCK_SKEW.name: (LATE, FUTURE)}
_PANES: Final = Panes.of(UNPARSED_LINES.window)

_Claims = Iterator[tuple[Detector, Span]]


class _Source:
    """The state of one source."""

    def __init__(self, slots: Slots, silence: Silence | None, last: int = 0) -> None:
        self.slots = slots
        self.silence = silence
        self.last = last


class SourceHealth:
    """The detectors `source_silent`, `unparsed_lines` and `clock_skew`, over readings.

    `missed_lines` is judged on gaps. Pure: no clock, no I/O. `overrides` are the settings of
    these; those of others are
    passed over. Raises DetectorSettingsError.
    """

    def __init__(
        self,
        overrides: Mapping[str, RuleOverride] | None = None,
        *,
        source_cap: int = SOURCE_CAP,
    ) -> None:
        self._active = active(HEALTH, overrides or {})
        self._cap = source_cap
        self._sources: dict[str, _Source] = {}
        self.signature = signature_of(self._active.values())
        self.fingerprint = self.signature
        self.unwatched = 0

    def judge(self, readings: pl.DataFrame) -> list[Finding]:
        """Take in the readings of a batch (READING_SCHEMA, any number of sources).

        Returns the runs that violate now; the same run may be returned again as it grows.
        """
        if readings.is_empty() or not self._active:
            return []
        found: list[Finding] = []
        for (name,), rows in readings.group_by("partition", maintain_order=True):
            source = self._source(str(name), int(rows["last"].max() or 0))  # type: ignore[arg-type]
            if source is not None:
                found += self._findings(str(name), self._judged(str(name), source, rows))
        return found

    def missed(self, gaps: Iterable[Gap]) -> list[Finding]:
        """Return the findings of `missed_lines` about gaps, new or changed ones."""
        detector = self._active.get(MISSED_LINES.name)
        return [] if detector is None else missed_lines(gaps, detector, self.fingerprint)

    @property
    def silent(self) -> tuple[str, ...]:
        """Sources that are silent now; may be asked by another thread."""
        known = tuple(self._sources.items())
        return tuple(name for name, source in known if source.silence and source.silence.lasts)

    def finish(self) -> list[Finding]:
        """Judge the slots that are open, and silences as they are: the input has ended."""
        found: list[Finding] = []
        for name, source in self._sources.items():
            found += self._findings(name, self._shares(name, source, source.last + 1))
            found += self._findings(
                name, self._told(source.silence.end() if source.silence else None)
            )
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain JSON, from which `restore` goes on as if nothing had been."""
        return {
            "version": VERSION,
            "silent_after": self._limit,
            "unwatched": self.unwatched,
            "sources": {
                name: {
                    "last": source.last,
                    "judged": source.slots.judged,
                    "slots": source.slots.rows.tolist(),
                    "silence": source.silence.state() if source.silence else None,
                }
                for name, source in self._sources.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> list[str]:
        """Take over what `snapshot` returned; returns the detectors that begin anew.

        These are all for the state of another version or of none, and `source_silent` if its
        limit changed.
        """
        if state.get("version") != VERSION:
            return list(self._active)
        same = state["silent_after"] == self._limit
        self.unwatched = state["unwatched"]
        for name, kept in state["sources"].items():
            silence = self._silence()
            if silence is not None and same:
                silence.restore(kept["silence"])
            slots = Slots.of(_PANES, kept["slots"], kept["judged"])
            self._sources[name] = _Source(slots, silence, kept["last"])
        return [] if same or self._limit is None else [SOURCE_SILENT.name]

    @property
    def _limit(self) -> int | None:
        silent = self._active.get(SOURCE_SILENT.name)
        return None if silent is None else silent.threshold

    def _silence(self) -> Silence | None:
        return None if self._limit is None else Silence(self._limit)

    def _source(self, name: str, last: int) -> _Source | None:
        """Return the state of a source, None if there are too many."""
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= self._cap and not self._forget(last - STALE_US):
                self.unwatched += 1
                return None
            source = self._sources[name] = _Source(Slots.of(_PANES), self._silence())
        source.last = max(source.last, last)
        return source

    def _forget(self, before: int) -> bool:
        """Let go of sources without lines or ticks since; return whether there was any."""
        stale = [name for name, source in self._sources.items() if source.last < before]
        for name in stale:
            del self._sources[name]
        return bool(stale)

    def _judged(self, name: str, source: _Source, readings: pl.DataFrame) -> _Claims:
        rows = readings.select(_COLUMNS).to_numpy()
        tick = readings["tick"].to_numpy()
        order = np.lexsort((~tick, rows[:, _FIRST]))
        rows, tick = rows[order], tick[order]
        if source.silence is not None:
            yield from self._silences(source.silence, rows, tick)
        if not tick.all():
            source.slots.add(rows[~tick])
        yield from self._shares(name, source, _PANES.start(source.last))

    def _silences(self, silence: Silence, rows: Ints, tick: Flags) -> _Claims:
        """Give lines and ticks to a source's silence, in their order."""
        begin = 0
        for end in [*np.flatnonzero(tick).tolist(), len(rows)]:
            if end > begin:
                lines = rows[begin:end]
                ended = silence.lines(lines[:, _FIRST], lines[:, _LAST], lines[:, _EVENTS])
                yield from self._told(ended)
            if end < len(rows):
                yield from self._told(silence.tick(int(rows[end, _FIRST])))
            begin = end + 1

    def _told(self, span: Span | None) -> _Claims:
        if span is not None:
            yield self._active[SOURCE_SILENT.name], span

    def _shares(self, name: str, source: _Source, until: int) -> _Claims:
        """Judge the slots that begin before a time."""
        due = source.slots.close(until)
        if due.any():
            for detector in (self._active[known] for known in _BAD if known in self._active):
                excepted = detector.excepted_until(name)
                columns = _BAD[detector.name]
                spans = violations(source.slots, due, columns, detector.threshold, excepted)
                yield from ((detector, span) for span in spans)
        source.slots.forget(until)

    def _findings(self, name: str, claims: Iterable[tuple[Detector, Span]]) -> list[Finding]:
        return [
            self._finding(detector, name, span)
            for detector, span in claims
            if span.last >= (detector.excepted_until(name) or 0)
        ]

    def _finding(self, detector: Detector, source: str, span: Span) -> Finding:
        return Finding(
            detector=detector.name,
            entity_type=detector.entity_type,
            entity=source,
            first=moment(span.first),
            last=moment(span.last),
            value=span.value,
            threshold=detector.threshold,
            unit=detector.unit,
            window=detector.window,
            level=detector.level,
            mode=detector.mode,
            tags=detector.tags,
            fingerprint=self.fingerprint,
        )
