"""Maintenance windows: hours known beforehand in which nobody is told. Incidents are stored.

A window is said in wall-clock times of a zone, once (from, until) or every week. Where the clock
is put forward, a time that does not exist is the moment at which it is put forward; where it is
put back and a time comes twice, a window begins at its first and ends at its last.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.routing.matchers import Matchers

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_EVERY_DAY: Final = frozenset(range(7))
_WEEKLY: Final = re.compile(
    r"(?P<first>[A-Za-z]+)(?:-(?P<last>[A-Za-z]+))? +"
    r"(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)"
)
_MINUTES_A_DAY: Final = 24 * 60
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """One window, from a moment until another, which is no longer part of it."""

    start: datetime
    end: datetime

    @classmethod
    def between(cls, start: datetime, end: datetime, zone: ZoneInfo) -> "Span":
        """Return the window between two times; those without an offset are of the zone's clock."""
        return cls(_zoned(start, zone, last=False), _zoned(end, zone, last=True))

    def end_at(self, moment: datetime) -> datetime | None:
        """Return its end if the moment is in it."""
        return self.end if self.start <= moment < self.end else None


@dataclass(frozen=True, slots=True)
class Weekly:
    """A window on some days of every week (0 is Monday), by the clock of a zone.

    `start` and `end` are minutes after midnight; an end that is not later is on the next day.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> "Weekly":
        """Read "Sun 02:00-04:00", "Mon-Fri 22:00-05:00" or "daily 01:00-02:00".

        Raises ValueError.
        """
        found = _WEEKLY.fullmatch(text.strip())
        if found is None:
            raise ValueError(_expected(text))
        start, end = _minutes(found["start"], text), _minutes(found["end"], text)
        if start in {end, _MINUTES_A_DAY}:
            raise ValueError(_expected(text))
        return cls(_days(found["first"], found["last"], text), start, end, zone)

    def end_at(self, moment: datetime) -> datetime | None:
        """Return the end of the window that the moment is in, the latest if in two."""
        today = moment.astimezone(self.zone).date()
        ends = [
            span.end
            for day in (today - timedelta(days=1), today, today + timedelta(days=1))
            if day.weekday() in self.days
            for span in (self._on(day),)
            if span.end_at(moment)
        ]
        return max(ends, default=None)

    def _on(self, day: date) -> Span:
        until = self.end + (0 if self.end > self.start else _MINUTES_A_DAY)
        midnight = datetime.combine(day, time.min)
        start, end = (midnight + timedelta(minutes=minutes) for minutes in (self.start, until))
        return Span.between(start, end, self.zone)


@dataclass(frozen=True, slots=True)
class Window:
    """Incidents that nobody is told of while one of `times` is now."""

    name: str
    times: tuple[Span | Weekly, ...]
    match: Matchers = field(default_factory=Matchers)

    def end_at(self, moment: datetime) -> datetime | None:
        """Return when it ends, if the moment is in it."""
        ends = (end for times in self.times if (end := times.end_at(moment)) is not None)
        return max(ends, default=None)


class Maintenance:
    """All maintenance windows."""

    def __init__(self, windows: Sequence[Window] = ()) -> None:
        self.windows = tuple(windows)

    def open_at(self, moment: datetime) -> list[tuple[Window, datetime]]:
        """Return the windows that the moment is in, each with its end."""
        return [
            (window, end) for window in self.windows if (end := window.end_at(moment)) is not None
        ]


def _expected(text: str) -> str:
    return (
        f"{text!r} is no window: write days and hours, as in"
        ' "Sun 02:00-04:00", "Mon-Fri 22:00-05:00" or "daily 01:00-02:00"'
    )


def _minutes(clock: str, text: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    total = hours * 60 + minutes
    if minutes > 59 or total > _MINUTES_A_DAY:  # noqa: PLR2004
        raise ValueError(_expected(text))
    return total


def _days(first: str, last: str | None, text: str) -> frozenset[int]:
    if first.lower() == "daily" and last is None:
        return _EVERY_DAY
    try:
        begin = DAYS.index(first.lower())
        end = begin if last is None else DAYS.index(last.lower())
    except ValueError:
        raise ValueError(_expected(text)) from None
    return frozenset((begin + ahead) % 7 for ahead in range((end - begin) % 7 + 1))


def _zoned(time: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else _moment(time, zone, last=last)


def _moment(shown: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """Return when a zone's clock shows a time, in UTC."""
    first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:  # no clock shows it: the moment at which the clock is put forward
        return _change(second, first, zone)
    return second if last else first


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return when the zone's offset changes between two moments."""
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
