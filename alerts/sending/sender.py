"""The outbox out: each target by itself, with retries, at least once.

A round of one target, as in Alertmanager one stage after another: `timers` add reminders and
escalations; what is under way is tried again; `survey` goes through what is due (`judging`: is it
told at all; `mutes`: now; `bundles`: with what); `deliveries` writes down what is about to be
sent, and how that went; `retries` says what follows; `failing` tells others of what does not
arrive. `lane` puts them together. What is left of targets that are no longer in the settings is
ended by `departed`.
"""

import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alerts.database.times import utc_now
from alerts.messages import template_problem
from alerts.muting.mutes import Muting
from alerts.recovery.lease import LeaseLostError
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.sending.departed import Departed
from alerts.sending.lane import Lane
from alerts.transports import Transport, transport_of

_log: Final = structlog.get_logger(__name__)

#: Does what is due by a clock; returns how many messages were delivered.
_Round = Callable[[Callable[[], datetime]], int]


class Sender:
    """Sends what is in the outbox; one thread a target, so that a slow one delays no other."""

    def __init__(
        self,
        engine: Engine,
        targets: Sequence[Target],
        *,
        routing: Routing | None = None,
        muting: Muting | None = None,
        link: str | None = None,
        options: str = "",
        transports: Callable[[Target], Transport] = transport_of,
        now: Callable[[], datetime] = utc_now,
        interval: float = 1.0,
    ) -> None:
        """Set up the targets; raises TargetError.

        `routing` says how rows are bundled, repeated and escalated, `muting` what has to wait,
        `link` where the page is, for messages, and `options` what the commands in them need, as
        " --config FILE". Without routing and muting everything is told at once.
        `interval` is in seconds between looks at the outbox; `wake` makes one at once.
        """
        self._stopping = threading.Event()
        _report_templates(targets)
        lanes = [
            Lane(
                engine,
                target,
                transports(target),
                routing=routing or Routing([]),
                muting=muting or Muting(),
                link=link,
                options=options,
                stopping=self._stopping,
            )
            for target in targets
        ]
        names = [target.name for target in targets]
        departed = Departed(engine, names, routing or Routing([]))
        self._rounds: list[tuple[str, _Round, threading.Event]] = [
            (name, begin, threading.Event())
            for name, begin in [
                *((lane.target.name, lane.round) for lane in lanes),
                ("(departed)", departed.round),
            ]
        ]
        self._now = now
        self._interval = interval
        self._threads: list[threading.Thread] = []

    def run_once(self, now: datetime) -> int:
        """Send what is due at `now`, target by target; return how many messages were delivered."""
        return sum(begin(lambda: now) for _, begin, _ in self._rounds)

    def start(self) -> None:
        """Begin sending in threads; does nothing while they run."""
        if self._threads:
            return
        self._stopping.clear()
        self._threads = [
            threading.Thread(
                target=self._loop, args=(name, begin, wake), name=f"sender-{name}", daemon=True
            )
            for name, begin, wake in self._rounds
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at the outbox now: something was added. Waits for nothing."""
        for _, _, wake in self._rounds:
            wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End sending; waits up to `timeout` seconds in all for messages in flight."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join(timeout / len(self._threads))
        self._threads = []

    def _loop(self, name: str, begin: _Round, wake: threading.Event) -> None:
        while not self._stopping.is_set():
            wake.clear()
            try:
                begin(self._now)
            except LeaseLostError:
                _log.warning("another worker sends now", target=name)
                return
            except SQLAlchemyError as error:
                _log.warning(
                    "outbox unusable, next try soon",
                    target=name,
                    error=type(error).__name__,
                )
            except Exception as error:  # noqa: BLE001 - a thread that ends tells nobody anything
                _log.error(
                    "sending failed unexpectedly, next try soon",
                    target=name,
                    error=type(error).__name__,
                    where=_place(error),
                )
            wake.wait(self._interval)


def _place(error: BaseException) -> str:
    """Return where an error comes from; not what it says, which may hold secrets."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _report_templates(targets: Sequence[Target]) -> None:
    """Say at the start, not in the first message, which templates of users are broken."""
    for target in targets:
        problem = template_problem(target)
        if problem is not None:
            _log.warning("template unusable, ours is sent", target=target.name, error=problem)
