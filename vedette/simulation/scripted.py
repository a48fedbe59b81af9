"""Bursts, steady and daily clients: the requests that a scenario file writes out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import time as clock_time
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.actors import Actor
from vedette.simulation.draws import FloatArray, IntArray
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.population import CLASSES, draw_user_agents
from vedette.simulation.routes import draw_durations, draw_sizes
from vedette.simulation.scenarios import Scenario, ScriptedCall
from vedette.simulation.services import SERVICES
from vedette.simulation.words import draw_fillers

_API_PREFIXES: Final = {
    service.name: service.host for service in SERVICES if service.name not in {"web", "static"}
}
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_PLACE: Final = re.compile(r"\{(\w+)\}")

#: What follows a burst comes in this last part of its window.
_LAST_PART: Final = 0.1

#: Median bytes of a request with its head: without and with a body.
_HEAD, _WITH_BODY = 420, 1_100


def burst_events(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, begin: int
) -> pl.DataFrame:
    """Return the scenario's requests, spread over its window from `begin` (microseconds)."""
    count = scenario.total
    window = scenario.window_seconds * 1_000_000
    main = window * (1 - _LAST_PART) if scenario.then else window
    spread = _shaped(rng, scenario, count)
    times = begin + (spread * main).astype(np.int64)
    if scenario.raw:
        return _unreadable(rng, scenario, actor, times)
    calls = _script(rng, scenario, count)
    if scenario.then:
        later = _spread(rng, len(scenario.then)) * (window - main)
        times = np.concatenate([times, begin + int(main) + later.astype(np.int64)])
        calls += scenario.then
    return scripted_events(rng, calls, actor, times, scenario)


def _shaped(rng: np.random.Generator, scenario: Scenario, count: int) -> FloatArray:
    """Return when in its window a burst's requests come: evenly, as people do, or swelling."""
    if scenario.gradual:
        swelling: FloatArray = np.sort(rng.beta(2, 2, count))
        return swelling
    return _paused(rng, count) if scenario.irregular else _spread(rng, count)


def _spread(rng: np.random.Generator, count: int) -> FloatArray:
    spread: FloatArray = (np.arange(count) + rng.random(count)) / max(count, 1)
    return spread


def _paused(rng: np.random.Generator, count: int) -> FloatArray:
    """Return times in [0, 1) with log-normal pauses between them, as between people's steps."""
    ends = np.cumsum(np.exp(rng.standard_normal(count + 1)))
    spread: FloatArray = ends[:-1] / ends[-1]
    return spread


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
    return scripted_events(rng, calls, actor, times, scenario)


def daily_events(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, first: int, last: int
) -> pl.DataFrame:
    """Return the scenario's requests of every day at its hour, as far as it is in [first, last)."""
    time = scenario.arrive_at or clock_time(0)
    of_day = timedelta(hours=time.hour, minutes=time.minute) // timedelta(microseconds=1)
    end = last - scenario.window_seconds * 1_000_000
    begins = range(first + (of_day - first) % _DAY_US, end + 1, _DAY_US)
    days = [burst_events(rng, scenario, actor, begin) for begin in begins]
    return pl.concat([pl.DataFrame(schema=SIMULATED_SCHEMA), *days])


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
    if scenario.shuffled:
        rounds = [
            rng.permutation(len(scenario.calls)) for _ in range(-(-count // len(scenario.calls)))
        ]
        return [scenario.calls[place] for place in np.concatenate(rounds)[:count].tolist()]
    every = scenario.succeed_every
    return [
        replace(call, status=200) if every and place % every == every - 1 else call
        for place in range(count)
        for call in [scenario.calls[place % len(scenario.calls)]]
    ]


def scripted_events(
    rng: np.random.Generator,
    calls: Sequence[ScriptedCall],
    actor: Actor,
    times: IntArray,
    scenario: Scenario,
) -> pl.DataFrame:
    """Return the calls as events (SIMULATED_SCHEMA) of the actors in turn, completed at `times`."""
    count = len(calls)
    status = np.array([call.status for call in calls], dtype=np.int64)
    paths = _filled(rng, [call.path for call in calls])
    queries = _filled(rng, [call.query or "" for call in calls])
    services = [_service(path) for path in paths]
    return _frame(
        rng,
        actor,
        times,
        service=[name for name, _ in services],
        host=[host for _, host in services],
        method=[call.method for call in calls],
        path=paths,
        query=[query or None for query in queries],
        status=status,
        request_bytes=_request_sizes(rng, calls, scenario.request_bytes),
        response_bytes=draw_sizes(rng, np.full(count, scenario.response_bytes), status),
        duration_us=draw_durations(rng, np.full(count, scenario.duration_ms), status),
        **({"scheme": [scenario.scheme] * count} if scenario.scheme else {}),
        **({"user_agent": _browsers(rng, scenario.people, count)} if scenario.people else {}),
    )


def _browsers(rng: np.random.Generator, people: int, count: int) -> pl.Series:
    browsers = np.full(people, list(CLASSES).index("browser"))
    return draw_user_agents(rng, browsers).gather(rng.integers(0, people, count))


def _request_sizes(
    rng: np.random.Generator, calls: Sequence[ScriptedCall], median: int
) -> list[int]:
    usual = {"POST": _WITH_BODY, "PUT": _WITH_BODY, "PATCH": _WITH_BODY}
    sizes = np.array([median or usual.get(call.method, _HEAD) for call in calls], dtype=np.float64)
    drawn: list[int] = (sizes * np.exp(0.2 * rng.standard_normal(len(calls)))).astype(int).tolist()
    return drawn


def _unreadable(
    rng: np.random.Generator, scenario: Scenario, actor: Actor, times: IntArray
) -> pl.DataFrame:
    order = rng.permutation(np.arange(len(times)) % len(scenario.raw)).tolist()
    if scenario.each_once:
        order = rng.permutation(len(scenario.raw))[: len(times)].tolist()
    return _frame(
        rng,
        actor,
        times,
        status=np.full(len(times), 400),
        request_bytes=np.full(len(times), 60),
        response_bytes=np.full(len(times), 157),
        duration_us=draw_durations(rng, np.full(len(times), 40), np.full(len(times), 400)),
        protocol=[None] * len(times),
        request_raw=[scenario.raw[place] for place in order],
    )


def _frame(
    rng: np.random.Generator, actor: Actor, times: IntArray, **columns: object
) -> pl.DataFrame:
    """Return the columns as events; clients take turns, in an order of their own each round."""
    turn = _turns(rng, len(actor.addresses), len(times))
    wholes = {
        "timestamp": times // 1_000 * 1_000,
        "client_ip": [actor.addresses[place] for place in turn],
        "user_agent": [actor.user_agents[place] for place in turn],
        "protocol": ["HTTP/1.1"] * len(times),
        "user": _named(actor.users, turn, len(actor.addresses)),
        "api_key": _named(actor.api_keys, turn, len(actor.addresses)),
        "country": [actor.countries[place] for place in turn] if actor.countries else None,
        **columns,
    }
    missing = [name for name in SIMULATED_SCHEMA if wholes.get(name) is None]
    frame = pl.DataFrame({name: each for name, each in wholes.items() if name not in missing})
    frame = frame.with_columns(pl.lit(None).alias(name) for name in missing)
    return frame.cast(SIMULATED_SCHEMA).select(SIMULATED_SCHEMA.names())


def _turns(rng: np.random.Generator, clients: int, count: int) -> list[int]:
    if clients == 1:
        return [0] * count
    rounds = [rng.permutation(clients) for _ in range(-(-count // clients))]
    turn: list[int] = np.concatenate([np.zeros(0, dtype=np.int64), *rounds])[:count].tolist()
    return turn


def _named(names: tuple[str, ...], turn: list[int], clients: int) -> list[str] | None:
    """Return a name for each request: each client's own if there are as many, else in turn."""
    if not names:
        return None
    if len(names) == clients:
        return [names[place] for place in turn]
    return [names[place % len(names)] for place in range(len(turn))]


def _filled(rng: np.random.Generator, texts: list[str]) -> list[str]:
    """Return the texts with values for what stands in braces, distinct ones for distinct uses."""
    if not any("{" in text for text in texts):
        return texts
    fillers: dict[str, Iterator[str]] = draw_fillers(rng, len(texts))
    return [_PLACE.sub(lambda place: next(fillers[place[1]]), text) for text in texts]


def _service(path: str) -> tuple[str, str]:
    prefix = path.split("/")[1] if "/" in path else ""
    if prefix in _API_PREFIXES:
        return prefix, _API_PREFIXES[prefix]
    return "web", SERVICES[0].host
