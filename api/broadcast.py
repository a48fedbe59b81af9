"""One look at the database for all who listen: what happened to incidents, to each of them.

A listener that takes nothing for long is cut off rather than kept in memory: it comes back with
the number of what it saw last, and gets the rest.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from alerts.feed import News, newest_line, news_after

#: Seconds between two looks while somebody listens.
EVERY: Final = 1.0

#: News that wait for one listener at most.
WAITING: Final = 1_000

_log: Final = structlog.get_logger(__name__)

Listener = asyncio.Queue[News | None]


class Broadcast:
    """Hands news to listeners; looks at the database only while there are any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen = 0

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[Listener, int]]:
        """Give a queue of what comes, and the number after which it begins.

        None in the queue says that the listener was too slow and is cut off.
        """
        if self._task is None or self._task.done():
            self._seen = await run_in_threadpool(newest_line, self._engine)
            self._task = asyncio.create_task(self._look())
        queue: Listener = asyncio.Queue(WAITING + 1)
        self._listeners.add(queue)
        try:
            yield queue, self._seen
        finally:
            self._listeners.discard(queue)

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
