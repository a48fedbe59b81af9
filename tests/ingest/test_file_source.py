"""What operators do to logs: rotation while nobody looks, folders, mounts that fail, many files."""

import bz2
import errno
import gzip
import lzma
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

import ingest.follow
from ingest import opened
from ingest.logs import find_logs
from ingest.tails import GIVE_UP
from ingest.troubles import RETRY_MOST
from tests.ingest.following import SECOND, START, Follow, column

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    follow = Follow(tmp_path, "")
    yield follow
    follow.end()


def pack(file: Path, kind: str) -> Path:
    packed = file.with_name(f"{file.name}.{kind}")
    packed.write_bytes(PACK[kind](file.read_bytes()))
    file.unlink()
    return packed


@pytest.mark.parametrize("kind", PACK)
def test_rotated_and_compressed_while_nobody_looked(follow: Follow, kind: str) -> None:
    follow.append(*range(20))
    follow.begin()
    assert follow.read() == [*range(20)]
    positions = follow.positions()
    follow.append(20, 21)
    follow.log.rename(follow.folder / "access.log.2")
    pack(follow.folder / "access.log.2", kind)
    follow.append(22)
    follow.log.rename(follow.folder / "access.log.1")
    follow.append(23)
    follow.begin(positions=positions)
    assert follow.read() == [20, 21, 22, 23]
    assert follow.problems() == []


def test_a_file_that_is_compressed_while_it_is_read(follow: Follow) -> None:
    follow.append(*range(8000), file=follow.folder / "access.log.1")
    follow.append(8000)
    follow.begin()
    assert follow.follower is not None
    seen = [int(path[1:]) for path in column(follow.follower.poll(), "path")]
    assert 0 < len(seen) < 8000
    pack(follow.folder / "access.log.1", "gz")
    follow.begin(positions=follow.positions())
    assert seen + follow.read() == [*range(8001)]
    assert follow.problems() == []


def test_a_compression_under_way_is_not_read_twice(follow: Follow) -> None:
    follow.append(*range(5), file=follow.folder / "access.log.1")
    follow.append(5)
    whole = gzip.compress((follow.folder / "access.log.1").read_bytes())
    (follow.folder / "access.log.1.gz").write_bytes(whole[:30])
    follow.begin()
    assert follow.read() == [*range(6)]
    (log,), _ = find_logs([str(follow.folder)])
    assert [file.name for file in log.files] == ["access.log.1", "access.log"]


def test_a_reused_inode_is_another_file(follow: Follow) -> None:
    follow.append(*range(9))
    follow.begin()
    follow.read()
    positions = follow.positions()
    (state,) = positions.values()
    follow.log.unlink()
    follow.append(*range(10, 40))
    state["inode"] = follow.log.stat().st_ino
    follow.begin(positions=positions)
    assert follow.read() == [*range(10, 40)]
    assert follow.problems() == ["the file read last is gone"]


def test_inodes_of_a_network_mount_may_change(follow: Follow) -> None:
    follow.append(*range(9))
    follow.begin()
    follow.read()
    positions = follow.positions()
    (state,) = positions.values()
    state["inode"] += 1
    state["device"] += 1
    follow.append(9)
    follow.begin(positions=positions)
    assert follow.read() == [9]
    assert follow.problems() == []


def test_copytruncate_with_more_than_was_there(follow: Follow) -> None:
    follow.append(*range(5))
    follow.begin()
    assert follow.read() == [*range(5)]
    follow.append(5)
    shutil.copy(follow.log, follow.folder / "access.log.1")
    follow.log.write_text("")
    follow.append(*range(6, 30))
    assert follow.read() == [*range(5, 30)]
    assert follow.problems() == []


def test_a_truncation_without_a_copy_is_told_once(follow: Follow) -> None:
    follow.append(*range(5))
    follow.begin()
    follow.read()
    for first in (10, 40, 70):
        follow.log.write_text("")
        follow.append(*range(first, first + 20))
        assert follow.read() == [*range(first, first + 20)]
    assert follow.follower is not None
    (problem,) = follow.follower.problems
    assert problem.missing_from == START + 59 * SECOND
    assert (
        "the file became shorter; lines after 2026-11-02 12:00:59 and before 2026-11-02 12:01:10"
        " UTC may be missing" in str(problem)
    )


def test_a_file_cut_to_a_length_is_not_read_again(follow: Follow) -> None:
    follow.append(*range(50))
    follow.begin()
    follow.read()
    whole = follow.log.read_bytes().splitlines(keepends=True)
    os.truncate(follow.log, len(b"".join(whole[:30])))
    assert follow.read() == []
    assert follow.problems() == ["the file became shorter"]
    follow.append(50)
    assert follow.read() == [50]


@pytest.mark.parametrize("running", [True, False])
def test_a_file_that_is_rewritten_and_begins_as_before(follow: Follow, running: bool) -> None:
    """Somebody takes lines out of it, and it grows again before anybody looks.

    Failed without the traces of what was read last: reading went on within a line, and nothing
    was told; with `running` False, when they were not stored.
    """
    follow.append(*range(60))
    follow.begin()
    assert follow.read() == [*range(60)]
    known = follow.positions()
    kept = follow.log.read_bytes().splitlines(keepends=True)[:50]
    follow.log.write_bytes(b"".join(kept))
    follow.append(*range(60, 90))
    if not running:
        follow.begin(positions=known)
    found = follow.read()
    assert found == [*range(90 - len(found), 90)]
    assert len(found) == 20
    assert follow.problems() == ["the file was rewritten: what was read of it is there no more"]
    follow.append(90)
    assert follow.read() == [90]


def test_a_file_that_is_written_again_with_the_same_lines_is_not_read_again(
    follow: Follow,
) -> None:
    follow.append(*range(60))
    follow.begin()
    follow.read()
    whole = follow.log.read_bytes()
    follow.log.write_bytes(whole)
    follow.append(60)
    assert follow.read() == [60]
    assert follow.problems() == []


def test_what_is_written_just_after_a_rotation_is_not_lost(follow: Follow) -> None:
    """Some writers notice late; the new file waits until the old one is quiet."""
    follow.append(*range(4))
    follow.begin()
    follow.read()
    assert follow.follower is not None
    rotated = follow.log.rename(follow.folder / "access.log.1")
    follow.append(5)
    assert follow.follower.poll() == []
    follow.append(4, file=rotated)
    assert follow.read() == [4, 5]


def test_dated_logs_without_a_plain_name(follow: Follow) -> None:
    for day, start in (("01", 0), ("02", 10)):
        follow.append(*range(start, start + 5), file=follow.folder / f"access.2026-11-{day}.txt")
    follow.begin("end")
    assert follow.read() == []
    follow.append(*range(15, 19), file=follow.folder / "access.2026-11-02.txt")
    follow.append(20, file=follow.folder / "access.2026-11-03.txt")
    assert follow.read() == [15, 16, 17, 18, 20]
    assert len(follow.positions()) == 1


@pytest.mark.parametrize(
    "names",
    [
        ["app.2026-11-02.9.log.gz", "app.2026-11-02.10.log", "app.log"],
        ["app.log-1793600000", "app.log-1793686400", "app.log"],
        ["app.log-20261101-1793600000.gz", "app.log-20261102-1793686400", "app.log"],
        ["app.log.2026.11.01", "app.log.2026.11.02", "app.log"],
    ],
)
def test_names_of_rotations(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    (log,), _ = find_logs([str(tmp_path)])
    assert [file.name for file in log.files] == names


def inodes_only(follow: Follow) -> dict[str, Any]:
    """Positions as versions stored them that knew no heads."""
    positions = follow.positions()
    for state in positions.values():
        for key in ("head", "modified", "before", "live"):
            del state[key]
    return positions


def test_positions_of_versions_that_knew_only_inodes(follow: Follow) -> None:
    follow.append(*range(6))
    follow.begin()
    follow.read()
    positions = inodes_only(follow)
    follow.append(6)
    follow.log.rename(follow.folder / "access.log.1")
    follow.append(7)
    follow.begin(positions=positions)
    assert follow.read() == [6, 7]
    assert follow.problems() == []


@pytest.mark.parametrize("truncated", [True, False])
def test_such_positions_in_a_file_that_is_not_the_same(follow: Follow, truncated: bool) -> None:
    follow.append(*range(6), file=follow.folder / "access.log.1")
    follow.append(*range(6, 12))
    follow.begin()
    follow.read()
    positions = inodes_only(follow)
    if truncated:
        follow.log.write_text("")
    else:
        follow.log.rename(follow.folder / "elsewhere.tmp")
    follow.append(12)
    follow.begin(positions=positions)
    assert follow.read() == [12]
    assert len(follow.problems()) == 1


def test_a_folder_means_its_logs(follow: Follow) -> None:
    for name in (".hidden.log", "access.log~", "#access.log#", "app.db", "old.tar.gz", "x.pid"):
        follow.append(9, file=follow.folder / name)
    (follow.folder / "deeper").mkdir()
    follow.append(9, file=follow.folder / "deeper" / "access.log")
    os.mkfifo(follow.folder / "pipe.log")
    (follow.folder / "link.log").symlink_to(follow.folder / "nowhere")
    follow.append(*range(4))
    follow.begin()
    assert follow.read() == [0, 1, 2, 3]
    follow.append(*range(10, 14), file=follow.folder / "other.log")
    follow.now += SECOND
    assert follow.read() == [10, 11, 12, 13]
    assert follow.problems() == []
    assert len(find_logs([str(follow.folder / "**" / "*.log")])[0]) == 3
    assert len(find_logs([f"{follow.folder}/*/"])[0]) == 1


@pytest.mark.parametrize("name", ["a.zip", "access.log.ZIP", "logs.tar.gz", "logs.tgz"])
def test_an_archive_that_is_named_is_told_and_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    for path in (tmp_path / name, tmp_path / "*.*"):
        logs, problems = find_logs([str(path)])
        assert logs == []
        assert [problem.reason for problem in problems] == ["this is an archive"]


def failing(error: int) -> Callable[..., Any]:
    def fail(*_: object) -> bytes:
        raise OSError(error, os.strerror(error))

    return fail


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.ESTALE, "reading failed: Stale file handle"),
        (errno.EIO, "reading failed: Input/output error"),
        (errno.EACCES, "permission denied"),
        (errno.EMFILE, "too many open files"),
    ],
)
def test_a_failing_mount_is_told_and_tried_again(
    follow: Follow, monkeypatch: pytest.MonkeyPatch, error: int, reason: str
) -> None:
    follow.append(*range(4))
    follow.append(*range(4), file=follow.folder / "other.log")
    follow.begin()
    assert len(follow.read()) == 8
    follow.append(4)
    real = opened.PlainFile.read

    def read(file: opened.PlainFile, *, final: bool) -> Any:
        return failing(error)() if file.path == follow.log else real(file, final=final)

    monkeypatch.setattr(opened.PlainFile, "read", read)
    follow.append(5, file=follow.folder / "other.log")
    assert follow.read() == [5]
    assert follow.problems() == [reason]
    monkeypatch.undo()
    follow.now += RETRY_MOST
    assert follow.read() == [4]
    assert follow.problems() == []


def test_waits_double_up_to_a_minute(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    follow.append(*range(4))
    follow.begin()
    tries: list[int] = []

    def read(*_: object, final: bool) -> None:
        tries.append(follow.now)
        failing(errno.EIO)(final)

    monkeypatch.setattr(opened.PlainFile, "read", read)
    assert follow.follower is not None
    for _ in range(600):
        follow.now += SECOND // 2
        follow.follower.poll()
    waits = [(later - earlier) / SECOND for earlier, later in pairwise(tries)]
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(waits[7:]) == {60}


def test_a_rotation_that_cannot_be_read_does_not_hold_the_log_up_for_ever(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated = follow.folder / "access.log.1"
    follow.append(*range(4), file=rotated)
    follow.append(*range(4, 9))
    follow.begin()
    real = opened.PlainFile.read

    def read(file: opened.PlainFile, *, final: bool) -> Any:
        return failing(errno.EIO)() if file.path == rotated else real(file, final=final)

    monkeypatch.setattr(opened.PlainFile, "read", read)
    assert follow.read() == []
    follow.now += GIVE_UP
    follow.read()
    follow.now += RETRY_MOST
    assert follow.problems() == ["a rotation could not be read"]
    follow.append(9)
    assert follow.read()[-1] == 9


def test_many_logs_need_few_open_files(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.follow, "OPEN_FILES", 5)
    logs = [follow.folder / f"log{number}.log" for number in range(30)]
    for log in logs:
        follow.append(*range(15), file=log)
    follow.begin()
    before = len([*Path("/proc/self/fd").iterdir()])
    assert len(follow.read()) == 30 * 15
    for log in reversed(logs):
        follow.append(15, file=log)
    log.rename(log.with_suffix(".log.1"))
    assert follow.read() == [15] * 30
    assert len([*Path("/proc/self/fd").iterdir()]) <= before + 5


def test_a_log_that_is_gone_is_let_go_after_its_data_is_read(follow: Follow) -> None:
    follow.append(*range(4))
    follow.append(*range(4), file=follow.folder / "pod.log")
    follow.begin()
    follow.read()
    follow.append(4, file=follow.folder / "pod.log")
    (follow.folder / "pod.log").unlink()
    assert follow.read() == [4]
    assert follow.follower is not None
    for _ in range(70):
        follow.now += 10 * SECOND
        follow.follower.poll()
    assert list(follow.follower.detections) == [str(follow.log)]
    assert len(follow.positions()) == 2
    follow.append(*range(20, 24), file=follow.folder / "pod.log")
    assert follow.read() == [20, 21, 22, 23]
    assert follow.problems() == []
    (follow.folder / "pod.log").unlink()
    for _ in range(24 * 8):
        follow.now += 3600 * SECOND
        follow.follower.poll()
    assert list(follow.positions()) == [str(follow.log)]


def test_a_mount_that_comes_back_is_read_on(follow: Follow) -> None:
    mount = follow.folder / "mount"
    mount.mkdir()
    follow.log = mount / "access.log"
    follow.pattern = "mount"
    follow.append(*range(4))
    follow.begin()
    follow.read()
    follow.append(4)
    away = mount.rename(follow.folder / "away")
    assert follow.follower is not None
    assert follow.read() == [4]
    for _ in range(100):
        follow.now += 10 * SECOND
        follow.follower.poll()
    assert follow.problems() == ["there is no such file"]
    away.rename(mount)
    follow.append(*range(2000, 2004))
    assert follow.read() == [2000, 2001, 2002, 2003]
    assert follow.problems() == []


def test_a_new_file_that_is_copied_and_truncated_before_it_is_begun(follow: Follow) -> None:
    follow.append(*range(5))
    follow.begin()
    follow.log.rename(follow.folder / "access.log.1")
    follow.log.touch()
    assert follow.read() == [*range(5)]
    follow.append(5)
    (follow.folder / "access.log.1").rename(follow.folder / "access.log.2")
    shutil.copy(follow.log, follow.folder / "access.log.1")
    follow.log.write_text("")
    follow.append(6)
    assert follow.read() == [5, 6]


def test_a_log_that_is_written_and_rotated_between_two_looks(follow: Follow) -> None:
    follow.pattern = "access.log"
    follow.append(*range(5))
    follow.begin()
    follow.read()
    follow.log.rename(follow.folder / "access.log-20261101")
    assert follow.read() == []
    follow.append(5)
    follow.log.rename(follow.folder / "access.log-20261102")
    assert follow.read() == [5]


def test_old_rotations_are_not_read_because_newer_ones_are_deleted(follow: Follow) -> None:
    for number in (3, 2, 1):
        rotation = follow.folder / f"access.log.{number}"
        follow.append(*range(-9 * number, 0), file=rotation)
        os.utime(rotation, (1, 10 - number))
    follow.append(*range(5))
    follow.begin("end")
    follow.append(*range(5, 9))
    assert follow.read() == [5, 6, 7, 8]
    (follow.folder / "access.log.1").unlink()
    follow.log.unlink()
    follow.append(9)
    assert follow.read() == [9]


@pytest.mark.parametrize("kind", PACK)
def test_a_damaged_rotation_is_told_and_passed(follow: Follow, kind: str) -> None:
    follow.append(*range(5), file=follow.folder / "access.log.1")
    packed = pack(follow.folder / "access.log.1", kind)
    packed.write_bytes(packed.read_bytes()[:-9])
    follow.append(*range(10, 14))
    follow.begin()
    assert follow.read()[-4:] == [10, 11, 12, 13]
    (problem,) = follow.problems()
    assert "ends too early" in problem
