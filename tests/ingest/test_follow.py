"""Following logs: appends, rotation, truncation, restarts, idle time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from ingest.follow import LogFollower
from ingest.lines import LINE_LIMIT
from ingest.sources import FileSource
from tests.ingest.following import NOON, SECOND, START, Follow, column, line


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    follow = Follow(tmp_path)
    yield follow
    follow.end()


def test_what_is_appended_is_read_once(follow: Follow) -> None:
    follow.append(*range(5))
    follow.begin()
    assert follow.read() == [0, 1, 2, 3, 4]
    assert follow.read() == []
    follow.append(5, 6)
    assert follow.read() == [5, 6]


def test_from_the_end_only_new_lines_are_read(follow: Follow) -> None:
    follow.append(*range(5))
    follow.begin("end")
    assert follow.read() == []
    follow.append(5, 6, 7, 8)
    assert follow.read() == [5, 6, 7, 8]


def test_a_partial_line_waits(follow: Follow) -> None:
    follow.append(*range(4))
    text = line(4)
    with follow.log.open("a") as stream:
        stream.write(text[:30])
    follow.begin()
    assert follow.read() == [0, 1, 2, 3]
    with follow.log.open("a") as stream:
        stream.write(text[30:])
    assert follow.read() == [4]


def test_rotation_by_rename_loses_nothing(follow: Follow) -> None:
    follow.append(*range(4))
    follow.begin()
    assert follow.read() == [0, 1, 2, 3]
    follow.append(4)
    rotated = follow.log.rename(follow.folder / "access.log.1")
    follow.append(5, file=rotated)
    with rotated.open("a") as stream:
        stream.write(line(6).rstrip("\n"))
    follow.append(7)
    assert follow.read() == [4, 5, 6, 7]


def test_two_rotations_between_polls(follow: Follow) -> None:
    follow.append(*range(4))
    follow.begin()
    follow.read()
    follow.append(4)
    follow.log.rename(follow.folder / "access.log.2")
    follow.append(5)
    follow.log.rename(follow.folder / "access.log.1")
    follow.append(6)
    assert follow.read() == [4, 5, 6]


def test_a_truncated_file_is_read_from_its_beginning(follow: Follow) -> None:
    follow.append(*range(9))
    follow.begin()
    follow.read()
    follow.log.write_text(line(9))
    assert follow.read() == [9]
    assert follow.problems() == ["the file became shorter"]


def test_new_logs_are_found(follow: Follow) -> None:
    follow.begin("end")
    assert follow.problems() == ["nothing matches this pattern"]
    follow.append(*range(4))
    assert follow.read() == [0, 1, 2, 3]
    assert follow.problems() == []


def test_old_rotations_come_first(follow: Follow) -> None:
    follow.append(0, 1, file=follow.folder / "access.log.2")
    follow.append(2, file=follow.folder / "access.log.1")
    follow.append(3, 4)
    follow.begin()
    assert follow.read() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("polls", range(8))
def test_a_restart_goes_on_where_the_batches_ended(follow: Follow, polls: int) -> None:
    follow.append(*range(30), file=follow.folder / "access.log.1")
    follow.append(*range(30, 60))
    follow.begin()
    assert follow.follower is not None
    seen = []
    for _ in range(polls):
        for batch in follow.follower.poll():
            seen += [int(path[1:]) for path in batch.events["path"].to_list()]
    follow.begin(positions=follow.positions())
    seen += follow.read()
    follow.append(60)
    assert seen + follow.read() == list(range(61))


def test_a_restart_after_a_rotation(follow: Follow) -> None:
    follow.append(*range(6))
    follow.begin()
    follow.read()
    positions = follow.positions()
    follow.append(6)
    follow.log.rename(follow.folder / "access.log.1")
    follow.append(7)
    follow.begin(positions=positions)
    assert follow.read() == [6, 7]
    assert follow.problems() == []


def test_a_restart_when_the_file_is_gone_says_so(follow: Follow) -> None:
    follow.append(*range(6))
    follow.begin()
    follow.read()
    positions = follow.positions()
    follow.log.rename(follow.folder / "elsewhere")
    follow.append(7)
    follow.begin(positions=positions)
    assert follow.read() == [7]
    assert follow.problems() == ["the file read last is gone"]


def test_positions_increase_over_rotation_and_restart(follow: Follow) -> None:
    follow.append(*range(4))
    follow.begin()
    found: list[int] = []
    for _ in range(3):
        found += column(follow.batches(), "position")
        follow.log.rename(follow.folder / f"access.log.{9 - len(found)}")
        follow.append(5)
        follow.begin(positions=follow.positions())
    assert found == sorted(set(found))
    assert len(found) == 6


W3C = "#Software: a server\n#Fields: date time cs-uri-stem cs-method c-ip sc-status\n"


def w3c(*seconds: int) -> str:
    when = [NOON + timedelta(seconds=second) for second in seconds]
    return "".join(f"{at:%Y-%m-%d %H:%M:%S} /{at:%S} GET ::1 200\n" for at in when)


@pytest.mark.parametrize("start", ["beginning", "end"])
@pytest.mark.parametrize("log_format", ["auto", "w3c"])
def test_what_names_the_columns_is_known_in_the_middle_of_a_file(
    follow: Follow, log_format: str, start: Literal["beginning", "end"]
) -> None:
    """The order of these columns is told at the top of the file only.

    Failed, after the restart, when the `#Fields:` line in force was not stored (its columns were
    those of the standard's order, and no line could be read), and with `start` "end" when
    the head of the file was not looked at.
    """
    follow.format = log_format
    follow.log.write_text(W3C + w3c(*range(5)))
    follow.begin(start)
    read = [0, 1, 2, 3, 4] if start == "beginning" else []
    assert follow.read() == read
    with follow.log.open("a") as stream:
        stream.write(w3c(5, 6, 7, 8))
    assert follow.read() == [5, 6, 7, 8]
    follow.begin(positions=follow.positions())
    with follow.log.open("a") as stream:
        stream.write(w3c(9, 10))
    assert follow.read() == [9, 10]
    assert follow.follower is not None
    assert follow.follower.tally.quarantine.total == 0


def test_held_records_are_read_again_after_a_restart(follow: Follow) -> None:
    follow.append(0, 1)
    follow.begin()
    assert follow.read() == []
    positions = follow.positions()
    follow.append(2, 3)
    follow.begin(positions=positions)
    assert follow.read() == [0, 1, 2, 3]


@pytest.mark.parametrize("waiting", [(), (0,), (0, 1)])
def test_what_was_set_aside_behind_a_held_record_is_counted_once(
    follow: Follow, waiting: tuple[int, ...]
) -> None:
    """Failed when a partition did not store up to where it has counted."""
    follow.begin()
    follow.append(*waiting)
    with follow.log.open("a") as stream:
        stream.write("junk\n" * 3)
    assert follow.read() == []
    assert follow.follower is not None
    counted = follow.follower.tally.quarantine.total
    for more in range(3):
        follow.begin(positions=follow.positions())
        with follow.log.open("a") as stream:
            stream.write("junk\n" * more)
        follow.read()
        tally = follow.follower.tally
        counted += tally.quarantine.total
        assert tally.lines == tally.quarantine.total + len(waiting)
    assert counted == 6
    follow.append(2, 3, 4, 5)
    assert follow.read() == [*waiting, 2, 3, 4, 5]


def test_long_lines_are_passed_over(follow: Follow) -> None:
    follow.append(*range(4))
    with follow.log.open("a") as stream:
        stream.write("x" * (3 * LINE_LIMIT))
    follow.begin()
    assert follow.read() == [0, 1, 2, 3]
    with follow.log.open("a") as stream:
        stream.write("x\n")
    follow.append(4)
    assert follow.read() == [4]
    assert follow.follower is not None
    assert follow.follower.tally.quarantine.by_reason() == {"too_long": 1}


def test_idle_partitions_have_their_time_moved_on(follow: Follow) -> None:
    follow.append(*range(4))
    follow.begin()
    follow.read()
    assert follow.follower is not None
    assert follow.follower.tick() == []
    assert follow.follower.watermark == START + (3 - 5) * SECOND
    follow.now += 141 * SECOND
    (batch,) = follow.follower.tick()
    assert batch.events.is_empty()
    assert batch.watermark == follow.now - 125 * SECOND
    assert follow.follower.tick() == []
    follow.append(10)
    assert follow.read() == [10]
    assert follow.follower.late == 1


def test_an_empty_log_does_not_hold_others_back(follow: Follow) -> None:
    follow.append(*range(4))
    (follow.folder / "other.log").touch()
    follow.begin()
    follow.read()
    assert follow.follower is not None
    assert follow.follower.watermark is None
    follow.now += 131 * SECOND
    follow.follower.tick()
    assert follow.follower.watermark is not None
    assert follow.follower.watermark >= START - 5 * SECOND


def test_standard_input_cannot_be_followed() -> None:
    with pytest.raises(ValueError, match="cannot be followed"):
        LogFollower([FileSource(paths=("-",))])
