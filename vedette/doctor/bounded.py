"""Jobs in threads of their own that are waited for only so long."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: Jobs of one kind that run side by side.
AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a job returned."""

    value: T


@dataclass(frozen=True, slots=True)
class Broken:
    """A job that raised. The text of the error is not kept: it may hold anything."""

    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class Late:
    """A job that did not end in time; its thread is left to itself and ends with the program."""

    seconds: float


Outcome = Done[T] | Broken | Late


def together(
    jobs: Sequence[Callable[[], T]], seconds: float, at_once: int = AT_ONCE
) -> list[Outcome[T]]:
    """Run jobs side by side, at most so many, and return their outcomes in the same order.

    Each has `seconds` from its own beginning. None of them ends another one.
    """
    outcomes: list[Outcome[T]] = [Late(seconds) for _ in jobs]
    ended: SimpleQueue[tuple[int, Outcome[T]]] = SimpleQueue()
    waiting = deque(enumerate(jobs))
    until: dict[int, float] = {}
    while waiting or until:
        while waiting and len(until) < at_once:
            number, job = waiting.popleft()
            until[number] = monotonic() + seconds
            Thread(target=_run, args=(number, job, ended), name="doctor", daemon=True).start()
        try:
            number, outcome = ended.get(timeout=max(0.0, min(until.values()) - monotonic()))
        except Empty:
            now = monotonic()
            until = {number: end for number, end in until.items() if end > now}
            continue
        if until.pop(number, None) is not None:
            outcomes[number] = outcome
    return outcomes


def _run(number: int, job: Callable[[], T], ended: "SimpleQueue[tuple[int, Outcome[T]]]") -> None:
    try:
        value = job()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's outcome
        ended.put((number, _broken(error)))
    else:
        ended.put((number, Done(value)))


def _broken(error: Exception) -> Broken:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return Broken(type(error).__name__, place)
