"""The story that all crash tests play, and what it comes to."""

from random import Random

import pytest

from tests.durability.crashes import new_run, uninterrupted
from tests.durability.feeds import LogFeed
from tests.durability.outcome import Outcome
from tests.durability.story import Story, story


@pytest.fixture(scope="session")
def told() -> Story:
    """What happens."""
    return story()


@pytest.fixture(scope="session")
def expected(told: Story, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What it comes to without any accident."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    feed = LogFeed(folder / "access.log")
    with new_run(folder, f"sqlite:///{folder / 'v.db'}", feed, told.settings) as run:
        found = uninterrupted(run, told, Random(1))
    assert len(found.incidents) >= 40
    assert {kind for kinds in found.told.values() for kind, _ in kinds} >= {"opened", "calm:1"}
    return found
