"""Ordinary traffic: everybody who does nothing wrong, as a frame of events."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from vedette.simulation.arrivals import draw_arrivals, load_between
from vedette.simulation.draws import IntArray, stream
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.parameters import SIZES, draw_pools, pick
from vedette.simulation.population import Population, draw_population
from vedette.simulation.routes import (
    RouteTable,
    draw_durations,
    draw_sizes,
    draw_statuses,
    route_table,
)
from vedette.simulation.sessions import (
    LONGEST_MINUTES,
    Requests,
    draw_sessions,
    mean_requests,
)

#: How often a session may meet a status by the mix of its routes; further ones succeed.
PATIENCE: Final = {401: 2, 403: 2, 404: 3, 429: 4}

#: Clients that come by in one round, and clients there are, for each request a second.
_ROUND, _POPULATION = 2_400, 7_200
#: Bytes of a request: its head at least and at most beyond that, and what a body adds.
_HEAD, _HEAD_SPREAD, _BODY = 340, 380, 600
_LEAD_IN_US: Final = LONGEST_MINUTES * 60_000_000
_SITE: Final = "https://www.example.com"


def ordinary_events(seed: int, first: int, last: int, requests_per_second: float) -> pl.DataFrame:
    """Return the ordinary requests completed in [first, last), microseconds since 1970.

    Columns as in `events.SIMULATED_SCHEMA`, unsorted. On average `requests_per_second` over the
    run; the hour of the week decides when.
    """
    rng = stream(seed, "sessions")
    begins = _session_starts(rng, first, last, requests_per_second)
    population = people(seed, requests_per_second)
    client = _callers(rng, population, len(begins), _scaled(_ROUND, requests_per_second))
    frame = session_events(rng, population, client, begins, None)
    return frame.filter(pl.col("timestamp").to_physical().is_between(first, last, closed="left"))


def session_events(
    rng: np.random.Generator,
    population: Population,
    client: IntArray,
    begins: IntArray,
    pools: Mapping[str, pl.Series] | None,
) -> pl.DataFrame:
    """Return the requests (SIMULATED_SCHEMA, unsorted) of sessions of these clients.

    `client` (indices of the population) and `begins` (microseconds) have one value a session.
    The values in paths come from `pools`, drawn anew for None.
    """
    requests = draw_sessions(rng, population.kind[client])
    table = route_table()
    status = answers(rng, table, requests)
    duration = draw_durations(rng, table.millis[requests.route], status)
    size = draw_sizes(rng, table.size[requests.route], status)
    times = (begins[requests.session] + requests.offset + duration) // 1_000 * 1_000
    columns = {
        "timestamp": pl.Series(times),
        "status": pl.Series(status),
        "response_bytes": pl.Series(size),
        "duration_us": pl.Series(duration),
        **_words(rng, table, requests, draw_pools(rng) if pools is None else pools),
        **_who(population, client[requests.session], table, requests, status),
    }
    body = np.isin(table.method, ("POST", "PUT"))[requests.route]
    asked = (_HEAD + _HEAD_SPREAD * rng.random(len(times)) + _BODY * body).astype(np.int64)
    columns["request_bytes"] = pl.Series(asked)
    frame = pl.DataFrame(columns)
    return frame.cast({"timestamp": SIMULATED_SCHEMA["timestamp"]}).select(SIMULATED_SCHEMA.names())


@lru_cache(maxsize=1)
def people(seed: int, requests_per_second: float) -> Population:
    """Return everybody ordinary who may call in a run of this seed and size."""
    return draw_population(stream(seed, "population"), _scaled(_POPULATION, requests_per_second))


def _scaled(clients: int, requests_per_second: float) -> int:
    return max(200, round(clients * requests_per_second))


def _session_starts(
    rng: np.random.Generator, first: int, last: int, requests_per_second: float
) -> IntArray:
    # Sessions that began before the run reach into it: start them too, in the same density.
    early = first - _LEAD_IN_US
    wanted = requests_per_second * (last - first) / 1e6 / mean_requests()
    share = (
        load_between(early, last) * (last - early) / (load_between(first, last) * (last - first))
    )
    return draw_arrivals(rng, early, last, round(wanted * share))


def _callers(
    rng: np.random.Generator, population: Population, sessions: int, round_size: int
) -> IntArray:
    """Return the client of each session, in the order of their beginnings.

    Clients come in rounds; nobody returns who came in the later half of the round before, so
    that no client has two sessions at once.
    """
    everybody = np.arange(len(population.kind))
    rounds: list[IntArray] = []
    for _ in range(-(-sessions // round_size)):
        fresh = everybody
        if rounds:
            fresh = np.setdiff1d(everybody, rounds[-1][round_size // 2 :], assume_unique=True)
        rounds.append(rng.permutation(fresh)[:round_size])
    return np.concatenate([np.zeros(0, dtype=np.int64), *rounds])[:sessions]


def answers(rng: np.random.Generator, table: RouteTable, requests: Requests) -> IntArray:
    """Return the status of each request: its own if fixed, else by its route's mix and PATIENCE."""
    drawn = draw_statuses(rng, table, requests.route)
    status = np.where(requests.status > 0, requests.status, drawn)
    for code, most in PATIENCE.items():
        hit = (status == code) & (requests.status == 0)
        before = np.cumsum(hit)
        starts = np.searchsorted(requests.session, requests.session, side="left")
        met = before - (before - hit)[starts]
        status = np.where(hit & (met > most), 200, status)
    return status


def _words(
    rng: np.random.Generator,
    table: RouteTable,
    requests: Requests,
    pools: Mapping[str, pl.Series],
) -> dict[str, pl.Series]:
    """Return what the route and its parameters say: service, host, method, path, query."""
    route = requests.route
    values = pl.concat([pl.Series([""]), *(pools[name] for name in SIZES)])
    sizes = np.array(list(SIZES.values()))
    starts = dict(zip(SIZES, (np.cumsum(sizes) - sizes + 1).tolist(), strict=True))
    parameter = _indices(rng, table.parameter, starts, requests)
    query = _indices(rng, table.query, starts, requests)
    parts = pl.DataFrame(
        [
            pl.Series("before", table.before).gather(route),
            values.alias("parameter").gather(parameter),
            pl.Series("after", table.after).gather(route),
        ]
    )
    asked = values.alias("query").gather(query)
    return {
        "service": pl.Series(table.service).gather(route),
        "host": pl.Series(table.host).gather(route),
        "method": pl.Series(table.method).gather(route),
        "path": parts.select(pl.concat_str(pl.all())).to_series(),
        "query": asked.set(asked == "", None),
        "referrer": _referrers(requests, pools["product"]),
    }


def _indices(
    rng: np.random.Generator, names: list[str], starts: dict[str, int], requests: Requests
) -> IntArray:
    """Return for each request the index of its value among all pools, 0 for none."""
    found = np.zeros(len(requests.route), dtype=np.int64)
    by_route = np.array(names)[requests.route]
    for name, start in starts.items():
        here = np.flatnonzero(by_route == name)
        if name == "product":  # what belongs to one page is about one product
            step = requests.step[here]
            found[here] = start + pick(rng, name, int(requests.step.max(initial=0)) + 1)[step]
        else:
            found[here] = start + pick(rng, name, len(here))
    return found


def _referrers(requests: Requests, products: pl.Series) -> pl.Series:
    pages = [f"{_SITE}/", f"{_SITE}/search", f"{_SITE}/cart"]
    pages += [f"{_SITE}/products/{product}" for product in products.head(400)]
    names: list[str | None] = [None, "https://www.google.com/", *pages]
    site = 2 + requests.step * 7 % len(pages)
    return pl.Series(names).gather(np.choose(requests.origin, [0 * site, site, 0 * site + 1]))


def _who(
    population: Population,
    client: IntArray,
    table: RouteTable,
    requests: Requests,
    status: IntArray,
) -> dict[str, pl.Series]:
    known = (table.private[requests.route] == 1) & (requests.signed_in == 1) & (status != 401)  # noqa: PLR2004
    user = population.user.gather(client)
    nothing = pl.Series([None] * len(client), dtype=pl.String)
    return {
        "client_ip": population.address.gather(client),
        "user": user.zip_with(pl.Series(known), nothing),
        "api_key": population.api_key.gather(client),
        "user_agent": population.user_agent.gather(client),
        "protocol": population.protocol.gather(client),
        "country": nothing,
        "asn": nothing.cast(SIMULATED_SCHEMA["asn"]),
        "scheme": nothing,
        "request_raw": nothing,
    }
