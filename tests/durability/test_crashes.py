"""After any number of crashes: the same incidents, the same people told, as without any.

`python -m bench.crash` is the same with any number of kills and any seed, and of logs and topics on
either database: here each source has one of them. The wall clock decides
nothing here: see `story` (ticks never reach its times) and the settings of `crashes` (nothing is
learned, bundled or too old).
"""

from pathlib import Path
from random import Random

import pytest

from tests.broker.fixtures import MakeTopic
from tests.durability.crashes import crashed, new_run
from tests.durability.feeds import PARTITIONS, LogFeed, topic_feed
from tests.durability.outcome import Outcome
from tests.durability.story import Story


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_killed_service_that_follows_a_log(
    told: Story, expected: Outcome, database_url: str, tmp_path: Path
) -> None:
    """Failed, with twenty incidents missing or different, when detector state was not restored.

    The fence of the lease and taking over are tried where several processes are: tests/vedette/
    test_standby.py and tests/alerts/test_lease.py.
    """
    feed = LogFeed(tmp_path / "access.log")
    with new_run(tmp_path, database_url, feed, told.settings) as run:
        found = crashed(run, told, Random(6), ["stored", "writing", "starting"])
    assert expected.differences(found) == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_killed_service_that_reads_a_topic(  # noqa: PLR0917 - fixtures
    told: Story,
    expected: Outcome,
    database_url: str,
    bootstrap: str,
    make_topic: MakeTopic,
    tmp_path: Path,
) -> None:
    """Failed when reading went on at the beginning, as if no place were stored.

    With kills at any time it passed, as nothing was stored yet: so the first is after a checkpoint.
    """
    topic = make_topic(PARTITIONS)
    with (
        topic_feed(bootstrap, topic) as feed,
        new_run(tmp_path, database_url, feed, told.settings) as run,
    ):
        found = crashed(run, told, Random(8), ["stored", "any"])
    assert expected.differences(found) == []
