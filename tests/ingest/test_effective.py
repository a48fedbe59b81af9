"""The time rules: wild and late records, ticks, and independence of how records are cut."""

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.effective import PartitionClock, Timed
from ingest.events import UTC_TIME

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
NOON = 1_793_620_800 * SECOND


def records(times: list[int], first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "timestamp": pl.Series(times, dtype=pl.Int64).cast(UTC_TIME),
            "position": pl.Series(range(first, first + len(times)), dtype=pl.Int64),
        }
    )


def run(pieces: list[list[int]], lateness: float = 5) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return (position, effective time, windowed) of the accepted, and the positions of wild."""
    clock = PartitionClock(timedelta(seconds=lateness))
    results: list[Timed] = []
    first = 0
    for piece in pieces:
        results.append(clock.feed(records(piece, first)))
        first += len(piece)
    last = clock.finish()
    results += [last] if last else []
    rows: list[tuple[int, ...]] = []
    for result in results:
        events = result.events
        rows += events.select("position", pl.col("effective_time").to_physical(), "windowed").rows()
    assert clock.held == 0
    assert clock.late == sum(
        effective != at for (_, effective, _), at in zip(rows, _times(pieces, rows), strict=True)
    )
    return rows, [position for result in results for position in result.future]


def _times(pieces: list[list[int]], rows: list[tuple[int, ...]]) -> list[int]:
    flat = [time for piece in pieces for time in piece]
    return [flat[row[0]] for row in rows]


def reference(times: list[int], lateness: int) -> tuple[list[tuple[int, ...]], list[int]]:
    """Say the rules again, record by record."""
    newest: int | None = None
    rows: list[tuple[int, ...]] = []
    future = []
    for index, time in enumerate(times):
        if newest is None or time > newest + 10 * MINUTE:
            witnesses = times[index + 1 : index + 4]
            agreeing = sum(other >= time - 10 * MINUTE for other in witnesses)
            far = newest is not None and time > newest + DAY
            believed = agreeing == len(witnesses) if far else 2 * agreeing >= len(witnesses)
            if not witnesses:
                believed = newest is None or time <= newest + 366 * DAY
            if not believed:
                future.append(index)
                continue
        newest = time if newest is None else max(newest, time)
        effective = max(time, newest - lateness)
        rows.append((index, effective, effective - time <= MINUTE))
    return rows, future


steps = st.one_of(
    st.integers(-3 * SECOND, 20 * SECOND),
    st.sampled_from([-DAY, -11 * MINUTE, -2 * MINUTE, 9 * MINUTE, 11 * MINUTE, DAY, 400 * DAY]),
    st.sampled_from([-NOON, 70 * 365 * DAY]),
)
jumps = st.lists(st.tuples(steps, st.booleans()), max_size=60)


def _walk(moves: list[tuple[int, bool]]) -> list[int]:
    """Turn moves into times; a move that does not stay is one wild record."""
    now, times = NOON, []
    for step, stays in moves:
        times.append(now + step)
        now = now + step if stays and abs(step) <= DAY else now
    return times


@settings(max_examples=150, deadline=None)
@given(jumps, st.data())
def test_any_cutting_gives_what_the_rules_say(
    moves: list[tuple[int, bool]], data: st.DataObject
) -> None:
    times = _walk(moves)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(times)), max_size=12)))
    edges = [0, *cuts, len(times)]
    pieces = [times[a:b] for a, b in pairwise(edges)]
    assert run(pieces) == reference(times, 5 * SECOND)


def test_many_wild_records_are_decided_as_one_by_one() -> None:
    times = [NOON + (DAY if index % 4 == 2 else index * SECOND) for index in range(400)]
    assert run([times]) == reference(times, 5 * SECOND)
    assert len(run([times])[1]) == 100


def test_a_wild_record_moves_nothing() -> None:
    times = [NOON, NOON + SECOND, NOON + 70 * 365 * DAY, *(NOON + n * SECOND for n in range(2, 6))]
    rows, future = run([times])
    assert future == [2]
    assert [row[1] for row in rows] == sorted(time for time in times if time < NOON + DAY)


def test_a_gap_in_the_log_is_no_wild_time() -> None:
    times = [NOON, NOON + 1, NOON + 2, NOON + 3, *(NOON + DAY + n for n in range(4))]
    assert run([times])[1] == []


def test_the_first_record_needs_witnesses() -> None:
    rows, future = run([[NOON + DAY, NOON, NOON + 1, NOON + 2]])
    assert future == [0]
    assert len(rows) == 3


@pytest.mark.parametrize(("ahead", "accepted"), [(365 * DAY, True), (367 * DAY, False)])
def test_the_last_record_is_believed_up_to_a_year_ahead(ahead: int, accepted: bool) -> None:
    rows, future = run([[NOON, NOON, NOON, NOON, NOON + ahead]])
    assert (len(rows) == 5) is accepted
    assert (future == [4]) is not accepted


def test_late_records_are_moved_and_far_late_ones_lose_their_window() -> None:
    rows, _ = run([[NOON, NOON, NOON, NOON, NOON - 4 * SECOND, NOON - 65 * SECOND, NOON - DAY]])
    assert [row[1:] for row in rows[4:]] == [
        (NOON - 4 * SECOND, True),
        (NOON - 5 * SECOND, True),
        (NOON - 5 * SECOND, False),
    ]


def test_no_event_is_behind_the_watermark() -> None:
    clock = PartitionClock(timedelta(seconds=5))
    assert clock.watermark is None
    clock.feed(records([NOON, NOON, NOON, NOON]))
    watermark = clock.watermark
    assert watermark == NOON - 5 * SECOND
    events = clock.feed(records([NOON - DAY, NOON])).events
    effective = events["effective_time"].to_physical()
    assert effective.to_list() == [watermark, NOON]


def test_a_tick_decides_what_waits_and_moves_later_events() -> None:
    clock = PartitionClock(timedelta(seconds=5))
    assert clock.feed(records([NOON])).events.height == 0
    assert clock.held_from == 0
    released = clock.tick(NOON + 30 * SECOND)
    assert released is not None
    assert released.events.height == 1
    assert clock.watermark == NOON + 25 * SECOND
    moved = clock.feed(records([NOON + SECOND], first=1)).events
    assert moved["effective_time"].to_physical().to_list() == [NOON + 25 * SECOND]


def test_a_tick_quarantines_what_is_ahead_of_the_clock() -> None:
    clock = PartitionClock(timedelta(seconds=5))
    clock.feed(records([NOON + DAY]))
    released = clock.tick(NOON)
    assert released is not None
    assert released.future == (0,)
    assert clock.newest == NOON
