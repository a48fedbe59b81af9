"""The office: many people behind one address who come to work at the same time."""

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.actors import Actor
from vedette.simulation.arrivals import draw_arrivals
from vedette.simulation.draws import IntArray, choose, positions
from vedette.simulation.population import CLASSES, draw_user_agents
from vedette.simulation.scenarios import Scenario, ScriptedCall
from vedette.simulation.scripted import scripted_events

_DAY_US: Final = 86_400_000_000
_LOGIN: Final = "/accounts/v1/login"

#: What each of them does after logging in, with the share that does it.
_WORK: Final = (
    ("/accounts/v1/profile", 1.0),
    ("/orders/v1/orders", 0.9),
    ("/accounts/v1/notifications", 0.8),
    ("/orders/v1/cart", 0.6),
    ("/search/v1/products", 0.5),
    ("/orders/v1/returns", 0.4),
    ("/orders/v1/orders", 0.4),
    ("/accounts/v1/notifications", 0.7),
)


def arrival(rng: np.random.Generator, scenario: Scenario, first: int, last: int) -> int:
    """Return when the arrivals begin: around `arrive_at` if it falls in the run, else when busy."""
    half = scenario.window_seconds * 500_000
    if scenario.arrive_at is not None:
        time = scenario.arrive_at
        of_day = timedelta(hours=time.hour, minutes=time.minute) // timedelta(microseconds=1)
        begin = first + (of_day - half - first) % _DAY_US
        if begin + 2 * half <= last:
            return begin
    room = max(last - 4 * half, first + (last - first) // 10)
    return int(draw_arrivals(rng, first, room, 1)[0])


def office_events(
    rng: np.random.Generator, scenario: Scenario, address: str, begin: int
) -> pl.DataFrame:
    """Return the morning of the office: per user one 401, a success after it, then some work.

    Arrivals are spread over the scenario's window, thickest in its middle. User agents differ
    as those of 200 ordinary people do. The log has the user where somebody is signed in, and on
    log-ins too if the scenario `tells_user`.
    """
    count = scenario.users
    arrivals = begin + (rng.beta(2, 2, count) * scenario.window_seconds * 1e6).astype(np.int64)
    success = arrivals + ((6 + 54 * rng.random(count)) * 1e6).astype(np.int64)
    work = _work(rng, success)
    person = np.concatenate([np.arange(count), np.arange(count), work[0]])
    calls = [
        *[ScriptedCall("POST", _LOGIN, None, 401)] * count,
        *[ScriptedCall("POST", _LOGIN, None, 200)] * count,
        *[ScriptedCall("GET", _WORK[place][0], None, 200) for place in work[1].tolist()],
    ]
    times = np.concatenate([arrivals, success, work[2]])
    browsers = np.full(count, list(CLASSES).index("browser"))
    agents = draw_user_agents(rng, browsers)
    users = pl.Series([f"office-{number}" for number in range(100, 100 + count)])
    signed_in = pl.Series(np.arange(len(person)) >= (0 if scenario.tells_user else 2 * count))
    nobody = pl.Series([None] * len(person), dtype=pl.String)
    frame = scripted_events(rng, calls, Actor((address,), (None,)), times, scenario)
    return frame.with_columns(
        agents.gather(person).alias("user_agent"),
        users.gather(person).zip_with(signed_in, nobody).alias("user"),
    )


def _work(rng: np.random.Generator, success: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return person, index of _WORK and time of what each does in the quarter of an hour after."""
    person = np.repeat(np.arange(len(success)), len(_WORK))
    place = positions(np.full(len(success), len(_WORK)))
    done = rng.random(len(person)) < np.array([share for _, share in _WORK])[place]
    early = place < choose(rng, [0, 0, 0, 0.5, 0.5], len(person))
    delay = np.where(early, 0.3 + 2 * rng.random(len(person)), 20 + 880 * rng.random(len(person)))
    times = success[person] + (delay * 1e6).astype(np.int64)
    return person[done], place[done], times[done]
