"""The declared routes as arrays, so that a million requests are answered at once."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from vedette.simulation.draws import FloatArray, IntArray, choose_rows
from vedette.simulation.services import SERVICES, Route

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Routes by index: names as lists, numbers as arrays.

    `before` and `after` are the template's text around its parameter, `parameter` and `query` the
    names of the pools ("" if none). `mix` has a row a route and a column for each of `statuses`.
    """

    index: dict[str, int]
    service: list[str]
    host: list[str]
    method: list[str]
    before: list[str]
    after: list[str]
    parameter: list[str]
    query: list[str]
    size: IntArray
    millis: IntArray
    private: IntArray
    statuses: IntArray
    mix: FloatArray


@lru_cache(maxsize=1)
def route_table() -> RouteTable:
    """Return the table of all declared routes; every template has at most one parameter."""
    pairs = [(service, route) for service in SERVICES for route in service.routes]
    routes = [route for _, route in pairs]
    statuses = sorted({status for route in routes for status in route.mix})
    parts = [_PARAMETER.split(route.template) for route in routes]
    return RouteTable(
        index={route.key: at for at, route in enumerate(routes)},
        service=[service.name for service, _ in pairs],
        host=[service.host for service, _ in pairs],
        method=[route.method for route in routes],
        before=[part[0] for part in parts],
        after=[part[2] if len(part) > 1 else "" for part in parts],
        parameter=[part[1] if len(part) > 1 else "" for part in parts],
        query=[route.query or "" for route in routes],
        size=np.array([route.size for route in routes]),
        millis=np.array([route.millis for route in routes]),
        private=np.array([int(route.private) for route in routes]),
        statuses=np.array(statuses),
        mix=np.array([_row(route, statuses) for route in routes]),
    )


def _row(route: Route, statuses: list[int]) -> list[float]:
    return [route.mix.get(status, 0.0) for status in statuses]


def draw_statuses(rng: np.random.Generator, table: RouteTable, route: IntArray) -> IntArray:
    """Return a status for each request, by the mix of its route."""
    return table.statuses[choose_rows(rng, table.mix, route)]


def draw_sizes(rng: np.random.Generator, median: IntArray, status: IntArray) -> IntArray:
    """Return the bytes of each answer: log-normal around the median, little for errors."""
    full = median * np.exp(0.35 * rng.standard_normal(len(median)))
    small = 90 + 120 * rng.random(len(median))
    size = np.where(status < 300, full, small)  # noqa: PLR2004
    size = np.where(np.isin(status, (204, 304, 499)), 0, size)
    return size.astype(np.int64)


def draw_durations(rng: np.random.Generator, median: IntArray, status: IntArray) -> IntArray:
    """Return durations in microseconds, whole milliseconds: log-normal around the median in ms."""
    millis = median * np.exp(0.55 * rng.standard_normal(len(median)))
    millis = np.where(np.isin(status, (502, 503)), 2.0, millis)
    millis = np.where(status == 504, 30_000.0, millis)  # noqa: PLR2004
    return np.rint(millis).astype(np.int64) * 1_000
