"""Ordinary traffic of days and weeks, half an hour after the other, in bounded memory."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from vedette.simulation.arrivals import draw_arrivals, load_between
from vedette.simulation.draws import stream
from vedette.simulation.parameters import draw_pools
from vedette.simulation.sessions import LONGEST_MINUTES, mean_requests
from vedette.simulation.traffic import people, session_events

#: As long as the longest session: what begins in one piece ends in it or in the next.
PIECE_US: Final = LONGEST_MINUTES * 60_000_000


def ordinary_pieces(
    seed: int, first: int, last: int, requests_per_second: float
) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Yield (begin, end, events completed in [begin, end)) over [first, last), in microseconds.

    Events have SIMULATED_SCHEMA and are unsorted. Each half hour has random numbers of its own,
    so that its sessions do not depend on where the run begins, beyond the rate; the population
    is the same for all. Its halves take turns, so that nobody has two sessions at once.
    """
    population = people(seed, requests_per_second)
    pools = draw_pools(stream(seed, "pools"))
    scale = requests_per_second / load_between(first, last) / mean_requests()
    waiting: list[pl.DataFrame] = []
    for number in range(first // PIECE_US - 1, -(-last // PIECE_US)):
        begin, end = number * PIECE_US, (number + 1) * PIECE_US
        rng = stream(seed, f"half hour {number}")
        wanted = rng.poisson(scale * load_between(begin, end) * PIECE_US / 1e6)
        half = len(population.kind) // 2
        client = rng.permutation(half)[:wanted] * 2 + number % 2
        begins = draw_arrivals(rng, begin, end, len(client))
        waiting.append(session_events(rng, population, client, begins, pools))
        low, high = max(begin, first), min(end, last)
        time = pl.col("timestamp").to_physical()
        if low < high:
            inside = time.is_between(low, high, closed="left")
            yield low, high, pl.concat([frame.filter(inside) for frame in waiting])
        later = [frame.filter(time >= end) for frame in waiting]
        waiting = [frame for frame in later if frame.height]
