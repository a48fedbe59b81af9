"""One look at the database for all who listen: what happened to incidents, to each of them.

A listener that takes nothing for long is cut off rather than kept in memory: it comes back with
the number of what it saw last, and gets the rest.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from alerts.lists.feed import News, newest_line, news_after

#: Seconds between two looks while somebody listens.
EVERY: Final = 1.0

#: News that wait for one listener at most.
WAITING: Final = 1_000

#: Who listens at once, at most: all, and one caller.
LISTENERS: Final = 100
CALLER_LISTENERS: Final = 10

_log: Final = structlog.get_logger(__name__)

Listener = asyncio.Queue[News | None]


class CrowdedError(Exception):
    """Too many listen; `by_caller` if it is the one who asks."""

    def __init__(self, *, by_caller: bool) -> None:
        super().__init__("you listen too often" if by_caller else "too many listen")
        self.by_caller = by_caller


class Broadcast:
    """Hands news to listeners; looks at the database only while there are any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places: Counter[str] = Counter()
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen = 0
        self._begins = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._places.total()

    @asynccontextmanager
    async def listening(self, caller: str) -> AsyncIterator[tuple[Listener, int]]:
        """Give a queue of what comes, and the number after which it begins.

        None in the queue says that the listener was too slow and is cut off. Raises CrowdedError
        if too many listen, or too often this caller.
        """
        if self._places[caller] >= CALLER_LISTENERS or self.listeners >= LISTENERS:
            raise CrowdedError(by_caller=self._places[caller] >= CALLER_LISTENERS)
        self._places[caller] += 1
        queue: Listener = asyncio.Queue(WAITING + 1)
        try:
            yield queue, await self._begin(queue)
        finally:
            self._listeners.discard(queue)
            self._places -= Counter((caller,))

    async def _begin(self, queue: Listener) -> int:
        """Hand news to a queue from now on, and return the last one before; one looks for all."""
        async with self._lock_of_this_loop():
            looking = self._task is not None and not self._task.done()
            if not looking:
                self._seen = await run_in_threadpool(newest_line, self._engine)
            self._listeners.add(queue)
            if not looking:
                self._task = asyncio.create_task(self._look())
            return self._seen

    def _lock_of_this_loop(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._begins, self._task = loop, asyncio.Lock(), None
        return self._begins

    async def _look(self) -> None:
        while self._listeners:
            try:
                news = await run_in_threadpool(news_after, self._engine, self._seen)
            except SQLAlchemyError as error:
                _log.warning("news cannot be read", error=type(error).__name__)
                news = ()
            for each in news:
                self._hand_out(each)
            if not news:
                await asyncio.sleep(EVERY)

    def _hand_out(self, news: News) -> None:
        self._seen = news.id
        for queue in tuple(self._listeners):
            if queue.qsize() >= WAITING:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(news)
