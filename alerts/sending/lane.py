"""Sending to one target, in the order that `deliveries` states; nothing here touches another's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Event
from typing import Final

import structlog
from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from alerts.messages import Message, render
from alerts.messages.notices import Notice
from alerts.muting.mutes import Muting
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.sending.bundles import Bundle, Pace, bundles_of
from alerts.sending.deliveries import Deliveries, Delivery
from alerts.sending.failing import WINDOW, Trouble
from alerts.sending.retries import ATTEMPT_LIMIT, LONGEST_RETRY_AFTER, verdict
from alerts.sending.survey import Survey
from alerts.sending.timers import Timers
from alerts.transports import Transport
from alerts.transports.outcome import Outcome

#: Messages of one target that may be under way; while so many fail, what is new waits. More than
#: one, so that a message that the receiver cannot take does not keep others back.
UNDER_WAY_LIMIT: Final = 3

#: Seconds between the steps of what takes many: in a storm the store comes first. SQLite lets in
#: whoever asks at the right moment, so without it a row of short writes keeps others out.
BREATH: Final = 0.03

_log: Final = structlog.get_logger(__name__)


class Lane:
    """One target, and all that it is told. Used by one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        target: Target,
        transport: Transport,
        *,
        routing: Routing,
        muting: Muting,
        link: str | None,
        options: str,
        stopping: Event,
    ) -> None:
        self.target = target
        self._transport = transport
        self._link = link
        self._options = options
        self._stopping = stopping
        self._deliveries = Deliveries(engine, target.name, lambda: stopping.wait(BREATH))
        self._survey = Survey(self._deliveries, target, routing, muting)
        self._timers = Timers(engine, target.name, routing, keeps_alerts=target.keeps_alerts)
        self._trouble = Trouble(engine, target, routing)
        self._in_trouble = False
        self._pace: Pace | None = None
        self._timers_at: datetime | None = None

    def round(self, clock: Callable[[], datetime]) -> int:
        """Send what is due; return how many messages were delivered."""
        now = clock()
        pace = self._pace or self._begin(now)
        self._look_at_timers(now)
        delivered = 0
        for delivery in self._deliveries.under_way(UNDER_WAY_LIMIT * 2):
            if delivery.again_at > now or self._stopping.is_set() or not pace.left(clock()):
                break
            delivered += self._attempt(delivery, pace, clock)
        if self._stopping.is_set() or not self._may_begin(pace, clock()):
            return delivered
        now = clock()
        for bundle in bundles_of(self._survey.ready(now), pace.left(now)):
            if self._stopping.is_set() or not self._may_begin(pace, clock()):
                break
            delivered += self._send(bundle, pace, clock)
        return delivered

    def _begin(self, now: datetime) -> Pace:
        """Take up what an earlier run of the program left."""
        since, limit = now - self.target.per, self.target.max_messages
        pace = Pace(self.target, self._deliveries.recent_attempts(since, limit))
        self._in_trouble = self._trouble.is_open()
        if self._in_trouble and self._deliveries.last_outcome() == "sent":
            self._recovered(now)
        self._pace = pace
        return pace

    def _look_at_timers(self, now: datetime) -> None:
        interval = self._timers.interval
        if interval is None or (self._timers_at is not None and now < self._timers_at):
            return
        self._timers.run(now)
        self._timers_at = now + interval

    def _may_begin(self, pace: Pace, now: datetime) -> bool:
        if not pace.left(now):
            return False
        return len(self._deliveries.under_way(UNDER_WAY_LIMIT)) < UNDER_WAY_LIMIT

    def _send(self, bundle: Bundle, pace: Pace, clock: Callable[[], datetime]) -> bool:
        delivery = self._deliveries.bundle(bundle, clock())
        return delivery is not None and self._attempt(delivery, pace, clock)

    def _attempt(self, delivery: Delivery, pace: Pace, clock: Callable[[], datetime]) -> bool:
        if delivery.attempts >= ATTEMPT_LIMIT:
            # It was never heard how the last one ended: the program stopped in its midst.
            error = f"the program stopped in the midst of attempt {delivery.attempts}"
            self._give_up(delivery, error, clock())
            self._deliveries.give_up(delivery, error, clock())
            return False
        self._deliveries.leave_out(delivery)
        notice = self._deliveries.notice(delivery, self._link)
        if notice is None:
            self._deliveries.abandon(delivery, clock())
            return False
        with bound_contextvars(delivery=delivery.id, incidents=_numbers(notice)):
            return self._try(delivery, notice, pace, clock)

    def _try(
        self, delivery: Delivery, notice: Notice, pace: Pace, clock: Callable[[], datetime]
    ) -> bool:
        message = self._message(notice)
        title = message.title if isinstance(message, Message) else ""
        attempt = self._deliveries.begin(delivery, title, clock())
        pace.began(clock(), digest=delivery.digest)
        outcome = self._delivered(message) if isinstance(message, Message) else message
        now = clock()
        decided = verdict(outcome, attempt.count, now)
        if decided.state == "dead":
            self._give_up(delivery, decided.error, now)
        self._deliveries.end(attempt, decided, now)
        self._note(outcome, attempt.count, pace, now)
        return outcome.delivered

    def _message(self, notice: Notice) -> Message | Outcome:
        """Write it; a fault in that is a failed attempt: it must not hold up others for ever."""
        try:
            return render(replace(notice, options=self._options), self.target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it counts
            fault = type(error).__name__
            _log.error("message cannot be written", target=self.target.name, error=fault)
            return Outcome(delivered=False, error=f"the program failed to write it ({fault})")

    def _delivered(self, message: Message) -> Outcome:
        """Send; a fault of the way there is a failed attempt like others, not the lane's end."""
        try:
            return self._transport.deliver(message)
        except Exception as error:  # noqa: BLE001 - plugins by others: what they raise has no bounds
            fault = type(error).__name__
            _log.error("way to target failed", target=self.target.name, error=fault)
            return Outcome(delivered=False, error=f"the program failed to send it ({fault})")

    def _give_up(self, delivery: Delivery, error: str | None, now: datetime) -> None:
        """Tell others; before the delivery is dead, so that it cannot be forgotten."""
        self._trouble.report(self._deliveries.dead_since(now - WINDOW) + 1, error, now)
        self._in_trouble = True
        if self.target.fallback is not None:
            self._deliveries.pass_on(delivery, self.target.fallback, now)

    def _note(self, outcome: Outcome, count: int, pace: Pace, now: datetime) -> None:
        if outcome.delivered:
            if self._in_trouble:
                self._recovered(now)
            return
        if outcome.retry_after is not None:
            pace.pause(now + min(outcome.retry_after, LONGEST_RETRY_AFTER))
        _log.warning(
            "message not delivered",
            target=self.target.name,
            attempt=count,
            of=ATTEMPT_LIMIT,
            error=outcome.error,
        )

    def _recovered(self, now: datetime) -> None:
        self._trouble.over(now)
        self._in_trouble = False


def _numbers(notice: Notice) -> str:
    return ",".join(str(item.incident.id) for item in notice.items)
