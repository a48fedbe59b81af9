"""Troubles of one input: what fails now, and when to try again."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from ingest.logs import InputProblem, problem_of

_MICROSECOND: Final = timedelta(microseconds=1)
#: Waits before what failed is tried again: the first, and the longest.
RETRY: Final = timedelta(seconds=1) // _MICROSECOND
RETRY_MOST: Final = timedelta(minutes=1) // _MICROSECOND


class Troubles:
    """A failure that lasts is one problem, and is gone when it is over. Times in microseconds."""

    def __init__(self) -> None:
        self._fault: InputProblem | None = None
        self._since = self._retry_at = self._wait = 0

    @property
    def problems(self) -> list[InputProblem]:
        """What fails now."""
        return [self._fault] if self._fault else []

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._fault is not None

    def waits(self, now: int) -> bool:
        """Whether it is too early to try again."""
        return self.failing and now < self._retry_at

    def lasted(self, now: int) -> int:
        """How long it has been failing."""
        return now - self._since if self.failing else 0

    def failed(self, path: Path, error: OSError, now: int) -> None:
        """Something failed; the waits double."""
        if not self.failing:
            self._since = now
        self._wait = min(max(2 * self._wait, RETRY), RETRY_MOST)
        self._retry_at = now + self._wait
        self._fault = problem_of(str(path), error)

    def over(self) -> None:
        """It works again."""
        self._fault, self._wait = None, 0
