"""Sessions as flat arrays of requests: who calls which route, when, with which fixed status."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from vedette.simulation.actions import ACTIONS
from vedette.simulation.draws import FloatArray, IntArray, choose_rows, positions
from vedette.simulation.kinds import KINDS
from vedette.simulation.population import CLASSES
from vedette.simulation.routes import route_table

#: No session is longer.
LONGEST_MINUTES: Final = 30
ORIGINS: Final = ("none", "site", "outside")

_LONGEST_US: Final = LONGEST_MINUTES * 60_000_000
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.15, 240.0
_SPREAD_OF_PAUSES: Final = 0.5


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of many sessions, those of one session next to each other.

    `session` and `step` number them from 0, `route` is an index of the route table, `offset` in
    microseconds since the session began, `status` 0 where the route's mix decides, `origin` an
    index of ORIGINS.
    """

    session: IntArray
    step: IntArray
    route: IntArray
    offset: IntArray
    status: IntArray
    origin: IntArray
    signed_in: IntArray


@dataclass(frozen=True, slots=True)
class _Plan:
    """ACTIONS and KINDS as arrays."""

    calls_of: IntArray
    first_call: IntArray
    route: IntArray
    delay: FloatArray
    chance: FloatArray
    status: IntArray
    origin: IntArray
    kinds_of_class: FloatArray
    first_action: FloatArray
    later_action: FloatArray
    has_first: IntArray


@lru_cache(maxsize=1)
def _plan() -> _Plan:
    table = route_table()
    lengths = np.array([len(calls) for calls in ACTIONS.values()])
    calls = [call for calls in ACTIONS.values() for call in calls]
    return _Plan(
        calls_of=lengths,
        first_call=np.cumsum(lengths) - lengths,
        route=np.array([table.index[call.route] for call in calls]),
        delay=np.array([float(call.delay) for call in calls]),
        chance=np.array([call.chance for call in calls]),
        status=np.array([call.status for call in calls]),
        origin=np.array([ORIGINS.index(call.origin) for call in calls]),
        kinds_of_class=np.array(
            [[kind.weight * (kind.of == name) for kind in KINDS] for name in CLASSES]
        ),
        first_action=np.array([_weights(kind.first or kind.actions) for kind in KINDS]),
        later_action=np.array([_weights(kind.actions) for kind in KINDS]),
        has_first=np.array([int(kind.first is not None) for kind in KINDS]),
    )


def _weights(actions: Mapping[str, float]) -> list[float]:
    return [actions.get(name, 0.0) for name in ACTIONS]


def draw_sessions(rng: np.random.Generator, classes: IntArray) -> Requests:
    """Return what sessions of clients of these classes (indices of CLASSES) consist of."""
    plan = _plan()
    kind = choose_rows(rng, plan.kinds_of_class, classes)
    steps = _steps(rng, kind)
    session = np.repeat(np.arange(len(kind)), steps)
    place = positions(steps)
    kind_of_step = kind[session]
    begins = _beginnings(rng, kind_of_step, place, steps)
    action = np.where(
        (place == 0) & (plan.has_first[kind_of_step] == 1),
        choose_rows(rng, plan.first_action, kind_of_step),
        choose_rows(rng, plan.later_action, kind_of_step),
    )
    calls = plan.calls_of[action]
    step = np.repeat(np.arange(len(action)), calls)
    call = plan.first_call[action][step] + positions(calls)
    delay = plan.delay[call] * (0.7 + 0.6 * rng.random(len(call))) * 1_000
    offset = np.maximum(begins[step] + delay, 0).astype(np.int64)
    keep = (rng.random(len(call)) < plan.chance[call]) & (offset < _LONGEST_US)
    step, call = step[keep], call[keep]
    signed_in = np.array([int(each.signed_in) for each in KINDS])
    return Requests(
        session=session[step],
        step=step,
        route=plan.route[call],
        offset=offset[keep],
        status=plan.status[call],
        origin=plan.origin[call],
        signed_in=signed_in[kind_of_step[step]],
    )


def _steps(rng: np.random.Generator, kind: IntArray) -> IntArray:
    first = _plan().has_first[kind]
    mean = np.array([each.steps for each in KINDS])[kind]
    most = np.array([each.most for each in KINDS])[kind]
    least = np.array([each.least or 0 for each in KINDS])[kind]
    even = least + (rng.random(len(kind)) * (most - least + 1)).astype(np.int64)
    # Where a first action comes before, there may be no other: a visit of one page.
    geometric = rng.geometric(1 / np.maximum(mean + first, 1.0)) - first
    steps: IntArray = np.where(least > 0, even, np.minimum(geometric, most)) + first
    return steps


def _beginnings(
    rng: np.random.Generator, kind: IntArray, place: IntArray, steps: IntArray
) -> FloatArray:
    """Return when each step begins, in microseconds since its session did."""
    think = np.array([each.think for each in KINDS])[kind]
    pause = think * np.exp(_SPREAD_OF_PAUSES * rng.standard_normal(len(kind)))
    pause = np.where(place == 0, 0.0, np.clip(pause, _SHORTEST_PAUSE, _LONGEST_PAUSE))
    total = np.cumsum(pause)
    starts = np.cumsum(steps) - steps
    begins: FloatArray = (total - np.repeat(total[starts], steps)) * 1e6
    return begins


@lru_cache(maxsize=1)
def mean_requests() -> float:
    """Return how many requests a session has on average, measured on a fixed sample."""
    rng = np.random.default_rng(1)
    count = 40_000
    shares = list(CLASSES.values())
    classes = np.repeat(np.arange(len(shares)), [round(count * share) for share in shares])
    return len(draw_sessions(rng, classes).session) / len(classes)
