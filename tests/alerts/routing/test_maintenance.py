"""Maintenance windows by the clock of a zone, also where that clock is put forward or back."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.muting.maintenance import DAYS, Maintenance, Span, Weekly, Window
from alerts.routing.matchers import Matchers

from .examples import NOW

#: Days around which clocks change: by an hour, by half an hour, at midnight, a whole day left out.
CHANGES = (
    ("Europe/Paris", date(2026, 3, 29)),
    ("Europe/Paris", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("UTC", date(2026, 3, 29)),
)

PARIS = ZoneInfo("Europe/Paris")


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def oracle(start: datetime, end: datetime, clock: list[datetime]) -> range:
    """Indices of the moments at which a clock is past the start for the first time, and not yet
    past the end for the last."""
    begun = [number for number, at in enumerate(clock) if at >= start]
    left = [number for number, at in enumerate(clock) if at < end]
    return range(begun[0], left[-1] + 1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.integers(0, 95),
    st.integers(1, 96),
    st.integers(-1, 1),
)
def test_a_window_is_what_the_clock_on_the_wall_says(
    change: tuple[str, date], start: int, end: int, ahead: int
) -> None:
    name, day = change
    zone, begins = ZoneInfo(name), day + timedelta(days=ahead)
    if start == end:
        return
    weekly = Weekly.parse(f"{DAYS[begins.weekday()]} {clock_time(start)}-{clock_time(end)}", zone)
    midnight = datetime.combine(begins, datetime.min.time())
    first = midnight + timedelta(minutes=15 * start)
    last = midnight + timedelta(minutes=15 * (end if end > start else end + 96))
    middle = datetime.combine(begins, datetime.min.time(), UTC)
    moments = [middle + timedelta(minutes=15 * n) for n in range(-4 * 30, 4 * 78)]
    expected = oracle(first, last, [shown(moment, zone) for moment in moments])
    for number, moment in enumerate(moments):
        assert (weekly.end_at(moment) is not None) == (number in expected), moment


def clock_time(quarters: int) -> str:
    return f"{quarters // 4:02d}:{quarters % 4 * 15:02d}"


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CHANGES), st.integers(0, 95), st.integers(1, 96))
def test_the_end_of_a_window_is_no_longer_in_it(
    change: tuple[str, date], start: int, end: int
) -> None:
    if start == end:
        return
    zone = ZoneInfo(change[0])
    weekly = Weekly.parse(f"Sun {clock_time(start)}-{clock_time(end)}", zone)
    middle = datetime.combine(change[1], datetime.min.time(), UTC)
    for moment in (middle + timedelta(minutes=30 * n) for n in range(-100, 100)):
        ending = weekly.end_at(moment)
        if ending is not None:
            assert moment < ending
            assert weekly.end_at(ending - timedelta(microseconds=1)) == ending
            assert weekly.end_at(ending) is None


@pytest.mark.parametrize(
    ("text", "moment", "end"),
    [
        # The clock goes from 02:00 to 03:00: half of the window is left out.
        ("Sun 02:30-03:30", "2026-03-29T01:10:00+00:00", "2026-03-29T01:30:00+00:00"),
        ("Sun 02:30-03:30", "2026-03-29T00:59:00+00:00", None),
        ("Sun 02:15-02:45", "2026-03-29T01:00:00+00:00", None),
        # It goes from 03:00 back to 02:00: the window is an hour longer.
        ("Sun 02:00-03:00", "2026-10-25T00:00:00+00:00", "2026-10-25T02:00:00+00:00"),
        ("Sun 02:15-02:45", "2026-10-25T00:50:00+00:00", "2026-10-25T01:45:00+00:00"),
        ("Sat 23:00-02:00", "2026-10-24T22:30:00+00:00", "2026-10-25T01:00:00+00:00"),
        ("daily 00:00-24:00", "2026-03-04T12:00:00+00:00", "2026-03-04T23:00:00+00:00"),
        ("Mon-Fri 22:00-05:00", "2026-03-07T03:59:00+00:00", "2026-03-07T04:00:00+00:00"),
        ("Mon-Fri 22:00-05:00", "2026-03-08T03:59:00+00:00", None),
        ("Sat-Mon 08:00-09:00", "2026-03-08T07:30:00+00:00", "2026-03-08T08:00:00+00:00"),
        ("Sat-Mon 08:00-09:00", "2026-03-10T07:30:00+00:00", None),
    ],
)
def test_examples_in_paris(text: str, moment: str, end: str | None) -> None:
    found = Weekly.parse(text, PARIS).end_at(datetime.fromisoformat(moment))
    assert found == (None if end is None else datetime.fromisoformat(end))


@pytest.mark.parametrize(
    "text",
    ["", "Sun", "02:00-04:00", "So 02:00-04:00", "Sun 2-4", "Sun 02:00-02:00", "Sun 24:00-02:00",
     "Sun 02:60-04:00", "Sun 02:00-24:30", "daily-Sun 02:00-04:00", "Mon-Daily 02:00-04:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write days and hours"):
        Weekly.parse(text, PARIS)


def test_times_without_an_offset_are_of_the_zone_s_clock() -> None:
    local = datetime(2026, 3, 1, 8, tzinfo=UTC).replace(tzinfo=None)
    span = Span.between(local, datetime(2026, 3, 1, 9, tzinfo=UTC), PARIS)
    assert (span.start, span.end) == (
        datetime(2026, 3, 1, 7, tzinfo=UTC),
        datetime(2026, 3, 1, 9, tzinfo=UTC),
    )
    for before, after in pairwise([span.start - timedelta(1), span.start, span.end]):
        assert span.end_at(before) in {None, span.end}
        assert before < after
    assert span.end_at(span.start) == span.end
    assert span.end_at(span.end) is None


def test_of_windows_that_overlap_the_later_end_counts() -> None:
    times = (Span(NOW, NOW + timedelta(hours=1)), Span(NOW, NOW + timedelta(hours=2)))
    window = Window("x", times, Matchers(service=("shop",)))
    maintenance = Maintenance([window, Window("y", (Span(NOW + timedelta(1), NOW),))])
    assert maintenance.open_at(NOW) == [(window, NOW + timedelta(hours=2))]
    assert maintenance.open_at(NOW - timedelta(hours=1)) == []
