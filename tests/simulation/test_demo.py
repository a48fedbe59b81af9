"""The live demo: attacks early and steadily, lines appended as their time comes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from vedette.simulation import lines
from vedette.simulation.demo import EPISODE, ORDER, SILENT, DemoStream, appending

START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
SPEED = 60.0


def _stream(path: Path, speed: float = SPEED, requests_per_second: float = 5.0) -> DemoStream:
    write = appending(path)
    return DemoStream(write, 1, speed, start=START, requests_per_second=requests_per_second)


def test_attacks_come_early_and_one_by_one(tmp_path: Path) -> None:
    stream = _stream(tmp_path / "access.log", speed=SPEED)
    run = stream.episode(0)
    ends = sorted(
        (truth.ended_at - START).total_seconds() / SPEED
        for truth in run.truth
        if truth.kind == "attack"
    )
    assert len(ends) == 7
    assert ends[0] < 5
    assert ends[-1] < EPISODE
    assert all(later - earlier < 12 for earlier, later in pairwise(ends))


@pytest.mark.parametrize("speed", [1.0, 10.0, 300.0])
def test_every_speed_shows_every_attack(tmp_path: Path, speed: float) -> None:
    run = _stream(tmp_path / "access.log", speed=speed, requests_per_second=1.0).episode(0)
    assert len(run.truth) == len(ORDER) + len(SILENT)


def test_episodes_follow_each_other_with_fresh_seeds(tmp_path: Path) -> None:
    stream = _stream(tmp_path / "access.log", speed=1.0)
    first, second = stream.episode(0), stream.episode(1)
    assert second.start == first.start + first.duration
    assert second.seed == first.seed + 1
    assert first.events["timestamp"].to_list()[-1] < second.start
    assert second.events["timestamp"].to_list()[0] >= second.start


def test_the_exception_outlasts_the_demo(tmp_path: Path) -> None:
    stream = _stream(tmp_path / "access.log")
    assert f'until = "{START + timedelta(days=3650):%Y-%m-%d}' in stream.settings_toml


def test_lines_are_appended_in_order_until_stopped(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("already here\n", encoding="utf-8")
    stream = _stream(log)
    stream.start()
    for _ in range(400):
        if log.read_text(encoding="utf-8").count("\n") > 100:
            break
        Event().wait(0.05)
    stream.stop()
    written = log.read_text(encoding="utf-8")
    assert written.endswith("\n")
    found = written.splitlines()
    assert len(found) > 100
    expected = list(lines(stream.episode(0)))
    assert found == ["already here", *expected[: len(found) - 1]]
    stream.stop()
    assert log.read_text(encoding="utf-8") == written


def test_a_stream_that_never_began_can_be_stopped(tmp_path: Path) -> None:
    _stream(tmp_path / "access.log").stop()


def test_stop_says_why_the_stream_ended(tmp_path: Path) -> None:
    stream = _stream(tmp_path / "missing" / "access.log")
    stream.start()
    stream._thread.join(timeout=30)
    with pytest.raises(FileNotFoundError):
        stream.stop()


def test_speed_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        _stream(tmp_path / "access.log", speed=0.0)
