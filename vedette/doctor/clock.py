"""The clock of this machine, against those that it works with; time zones."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Engine, text

from vedette.doctor.brokers import check_topic_times
from vedette.doctor.database import stored
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

#: Clocks that differ by more are looked at, by more than that are wrong.
SLIGHT: Final = timedelta(seconds=2)
WRONG: Final = timedelta(seconds=60)

#: A zone that every set of time zones has, and that has had summer time.
_ZONE: Final = "Europe/Paris"


def check_clock(at: Surroundings) -> Iterator[Remark]:
    """Compare clocks, and look for data of time zones."""
    try:
        ZoneInfo(_ZONE)
    except ZoneInfoNotFoundError:
        yield fail(
            "there is no data of time zones: a source's timezone cannot be anything but UTC",
            "install the system's package tzdata, or pip install tzdata",
        )
    else:
        yield ok("data of time zones is there")
    yield from stored(at, _database)
    if at.clusters:
        yield from check_topic_times(at)


def _database(engine: Engine) -> Iterable[Remark]:
    if engine.dialect.name == "sqlite":
        return [skipped("the database has no clock of its own")]
    before = datetime.now(UTC)
    with engine.connect() as connection:
        theirs = connection.execute(text("select clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    off = max(before - theirs, theirs - after, timedelta(0))
    seen = f"the database's clock is {off.total_seconds():.1f} s off ours"
    advice = "set both clocks (NTP): leases and times of deliveries go by them"
    if off > WRONG:
        return [fail(seen, advice)]
    return [warn(seen, advice) if off > SLIGHT else ok(seen)]
