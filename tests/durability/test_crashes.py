"""After any number of crashes: the same incidents, the same people told, as without any.

What each part of the program does for that is taken out in `test_safeguards.py`, or was once by
hand; docstrings say what then failed here.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.durability.crashes import MOMENTS, Moment, crashed, new_run, uninterrupted
from tests.durability.feeds import LogFeed
from tests.durability.outcome import Outcome
from tests.durability.story import Story, story


@pytest.fixture(scope="module")
def told() -> Story:
    """What happens."""
    return story()


@pytest.fixture(scope="module")
def expected(told: Story, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What it comes to without a crash."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    feed = LogFeed(folder / "access.log")
    with new_run(folder, f"sqlite:///{folder / 'v.db'}", feed, told.settings) as run:
        found = uninterrupted(run, told, Random(1))
    assert len(found.incidents) >= 40
    assert {kind for kinds in found.told.values() for kind, _ in kinds} >= {"opened", "calm:1"}
    return found


@pytest.mark.parametrize("moments", [MOMENTS], ids="-".join)
def test_a_killed_service_that_follows_a_log(
    told: Story,
    expected: Outcome,
    database_url: str,
    tmp_path: Path,
    moments: Sequence[Moment],
) -> None:
    feed = LogFeed(tmp_path / "access.log")
    with new_run(tmp_path, database_url, feed, told.settings) as run:
        found = crashed(run, told, Random(6), moments)
    assert expected.differences(found) == []
