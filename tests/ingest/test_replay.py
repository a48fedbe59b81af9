"""Lines read again: the very ones, wherever rotation put them, or a word that they are gone."""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.lines import Lines
from ingest.logs import find_logs
from ingest.quarantine import Sample
from ingest.replay import FileRecords, RecordsGoneError, Replay
from ingest.sources import FileSource
from ingest.tails import LogTail

LINES = [f"line {n} {'x' * (n % 7)}\n".encode() for n in range(40)]
OFFSETS = [sum(map(len, LINES[:n])) for n in range(41)]


def sample(number: int) -> Sample:
    raw = LINES[number].rstrip(b"\n")
    return Sample(OFFSETS[number], "", len(raw), hashlib.sha256(raw).hexdigest())


def read(
    log: Path,
    ranges: Sequence[tuple[int, int]],
    samples: Iterable[Sample] = (),
    source: FileRecords | None = None,
) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for records in (source or FileRecords(chunk_bytes=64)).read(str(log), ranges, list(samples)):
        for index, position in enumerate(records.positions.tolist()):
            found[position] = records.lines[index]
    return found


def expected(*numbers: int) -> dict[int, bytes]:
    return {OFFSETS[n]: LINES[n].rstrip(b"\n") for n in numbers}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path.resolve() / "access.log"
    path.write_bytes(b"".join(LINES))
    return path


def test_lines_by_ranges(log: Path) -> None:
    ranges = [(OFFSETS[3], OFFSETS[5]), (OFFSETS[39], OFFSETS[39])]
    assert read(log, ranges) == expected(3, 4, 5, 39)
    assert read(log, ranges, [sample(3), sample(4)]) == expected(3, 4, 5, 39)
    assert read(log, []) == {}
    assert FileRecords().has(str(log))
    assert not FileRecords().has("topic-0")


def test_after_rotation_they_are_found_by_what_they_are(log: Path) -> None:
    log.rename(log.with_name("access.log.1"))
    log.write_bytes(b"".join(LINES[::-1]))
    assert read(log, [(OFFSETS[3], OFFSETS[4])], [sample(3)]) == expected(3, 4)
    packed = log.with_name("access.log.2.gz")
    packed.write_bytes(gzip.compress(b"".join(LINES)))
    log.with_name("access.log.1").write_bytes(b"another\n" * 99)
    assert read(log, [(OFFSETS[3], OFFSETS[4])], [sample(3)]) == expected(3, 4)


def test_ranges_go_on_from_file_to_file(log: Path) -> None:
    log.with_name("access.log.2.gz").write_bytes(gzip.compress(b"".join(LINES[:10])))
    log.with_name("access.log.1").write_bytes(b"".join(LINES[10:20]))
    log.write_bytes(b"".join(LINES[20:]))
    ranges = [(OFFSETS[8], OFFSETS[12]), (OFFSETS[18], OFFSETS[21])]
    wanted = expected(8, 9, 10, 11, 12, 18, 19, 20, 21)
    assert read(log, ranges, [sample(8), sample(12)]) == wanted


def test_where_the_service_stands_tells_what_older_files_cannot(log: Path) -> None:
    (found,), _ = find_logs([str(log)])
    tail = LogTail(found, start="beginning")
    while tail.read() is not None:
        pass
    state = tail.state(None)
    tail.close()
    assert state is not None
    shifted = {**state, "base": 1_000}
    wanted = {1_000 + at: line for at, line in expected(7).items()}
    known = FileRecords({str(log): shifted}, chunk_bytes=64)
    place = 1_000 + OFFSETS[7]
    moved = Sample(place, "", sample(7).length, sample(7).sha256)
    assert read(log, [(place, place)], [moved], known) == wanted
    with pytest.raises(RecordsGoneError, match="rotated away or rewritten"):
        read(log, [(place, place)], [moved])


def test_other_lines_are_never_taken_for_them(log: Path) -> None:
    at = [(OFFSETS[3], OFFSETS[3])]
    with pytest.raises(RecordsGoneError, match="1 files"):
        read(log, at, [Sample(OFFSETS[3], "", 1, "0" * 64)])
    with pytest.raises(RecordsGoneError):  # no line begins there
        read(log, [(OFFSETS[3] + 1, OFFSETS[3] + 1)])
    log.write_bytes(b"")
    with pytest.raises(RecordsGoneError):
        read(log, at, [sample(3)])
    log.unlink()
    with pytest.raises(RecordsGoneError, match="no such log"):
        read(log, at)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 39), min_size=1), st.integers(1, 200), st.booleans())
def test_any_lines_in_any_chunks(
    tmp_path_factory: pytest.TempPathFactory, chosen: set[int], chunk_bytes: int, packed: bool
) -> None:
    log = tmp_path_factory.mktemp("logs").resolve() / "a.log"
    data = b"".join(LINES)
    log.write_bytes(gzip.compress(data) if packed else data)
    numbers = sorted(chosen)
    ranges = [(OFFSETS[n], OFFSETS[n]) for n in numbers]
    source = FileRecords(chunk_bytes=chunk_bytes)
    assert read(log, ranges, map(sample, numbers[:3]), source) == expected(*numbers)


def test_what_became_of_them(tmp_path: Path) -> None:
    log = tmp_path.resolve() / "a.log"
    good = [f'{{"when":"2026-11-02T08:00:0{n}Z","path":"/{n}","status":200}}\n' for n in range(5)]
    lines = [good[0], "junk\n", *good[1:3], '{"path": "/timeless", "status": 404}\n', *good[3:]]
    log.write_text("".join(lines))
    places = Lines.of(log.read_bytes()).starts.tolist()
    source = FileSource(paths=(str(log),), format="json", mapping={"timestamp": "when"})
    replay = Replay(str(log), source)
    records = FileRecords().read(str(log), [(places[1], places[-1])])
    events = [batch.events for batch in replay.batches(records)]
    assert [at for frame in events for at in frame["position"].to_list()] == [
        places[2],
        places[3],
        places[5],
        places[6],
    ]
    assert (replay.lines, replay.events) == (6, 4)
    assert replay.rest == {"no_time": 1, "unparsed": 1}
