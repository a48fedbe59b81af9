"""Runs of the service that are killed at moments drawn by lot, and one that is not."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final, Literal

from sqlalchemy import Engine, create_engine, make_url, select, text

from alerts.database.models import CheckpointRow, FindingRow, NotificationRow, table_of
from tests.durability.feeds import Feed
from tests.durability.outcome import Outcome, outcome, undelivered
from tests.durability.process import Service
from tests.durability.story import PROBES, Story
from tests.receivers.web import Request, WebReceiver

#: When to kill: any time; while a transaction is written, or just after; while it starts; soon
#: after it has stored where it stands, so that the next one certainly goes on from there.
Moment = Literal["any", "writing", "starting", "stored"]
MOMENTS: Final[tuple[Moment, ...]] = ("any", "writing", "starting", "stored")

#: Seconds between two appends, and until a kill at any time at most.
PAUSE: Final = 0.03
LONGEST_LIFE: Final = 6.5
_LONGEST_START: Final = 3.0
_LONGEST_WRITE: Final = 0.008
_LONGEST_AFTER: Final = 1.0
_SECONDS: Final = 90.0

#: Nobody is told in bundles or late, and nothing counts as too old.
_SETTINGS: Final = """
{feed}
[store]
url = "{url}"
[api]
enabled = false
[routes]
learn = false  # what is learned takes effect when the wall clock wants it
[notify]
max_age = "10d"
[[notify.routes]]
name = "all"
targets = ["all", "grave"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "0s"
[targets.all]
url = "json://{receiver}/all?rto=3&cto=3"
min_level = "informational"
max_messages = 100000
[targets.grave]
url = "json://{receiver}/grave?rto=3&cto=3"
min_level = "high"
max_messages = 100000
{rules}
"""


@dataclass
class Run:
    """One service over one database and one feed, and who is told."""

    service: Service
    feed: Feed
    engine: Engine
    receiver: WebReceiver
    before: list[Request] = field(default_factory=list)

    @property
    def marks(self) -> list[str]:
        """The marks of all that came."""
        came = [*self.before, *self.receiver.requests]
        return [str(request.json()["idempotency_key"]) for request in came]

    def receiver_down(self) -> None:
        """Close the receiver: connections to it are refused."""
        self.before += self.receiver.requests
        self.receiver.close()

    def receiver_up(self) -> None:
        """Open it again, at the same port."""
        self.receiver = WebReceiver(self.receiver.port)

    def begin(self) -> None:
        """Start at the beginning of the feed, which is empty yet."""
        self.service.start()
        self.service.ready()

    def play(self, pieces: Sequence[Sequence[bytes]], pause: float = PAUSE) -> None:
        """Append piece by piece."""
        for piece in pieces:
            self.feed.append(piece)
            time.sleep(pause)

    def finish(self) -> Outcome:
        """Append the end, wait until all of it is stored and told, stop in order.

        What is not calm is told before: of what is over nobody needs to hear that it began.
        """
        service = self.service
        service.ready()
        service.wait(self._told, "that all is told", _SECONDS)
        self.feed.end()
        service.wait(self._read_to_end, "that all is read", _SECONDS)
        service.wait(self._told, "that all is told", _SECONDS)
        service.stop()
        said = undelivered(self.engine, self.marks)
        assert not said, "\n".join(said)
        return outcome(self.engine)

    def _read_to_end(self) -> bool:
        table = table_of(FindingRow)
        query = select(table.c.entity).where(
            table.c.entity.in_(self.feed.sentinels),
            table.c.value == PROBES,
            table.c.detector == "missing_path_scan",
        )
        with self.engine.connect() as connection:
            found = set(connection.execute(query).scalars())
        return found == set(self.feed.sentinels)

    def _told(self) -> bool:
        table = table_of(NotificationRow)
        query = select(table.c.id).where(table.c.state.in_(("pending", "bundled"))).limit(1)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is None

    def kill_at(self, moment: Moment, rng: Random) -> "Killing":
        """Kill it, from a thread of its own, when the moment has come."""
        if moment == "starting":
            wait: Callable[[], None] = partial(time.sleep, rng.uniform(0, _LONGEST_START))
        elif moment == "any":
            wait = partial(time.sleep, rng.uniform(0, LONGEST_LIFE))
        elif moment == "stored":
            wait = partial(self._until_stored, self._checkpoint(), rng.uniform(0, _LONGEST_AFTER))
        else:
            wait = partial(self._until_written, rng.randrange(12), rng.uniform(0, _LONGEST_WRITE))
        return Killing(wait, self.service.kill)

    def _checkpoint(self) -> str | None:
        """Return the checksum of the checkpoint, None if nothing was read before it."""
        table = table_of(CheckpointRow)
        query = select(table.c.sha256).where(table.c.watermark.is_not(None))
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def _until_stored(self, before: str | None, further: float) -> None:
        until = time.monotonic() + _SECONDS
        while self._checkpoint() == before and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(further)

    def _until_written(self, number: int, further: float) -> None:
        written = written_sqlite if self.engine.dialect.name == "sqlite" else written_postgresql
        until = time.monotonic() + LONGEST_LIFE
        for count, _ in enumerate(written(self.engine, until)):
            if count == number:
                time.sleep(further)
                return


class Killing(Thread):
    """Waits for a moment, then kills."""

    def __init__(self, wait: Callable[[], None], kill: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._wait = wait
        self._kill = kill
        self.done = Event()
        self.start()

    def run(self) -> None:
        """Wait and kill."""
        try:
            self._wait()
        finally:
            self._kill()
            self.done.set()


def written_sqlite(engine: Engine, until: float) -> Iterator[None]:
    """Yield whenever something is being written, to within a millisecond."""
    log = Path(f"{engine.url.database}-wal")
    before: tuple[int, int] | None = None
    while time.monotonic() < until:
        try:
            state = log.stat()
        except FileNotFoundError:
            continue
        now = (state.st_size, state.st_mtime_ns)
        if before is not None and now != before:
            yield
        before = now
        time.sleep(0.0005)


def written_postgresql(engine: Engine, until: float) -> Iterator[None]:
    """Yield whenever there is a transaction that has written something and is not over."""
    query = text(
        "select backend_xid from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_xid is not null limit 1"
    )
    before = None
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while time.monotonic() < until:
            now = connection.execute(query).scalar()
            if now is not None and now != before:
                yield
            before = now or before
            time.sleep(0.0005)


@contextmanager
def new_run(folder: Path, url: str, feed: Feed, rules: str) -> Iterator[Run]:
    """Prepare a run over an empty database; in the end nothing of it is left running."""
    receiver = WebReceiver()
    settings = _SETTINGS.format(feed=feed.settings, url=url, receiver=receiver.address, rules=rules)
    service = Service(folder, settings)
    engine = create_engine(make_url(url))
    try:
        yield Run(service, feed, engine, receiver)
    finally:
        service.kill()
        engine.dispose()
        receiver.close()


def uninterrupted(run: Run, told: Story, rng: Random, pieces: int = 40) -> Outcome:
    """Play a story without any accident."""
    run.begin()
    run.play(told.pieces(rng, pieces))
    return run.finish()


def crashed(run: Run, told: Story, rng: Random, moments: Sequence[Moment]) -> Outcome:
    """Play a story, and kill the service at each of these moments; what comes meanwhile waits."""
    lives = len(moments) + 1
    pieces = told.pieces(rng, 12 * lives)
    per_life = len(pieces) // lives
    run.begin()
    for moment in moments:
        killing = run.kill_at(moment, rng)
        for _ in range(per_life):
            run.feed.append(pieces.pop(0))
            killing.done.wait(rng.uniform(0, 2 * PAUSE))
        killing.join()
        run.service.start()
        if moment != "starting":
            run.service.ready()
    run.play(pieces)
    return run.finish()
