"""What a process is told by signals and its time limit: to stop, or to begin anew."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from types import FrameType
from typing import Final

import structlog

#: How long stopping may take after a signal, before the process leaves as it is.
DRAIN: Final = timedelta(seconds=9)

_log: Final = structlog.get_logger("vedette.service")


@dataclass
class Orders:
    """`stop` is set when the work is to end: `for_good`, or to begin anew after `renewed`."""

    stop: Event = field(default_factory=Event)
    for_good: bool = False

    def end(self) -> None:
        """End the work for good."""
        self.for_good = True
        self.stop.set()

    def renewed(self) -> None:
        """Let the work begin anew, unless it was told to end for good meanwhile."""
        self.stop.clear()
        if self.for_good:
            self.stop.set()


@contextmanager
def orders(
    limit: timedelta | None,
    ended: Event | None = None,
    hang_up: Callable[[], bool] | None = None,
) -> Iterator[Orders]:
    """Give orders that SIGINT, SIGTERM and the limit end; put the handlers back after.

    With `ended`, the process leaves DRAIN after a signal, unless that is set by then. `hang_up` is
    called after SIGHUP, and says whether to begin anew.

    A handler runs in the thread that waits for the event, and may find it holding the event's
    lock: setting it there would wait for itself. So the handler only puts a word into a queue,
    which is safe at any moment, and a thread that listens sets the event.
    """
    given = Orders()
    told: SimpleQueue[int | None] = SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    def listen() -> None:
        until = None if limit is None else monotonic() + limit.total_seconds()
        try:
            for word in _words(told, until):
                if word == signal.SIGHUP and hang_up is not None:
                    if hang_up():
                        given.stop.set()
                    continue
                if word is not None and ended is not None:
                    leaving = Thread(target=_leave_in_time, args=(ended,), daemon=True)
                    leaving.start()
                break
        finally:  # whatever `hang_up` raises: nobody listens to SIGTERM any more
            given.end()

    wanted = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hang_up is not None else [])]
    before = {number: signal.signal(number, on_signal) for number in wanted}
    listener = Thread(target=listen, name="orders", daemon=True)
    listener.start()
    try:
        yield given
    finally:
        told.put(None)
        listener.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def _words(told: "SimpleQueue[int | None]", until: float | None) -> Iterator[int | None]:
    """Yield what is told until a time."""
    while True:
        try:
            yield told.get(timeout=None if until is None else max(until - monotonic(), 0))
        except Empty:
            return


def _leave_in_time(ended: Event) -> None:
    """Leave when the time to drain is over: a crash loses nothing at any moment, nor does this."""
    if not ended.wait(DRAIN.total_seconds()):
        _log.warning("not drained in time; the next start reads again what is missing")
        sys.stderr.flush()
        os._exit(0)
