"""What the service needs is away for a while: the same incidents, the same people told.

The database, its disk, the broker, a receiver.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.broker.fixtures import create_topic
from tests.broker.launch import Broker
from tests.databases.fixtures import shown
from tests.databases.postgresql import obstacle, running_server
from tests.durability.crashes import Run, new_run
from tests.durability.feeds import PARTITIONS, LogFeed, topic_feed
from tests.durability.outcome import Outcome
from tests.durability.postmaster import Postmaster
from tests.durability.story import Story

PIECES: Final = 30
REFUSED: Final = "cannot write to the database"


def test_a_receiver_that_was_down(told: Story, expected: Outcome, tmp_path: Path) -> None:
    """Failed when each attempt had a mark of its own (`deliveries`: the Notice's mark)."""
    feed = LogFeed(tmp_path / "access.log")
    pieces = told.pieces(Random(2), PIECES)
    with new_run(tmp_path, f"sqlite:///{tmp_path / 'v.db'}", feed, told.settings) as run:
        run.begin()
        run.play(pieces[:15])
        run.receiver_down()
        run.play(pieces[15:])
        run.service.wait(lambda: failed_attempts(run) > 0, "that a message was refused")
        run.receiver_up()
        found = run.finish()
    assert expected.differences(found) == []


def failed_attempts(run: Run) -> int:
    with run.engine.connect() as connection:
        query = "select count(*) from delivery_attempts where error is not null"
        return int(connection.exec_driver_sql(query).scalar_one())


def test_a_restarted_database(told: Story, expected: Outcome, tmp_path: Path) -> None:
    """PostgreSQL is stopped without finishing anything, and is away for some time.

    Failed, as the process ended, when the worker did not try again what the database refused
    (`worker._save`).
    """
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    pieces = told.pieces(Random(3), PIECES)
    with running_server() as server, Postmaster.of(server.url) as postmaster:
        url = shown(server.create())
        feed = LogFeed(tmp_path / "access.log")
        with new_run(tmp_path, url, feed, told.settings) as run:
            run.begin()
            run.play(pieces[:12])
            postmaster.crash()
            run.play(pieces[12:20])
            run.service.wait(lambda: REFUSED in run.service.words(), "that the database is away")
            postmaster.start()
            run.engine.dispose()
            run.play(pieces[20:])
            found = run.finish()
    assert expected.differences(found) == []


def test_a_restarted_broker(
    told: Story, expected: Outcome, own_broker: Broker, tmp_path: Path
) -> None:
    """Killed while it is read; the worker reads on when it is back.

    Failed when fetching did not connect again (`Fetching.step` after `begin_anew`).
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415

    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    create_topic(admin, "access", PARTITIONS)
    admin.close()
    pieces = told.pieces(Random(4), PIECES)
    url = f"sqlite:///{tmp_path / 'v.db'}"
    with (
        topic_feed(own_broker.bootstrap, "access") as feed,
        new_run(tmp_path, url, feed, told.settings) as run,
    ):
        run.begin()
        run.play(pieces[:12])
        feed.disconnect()
        own_broker.kill()
        own_broker.start()
        run.play(pieces[12:])
        found = run.finish()
    assert expected.differences(found) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "vedette-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(told: Story, expected: Outcome, small_disk: Path, tmp_path: Path) -> None:
    """Failed when the worker forgot the findings that it could not store (`_unsaved`)."""
    feed = LogFeed(tmp_path / "access.log")
    pieces = told.pieces(Random(5), PIECES)
    with new_run(tmp_path, f"sqlite:///{small_disk / 'v.db'}", feed, told.settings) as run:
        run.begin()
        run.play(pieces[:12])
        ballast = small_disk / "ballast"
        fill(ballast)
        run.play(pieces[12:20])
        run.service.wait(lambda: REFUSED in run.service.words(), "that the disk is full")
        ballast.unlink()
        run.play(pieces[20:])
        found = run.finish()
    assert expected.differences(found) == []


def fill(ballast: Path) -> None:
    """Take all the room that there is."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_files_that_may_not_grow(told: Story, expected: Outcome, tmp_path: Path) -> None:
    """As with a quota: writes beyond a size fail, also those to the journal."""
    feed = LogFeed(tmp_path / "access.log")
    pieces = told.pieces(Random(9), PIECES)
    database = tmp_path / "v.db"
    with new_run(tmp_path, f"sqlite:///{database}", feed, told.settings) as run:
        run.begin()
        run.play(pieces[:12])
        limit(run, 200_000)
        run.play(pieces[12:20])
        run.service.wait(lambda: REFUSED in run.service.words(), "that nothing can be written")
        limit(run, resource.RLIM_INFINITY)
        run.play(pieces[20:])
        found = run.finish()
    assert expected.differences(found) == []


def limit(run: Run, size: int) -> None:
    """Let the service write no file beyond this size."""
    hard = resource.prlimit(run.service.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(run.service.pid, resource.RLIMIT_FSIZE, (size, hard))
