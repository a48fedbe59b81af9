"""What receivers answered, beside what Apprise tells of it.

Apprise's plugins send by `requests` and keep of an answer whether it was good. The status and
Retry-After are seen here, where every exchange of `requests` passes; without a watcher of the
present context it passes as it is. An Apprise that sends in another way is only seen less of.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import requests

from alerts.transports.answers import outcome_of, outcome_of_failure
from alerts.transports.outcome import IDEMPOTENCY_HEADER, Outcome


@dataclass(slots=True)
class Watch:
    """What came of the exchanges of one delivery: the last one that failed, else the last."""

    mark: str
    outcome: Outcome | None = None

    def note(self, outcome: Outcome) -> None:
        """Remember an exchange."""
        if not outcome.delivered or self.outcome is None or self.outcome.delivered:
            self.outcome = outcome


_watch: Final[ContextVar[Watch | None]] = ContextVar("vedette_watch", default=None)


@contextmanager
def watched(mark: str) -> Iterator[Watch]:
    """Watch what this context, and threads that copy it, exchange; each request gets the mark."""
    watch = Watch(mark)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def _watching(
    send: Callable[..., requests.Response],
) -> Callable[..., requests.Response]:
    @functools.wraps(send)
    def watching(
        session: requests.Session,
        request: requests.PreparedRequest,
        **options: Any,  # noqa: ANN401 - as requests has them
    ) -> requests.Response:
        watch = _watch.get()
        if watch is None:
            return send(session, request, **options)
        request.headers.setdefault(IDEMPOTENCY_HEADER, watch.mark)
        try:
            answer = send(session, request, **options)
        except requests.RequestException as error:
            watch.note(outcome_of_failure(error))
            raise
        watch.note(outcome_of(answer.status_code, answer.headers))
        return answer

    return watching


requests.Session.send = _watching(requests.Session.send)  # type: ignore[method-assign]
