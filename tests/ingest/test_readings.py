"""Readings: what became of a partition's lines, by its own time, however they were cut."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunks import Chunk
from ingest.events import READING_SCHEMA, Batch
from ingest.lines import LINE_LIMIT
from ingest.partitions import Partition, Tally
from ingest.reader import LogReader
from ingest.sources import FileSource

from .following import Follow

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ZERO = int(NOON.timestamp()) * 1_000_000
SECOND = 1_000_000
COUNTS = ("events", "late", "future", "unread")


def line(second: float) -> bytes:
    when = (NOON + timedelta(seconds=second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.7 - - [{when}] "GET / HTTP/1.1" 200 5 "-" "curl/8"\n'.encode()


def partition() -> Partition:
    return Partition("p", FileSource(paths=("p",), format="combined"), Tally())


def feed(given: Partition, data: bytes, base: int = 0) -> pl.DataFrame:
    given.feed(given.parse(given.records(Chunk(base, data))))
    return given.readings()


def sums(frames: list[pl.DataFrame]) -> dict[int, tuple[int, ...]]:
    """Counts and times by slot of ten seconds after noon."""
    rows = pl.concat(frames).filter(~pl.col("tick"))
    slot = ((pl.col("first") - ZERO) // (10 * SECOND)).alias("slot")
    found = rows.group_by(slot).agg(pl.col("first").min(), pl.col("last").max(), pl.sum(*COUNTS))
    return {row[0]: row[1:] for row in found.iter_rows()}


def counts(frames: list[pl.DataFrame]) -> dict[int, tuple[int, ...]]:
    return {slot: row[2:] for slot, row in sums(frames).items()}


def test_lines_are_counted_by_slots_of_the_newest_time() -> None:
    given = partition()
    data = [line(0), line(1), b"junk\n", line(12), line(3), b"\n", b"junk\n", line(31)]
    rows = feed(given, b"".join(data))
    assert rows.schema == READING_SCHEMA
    assert set(rows["partition"]) == {"p"}
    assert not rows["tick"].any()
    assert counts([rows]) == {0: (2, 0, 0, 1), 1: (2, 0, 0, 1), 3: (1, 0, 0, 0)}
    assert sums([rows])[1][:2] == (ZERO + 12 * SECOND, ZERO + 12 * SECOND)
    assert given.readings().is_empty()


def test_late_lines_and_those_far_ahead() -> None:
    given = partition()
    data = [line(0), line(1), line(2), line(3), line(100), line(30), line(86_400), *[line(101)] * 3]
    assert counts([feed(given, b"".join(data))]) == {0: (4, 0, 0, 0), 10: (5, 1, 1, 0)}


def test_lines_before_the_first_time_are_not_counted() -> None:
    given = partition()
    assert feed(given, b"junk\n" * 5).is_empty()
    data = line(5) * 4 + b"junk\n"
    assert counts([feed(given, data, 25)]) == {0: (4, 0, 0, 1)}


def test_all_reasons_but_future_are_lines_that_were_not_read() -> None:
    given = partition()
    timeless = line(0).replace(b"02/Nov/2026", b"99/Nov/2026")
    data = [line(0)] * 4 + [timeless, b"x" * (LINE_LIMIT + 1) + b"\n", b"\xff\xfe\x00\n", b"junk\n"]
    ((*_, unread),) = counts([feed(given, b"".join(data))]).values()
    assert unread == sum(given.tally.quarantine.by_reason().values()) == 4


def test_ticks_are_rows_of_their_own_and_give_lines_a_time() -> None:
    given = partition()
    given.tick(ZERO + 60 * SECOND)
    given.tick(ZERO + 61 * SECOND)
    ticks = given.readings()
    assert ticks["tick"].all()
    assert ticks["first"].to_list() == ticks["last"].to_list()
    assert ticks["first"].to_list() == [ZERO + 60 * SECOND, ZERO + 61 * SECOND]
    given.tick(ZERO)  # nothing goes back
    assert given.readings().is_empty()
    assert counts([feed(given, b"junk\n" * 3)]) == {6: (0, 0, 0, 3)}


def test_lines_behind_one_that_waits_are_counted_with_it() -> None:
    given = partition()
    frames = [feed(given, line(0) * 4 + b"junk\n")]
    held = line(7200) + b"junk\n" * 3
    frames.append(feed(given, held, 1000))
    assert counts(frames) == {0: (4, 0, 0, 1)}
    frames.append(feed(given, b"junk\n" * 2, 2000))
    frames.append(feed(given, line(7201) * 3, 3000))
    assert counts(frames) == {0: (4, 0, 0, 1), 720: (4, 0, 0, 5)}


kinds = st.sampled_from(["next", "next", "next", "junk", "blank", "late", "ahead", "far"])


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    now, found = 0.0, []
    for kind in draw(st.lists(kinds, max_size=60)):
        now += draw(st.sampled_from([0, 1, 4, 30]))
        if kind == "ahead":
            now += 3600
        moved = {"late": -90, "far": 90_000}.get(kind, 0)
        found.append({"junk": b"junk\n", "blank": b"\n"}.get(kind, line(now + moved)))
    return found


def read_in_parts(
    data: list[bytes], edges: list[int], restarts: frozenset[int]
) -> list[pl.DataFrame]:
    """Feed parts of a log; where told, go on in a new partition, as a restart does."""
    offsets = [0]
    for one in data:
        offsets.append(offsets[-1] + len(one))
    given, frames, begin = partition(), [], 0
    for end in edges:
        frames.append(feed(given, b"".join(data[begin:end]), offsets[begin]))
        begin = end
        if end in restarts:
            state, held = given.state(offsets[end]), given.clock.held_from
            begin = end if held is None else offsets.index(held)
            given = partition()
            given.restore(state)
    given.finish()
    return [*frames, given.readings()]


@settings(max_examples=120, deadline=None)
@given(data=logs(), points=st.lists(st.integers(0, 60), max_size=10), again=st.data())
def test_cuts_and_restarts_change_nothing(
    data: list[bytes], points: list[int], again: st.DataObject
) -> None:
    edges = sorted({min(point, len(data)) for point in points} | {len(data)})
    restarts = again.draw(st.frozensets(st.sampled_from(edges[:-1] or [-1]), max_size=3))
    whole = read_in_parts(data, [len(data)], frozenset())
    assert sums(read_in_parts(data, edges, restarts)) == sums(whole)


@settings(max_examples=60, deadline=None)
@given(data=logs())
def test_every_line_with_a_time_is_counted_once(data: list[bytes]) -> None:
    given = partition()
    frames = [feed(given, b"".join(data))]
    given.finish()
    totals = Counter[str]()
    for frame in [*frames, given.readings()]:
        totals.update({name: int(frame[name].sum()) for name in COUNTS})
    tally = given.tally
    reasons = tally.quarantine.by_reason()
    assert totals["events"] == tally.events
    assert totals["future"] + totals["unread"] <= tally.quarantine.total
    first = next((n for n, one in enumerate(data) if one not in {b"junk\n", b"\n"}), len(data))
    if first == 0 and not reasons.get("future"):
        assert totals["unread"] == reasons.get("unparsed", 0)


def test_readings_come_with_the_batches_of_a_scan(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_bytes(b"".join(line(n) for n in range(50)) + b"junk\n")
    reader = LogReader([FileSource(paths=(str(tmp_path / "*.log"),))], chunk_bytes=500)
    rows = pl.concat([batch.readings for batch in reader.batches()])
    assert rows["events"].sum() == 100
    assert rows["unread"].sum() == 2
    assert not rows["tick"].any()


def ticks_of(batches: list[Batch]) -> list[int]:
    return pl.concat([b.readings for b in batches]).filter("tick")["first"].to_list()


def test_a_log_that_nobody_can_read_lets_time_pass(tmp_path: Path) -> None:
    follow = Follow(tmp_path)
    follow.append(*range(5))
    follower = follow.begin().follower
    assert follower is not None
    (batch, *_) = follow.batches()
    assert batch.readings["events"].sum() > 0
    for _ in range(200):
        with follow.log.open("a") as stream:
            stream.write("junk\n")
        follow.now += SECOND
        follower.poll()
        ticked = follower.tick()
    assert ticks_of(ticked) == [follow.now - 120 * SECOND]
    assert follower.watermark == follow.now - 125 * SECOND
    follow.end()


def test_lines_that_wait_to_be_read_hold_time_back(tmp_path: Path) -> None:
    follow = Follow(tmp_path)
    follow.append(*range(5))
    follower = follow.begin().follower
    assert follower is not None
    follow.batches()
    with follow.log.open("a") as stream:
        stream.writelines(["junk\n" * 1000] * 200)
    follow.now += 119 * SECOND
    follower.poll()
    follow.now += 5 * SECOND
    assert follower.tick() == []
    follow.end()


def test_edges_are_in_order() -> None:
    given = partition()
    rows = feed(given, b"".join(line(n / 4) for n in range(400)))
    assert all(a <= b for a, b in pairwise(rows["first"]))
    assert (rows["first"] // (10 * SECOND) == rows["last"] // (10 * SECOND)).all()
