"""What follows from an attempt to deliver: sent, tried again, or given up."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from alerts.transports.outcome import Outcome

#: Wait before the second attempt; it doubles with each further one.
FIRST_WAIT: Final = timedelta(seconds=5)

#: Longest wait between two attempts.
LONGEST_WAIT: Final = timedelta(minutes=15)

#: Longest wait that a receiver may ask for.
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)

#: Attempts after which a message is given up.
ATTEMPT_LIMIT: Final = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery: `again_at` is when it is tried next, if it is."""

    state: Literal["sent", "pending", "dead"]
    error: str | None = None
    again_at: datetime | None = None


def verdict(outcome: Outcome, attempts: int, now: datetime) -> Verdict:
    """Decide after an attempt that ended at `now`; `attempts` counts it."""
    if outcome.delivered:
        return Verdict("sent")
    if outcome.permanent or attempts >= ATTEMPT_LIMIT:
        return Verdict("dead", outcome.error)
    asked = min(outcome.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return Verdict("pending", outcome.error, now + max(asked, backoff(attempts)))


def backoff(attempts: int) -> timedelta:
    """Return the wait after so many attempts: doubling, capped, half of it by chance."""
    wait: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 30), LONGEST_WAIT)
    return wait * (0.5 + secrets.randbelow(501) / 1000)
