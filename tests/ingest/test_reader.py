"""Reading whole logs: rotations, cuts, bad input, and that every line has an outcome."""

import gzip
import io
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import BATCH_SCHEMA
from ingest.lines import LINE_LIMIT
from ingest.normalised import NORMALISED_SCHEMA, normalised
from ingest.reader import LogReader
from ingest.sources import FileSource

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def line(second: float, path: str = "/a", client: str = "203.0.113.7") -> str:
    when = (NOON + timedelta(seconds=second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{client} - - [{when}] "GET {path} HTTP/1.1" 200 5 "-" "curl/8"\n'


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(lines))
    return path


def read(
    *paths: Path | str, chunk_bytes: int = 8 << 20, **source: str
) -> tuple[pl.DataFrame, LogReader]:
    reader = LogReader(
        [FileSource(paths=tuple(map(str, paths)), **source)],  # type: ignore[arg-type]
        chunk_bytes=chunk_bytes,
    )
    frames = [batch.events for batch in reader.batches()]
    for frame in frames:
        assert frame.schema == BATCH_SCHEMA
    events = pl.concat([pl.DataFrame(schema=BATCH_SCHEMA), *frames])
    assert events.height == reader.tally.events
    tally = reader.tally
    assert tally.lines == tally.events + tally.quarantine.total + tally.blank + tally.ignored
    for (_,), group in events.group_by("partition"):
        positions = group["position"]
        assert positions.is_sorted()
        assert positions.is_unique().all()
    return events, reader


def test_a_plain_log(tmp_path: Path) -> None:
    log = write(
        tmp_path / "access.log", [line(0), "\n", line(1, "/users/7?x=1"), "junk\n", line(2)]
    )
    events, reader = read(log, service="shop", environment="prod")
    assert events["path"].to_list() == ["/a", "/users/7", "/a"]
    assert events["route"].to_list()[1] == "shop GET /users/{id}"
    assert events["position"].to_list()[1] == len(line(0)) + 1
    assert events["client_network"].unique().to_list() == ["203.0.113.0/24"]
    assert events["environment"].unique().to_list() == ["prod"]
    assert reader.tally.quarantine.by_reason() == {"unparsed": 1}
    (entry,) = reader.tally.quarantine
    assert entry.positions == (len(line(0)) * 2 + 1 + len("/users/7?x=1") - len("/a"),)
    assert reader.detections[str(log.resolve())].format == "combined"
    assert reader.progress.bytes_read == reader.progress.bytes_total == log.stat().st_size


def test_rotations_are_one_partition_oldest_first(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "access.log.14.gz", "wt") as stream:
        stream.write(line(0))
    write(tmp_path / "access.log.2", [line(10).rstrip("\n")])
    write(tmp_path / "access.log.1", [line(20)])
    write(tmp_path / "access.log", [line(30)])
    events, reader = read(str(tmp_path / "access.log*"))
    assert reader.partitions == [str((tmp_path / "access.log").resolve())]
    seconds = events["timestamp"].dt.epoch("s") - int(NOON.timestamp())
    assert seconds.to_list() == [0, 10, 20, 30]
    size = len(line(0))
    assert events["position"].to_list() == [0, size, 2 * size - 1, 3 * size - 1]


def test_logs_are_merged_by_event_time(tmp_path: Path) -> None:
    write(tmp_path / "early.log", [line(n) for n in range(600)])
    write(tmp_path / "late.log", [line(n + 300) for n in range(600)])
    reader = LogReader([FileSource(paths=(str(tmp_path / "*.log"),))], chunk_bytes=2000)
    newest: dict[str, int] = {}
    marks: list[int] = []
    for batch in reader.batches():
        for partition, time in batch.events.select(
            "partition", pl.col("effective_time").to_physical()
        ).iter_rows():
            newest[partition] = time
            assert not marks or time >= marks[-1]
        if batch.watermark is not None:
            assert not marks or batch.watermark >= marks[-1]
            marks.append(batch.watermark)
        if len(newest) == 2 and batch.watermark is not None:
            unfinished = [time for time in newest.values() if time >= batch.watermark]
            assert unfinished
    assert len(marks) > 10
    assert marks[-1] >= int((NOON + timedelta(seconds=890)).timestamp()) * 1_000_000


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_cutting_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    wild = st.sampled_from(
        [
            line(-86_400),
            line(9e8),
            line(-1.7e9),
            "\n",
            "junk\n",
            '"\n',
            "\x00\xff\n",
            "x" * 300 + "\n",
        ]
    )
    tame = st.integers(0, 90).map(line)
    lines = data.draw(st.lists(st.one_of(tame, tame, wild), max_size=40))
    (folder / "a.log").write_text("".join(lines), encoding="latin-1")
    (folder / "b.log").write_text("".join(lines[::2]), encoding="latin-1")
    size = data.draw(st.integers(1, 400))
    whole, cut = (
        read(folder / "a.log", folder / "b.log", format="combined", chunk_bytes=chunk_bytes)
        for chunk_bytes in (8 << 20, size)
    )
    order = ["partition", "position"]
    assert whole[0].sort(order).to_dicts() == cut[0].sort(order).to_dicts()
    assert list(whole[1].tally.quarantine) == list(cut[1].tally.quarantine)
    assert whole[1].late == cut[1].late


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 8 << 20])
def test_the_format_is_detected_the_same_however_cut(tmp_path: Path, chunk_bytes: int) -> None:
    log = write(tmp_path / "a.log", ["junk\n"] * 30 + [line(n) for n in range(5)])
    events, reader = read(log, chunk_bytes=chunk_bytes)
    assert events.height == 5
    assert reader.tally.quarantine.by_reason() == {"unparsed": 30}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from(["auto", "combined", "json"]))
def test_every_line_of_any_bytes_has_an_outcome(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    log = tmp_path_factory.mktemp("any") / "a.log"
    log.write_bytes(data.replace(b"\x1f\x8b", b"") + b'\n{"time":1,"path":"/"}\n"\n')
    read(log, format=name, chunk_bytes=100)


def test_long_lines_are_counted_not_kept(tmp_path: Path) -> None:
    long = "GET /" + "a" * 10_000_000 + "\n"
    edge = "b" * LINE_LIMIT + "\n"
    log = write(tmp_path / "a.log", [line(0), long, line(1), edge, line(2), "c" + edge, line(3)])
    results = [read(log, chunk_bytes=size) for size in (10_000, 1 << 20, 64 << 20)]
    for events, reader in results:
        assert events.height == 4
        assert reader.tally.quarantine.by_reason() == {"too_long": 2, "unparsed": 1}
    assert len({tuple(map(str, reader.tally.quarantine)) for _, reader in results}) == 1


def test_binary_junk_is_quarantined_as_not_text(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(bytes(range(256)) * 50 + b"\n" + line(0).encode())
    events, reader = read(log, format="combined")
    assert events.height == 1
    assert reader.tally.quarantine.by_reason() == {"not_text": 51}


def test_an_unknown_format_is_said_and_counted(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", ["what is this\n"] * 3)
    events, reader = read(log)
    assert events.is_empty()
    assert reader.tally.quarantine.by_reason() == {"unparsed": 3}
    (problem,) = reader.problems
    assert "unknown format" in str(problem)
    assert "docs/formats.md" in problem.advice


def test_wild_times(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", [line(n) for n in range(4)])
    with log.open("a") as stream:
        for year in ("1970", "2099"):
            stream.write(line(0).replace("2026", year))
        stream.write(line(0).replace("02/Nov", "99/Nov"))
        stream.writelines(line(n) for n in range(4, 8))
    events, reader = read(log)
    assert events.height == 9
    assert reader.tally.quarantine.by_reason() == {"future": 1, "no_time": 1}
    assert events.filter(~pl.col("windowed"))["timestamp"].dt.year().to_list() == [1970]
    assert reader.late == 1


@pytest.mark.parametrize("cut", [1, 9, 200, 400])
def test_a_truncated_gz_gives_what_can_be_read(tmp_path: Path, cut: int) -> None:
    noise = [line(n, f"/{os.urandom(8).hex()}") for n in range(200)]
    packed = gzip.compress("".join(noise).encode())
    log = tmp_path / "a.log.gz"
    log.write_bytes(packed[:-cut])
    events, reader = read(log)
    assert events.height >= 150
    assert [problem.reason for problem in reader.problems] == [
        "truncated: the gzip data ends too early"
    ]


def test_gz_members_padding_and_damage(tmp_path: Path) -> None:
    member = gzip.compress(line(0).encode())
    (tmp_path / "two.log.gz").write_bytes(member * 2 + b"\0" * 100)
    events, reader = read(tmp_path / "two.log.gz", chunk_bytes=10)
    assert (events.height, reader.problems) == (2, [])
    (tmp_path / "bad.log.gz").write_bytes(member + b"garbage")
    events, reader = read(tmp_path / "bad.log.gz")
    assert events.height == 1
    assert "damaged" in reader.problems[0].reason


def test_missing_empty_folder_and_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "empty.log", [])
    write(tmp_path / "secret.log", [line(0)])
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "secret.log")
    names = ["empty.log", "secret.log", "missing.log", "no-*.log", "folder"]
    events, reader = read(*(tmp_path / name for name in names))
    assert events.is_empty()
    reasons = {Path(problem.path).name: problem.reason for problem in reader.problems}
    assert reasons == {
        "secret.log": "permission denied",
        "missing.log": "there is no such file",
        "no-*.log": "nothing matches this pattern",
        "folder": "no logs in this folder",
    }
    assert all(problem.advice for problem in reader.problems)


def test_a_file_that_cannot_be_read_further_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path / "a.log", [line(0)])

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", refuse)
    _, reader = read(log)
    assert reader.problems[0].reason == "reading failed: Input/output error"


def test_standard_input() -> None:
    text = "".join(line(n) for n in range(5)).encode()
    for data in (text, gzip.compress(text)):
        reader = LogReader([FileSource(paths=("-",))], stdin=io.BytesIO(data))
        assert sum(batch.events.height for batch in reader.batches()) == 5
        assert reader.partitions == ["stdin"]
        assert reader.progress.bytes_total is None


def test_a_log_named_twice_is_read_once(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", [line(0)])
    source = FileSource(paths=(str(log), str(tmp_path / "*.log")))
    reader = LogReader([source, source])
    assert sum(batch.events.height for batch in reader.batches()) == 1
    assert "more than one source" in reader.problems[0].reason


def test_normalised_keeps_the_order_of_lines_and_masks(tmp_path: Path) -> None:
    lines = [line(n, f"/p/{n}?token=hunter2") for n in range(5)]
    lines[2:2] = ["junk hunter2\n", line(9e7)]
    log = write(tmp_path / "a.log", lines)
    for size in (1, 8 << 20):
        frame = pl.concat(
            list(normalised([FileSource(paths=(str(log),), format="combined")], chunk_bytes=size))
        )
        assert frame.schema == NORMALISED_SCHEMA
        assert frame["reason"].to_list() == [None, None, "unparsed", "future", None, None, None]
        assert frame["position"].is_sorted()
        assert frame["query"].drop_nulls().unique().to_list() == ["token=***"]
        assert "hunter2" not in frame.write_ndjson()
