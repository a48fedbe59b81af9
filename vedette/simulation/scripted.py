"""Bursts and steady clients: the requests that a scenario file writes out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.draws import IntArray
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.routes import draw_durations, draw_sizes
from vedette.simulation.scenarios import Scenario, ScriptedCall
from vedette.simulation.services import SERVICES

_API_PREFIXES: Final = {
    service.name: service.host for service in SERVICES if service.name not in {"web", "static"}
}
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Actor:
    """The client of one scenario in one run."""

    address: str
    user_agent: str | None


def burst_events(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, begin: int
) -> pl.DataFrame:
    """Return the scenario's requests, spread over its window from `begin` (microseconds)."""
    count = scenario.requests
    window = scenario.window_seconds * 1_000_000
    slots = (np.arange(count) + rng.random(count)) / count
    times = begin + (slots * window).astype(np.int64)
    if scenario.raw:
        return _unreadable(rng, scenario, actor, times)
    return scripted_events(rng, _script(rng, scenario, count), actor, times)


def steady_events(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, first: int, last: int
) -> pl.DataFrame:
    """Return one request each interval over [first, last), each moved by up to 3 % of it."""
    interval = 60_000_000 / scenario.per_minute
    places = np.arange(int((last - first) / interval))
    shift = (0.1 + 0.8 * rng.random() + 0.03 * rng.random(len(places))) * interval
    times = first + (places * interval + shift).astype(np.int64)
    calls = _script(rng, scenario, len(times))
    for place in _missing_places(rng, scenario, times, first):
        path = scenario.missing[place % len(scenario.missing)]
        calls[place] = ScriptedCall("GET", path, None, 404)
    return scripted_events(rng, calls, actor, times)


def _missing_places(
    rng: np.random.Generator, scenario: Scenario, times: IntArray, first: int
) -> list[int]:
    if not scenario.missing_per_hour:
        return []
    every = _HOUR_US / scenario.missing_per_hour
    due = np.arange(first + every * rng.random(), times.max(initial=first), every)
    return [int(place) for place in np.searchsorted(times, due) if place < len(times)]


def _script(rng: np.random.Generator, scenario: Scenario, count: int) -> list[ScriptedCall]:
    if scenario.each_once:
        order = rng.permutation(len(scenario.calls))[:count]
        return [scenario.calls[place] for place in order.tolist()]
    return [scenario.calls[place % len(scenario.calls)] for place in range(count)]


def scripted_events(
    rng: np.random.Generator, calls: list[ScriptedCall], actor: Actor, times: IntArray
) -> pl.DataFrame:
    """Return the calls as events (SIMULATED_SCHEMA) of the actor, completed at `times`."""
    status = np.array([call.status for call in calls], dtype=np.int64)
    paths = _filled(rng, [call.path for call in calls])
    services = [_service(path) for path in paths]
    return _frame(
        actor,
        times,
        service=[name for name, _ in services],
        host=[host for _, host in services],
        method=[call.method for call in calls],
        path=paths,
        query=[call.query for call in calls],
        status=status,
        response_bytes=draw_sizes(rng, np.full(len(calls), 4_000), status),
        duration_us=draw_durations(rng, np.full(len(calls), 30), status),
    )


def _unreadable(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, times: IntArray
) -> pl.DataFrame:
    order = rng.permutation(len(scenario.raw))[: len(times)].tolist()
    return _frame(
        actor,
        times,
        status=np.full(len(times), 400),
        response_bytes=np.full(len(times), 157),
        duration_us=draw_durations(rng, np.full(len(times), 40), np.full(len(times), 400)),
        protocol=[None] * len(times),
        request_raw=[scenario.raw[place] for place in order],
    )


def _frame(actor: Actor, times: IntArray, **columns: object) -> pl.DataFrame:
    constants = {
        "client_ip": actor.address,
        "user_agent": actor.user_agent,
        "protocol": "HTTP/1.1",
    }
    wholes = {"timestamp": times // 1_000 * 1_000, **columns}
    missing = [name for name in SIMULATED_SCHEMA if name not in wholes]
    frame = pl.DataFrame(wholes).with_columns(
        pl.lit(constants.get(name)).alias(name) for name in missing
    )
    return frame.cast(SIMULATED_SCHEMA).select(SIMULATED_SCHEMA.names())


def _filled(rng: np.random.Generator, paths: list[str]) -> list[str]:
    numbers: Iterator[int] = iter(rng.permutation(90_000)[: len(paths) + 1].tolist() * 2)
    categories = rng.integers(100, 999, len(paths)).tolist()
    return [
        path.replace("{number}", str(10_000 + next(numbers))).replace("{category}", str(category))
        for path, category in zip(paths, categories, strict=True)
    ]


def _service(path: str) -> tuple[str, str]:
    prefix = path.split("/")[1]
    if prefix in _API_PREFIXES:
        return prefix, _API_PREFIXES[prefix]
    return "web", SERVICES[0].host
