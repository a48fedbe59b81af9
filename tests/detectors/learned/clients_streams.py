"""Streams in which one client copies a catalogue among people, and a model that knows people."""

import random
from functools import lru_cache
from typing import Any, Final

from hypothesis import strategies as st

from detectors.learned.clients.family import ClientOutliers
from detectors.learned.clients.model import ClientModel
from detectors.learned.clients.training import History, train
from tests.detectors.streams import Traffic, event, frame

HOUR: Final = 3_600
PEOPLE: Final = 260
PAGES: Final = ("/", "/cart", "/search", "/account", "/help", "/stores")


def visit(rng: random.Random, client: str, begin: float, steps: int) -> list[dict[str, Any]]:
    """Some pages that a person looks at, with pauses for thought."""
    found = []
    for _ in range(steps):
        begin += rng.lognormvariate(3, 0.8)
        path = rng.choice([*PAGES, f"/products/{rng.randint(1, 40)}"])
        found.append(request(client, begin, path, rng.choice([200, 200, 200, 304, 404])))
    return found


def copying(rng: random.Random, client: str, begin: float, end: float) -> list[dict[str, Any]]:
    """One product after the other."""
    found = []
    while begin < end:
        begin += rng.lognormvariate(4.3, 0.5)
        found.append(request(client, begin, f"/products/{rng.randint(100, 9_999)}", 200))
    return found


def request(client: str, second: float, path: str, status: int) -> dict[str, Any]:
    return event(
        second,
        client_ip=client,
        client_network=f"{client.rpartition('.')[0]}.0/24",
        method="GET",
        path=path,
        route="GET /products/{id}" if path.startswith("/products") else f"GET {path}",
        status=status,
        response_bytes=4_000,
        user_agent="Mozilla/5.0",
    )


@lru_cache(maxsize=1)
def model() -> ClientModel:
    """Trained on a day of people."""
    rng = random.Random(7)
    events = [
        row
        for number in range(PEOPLE)
        for row in visit(
            rng,
            f"198.51.{number // 250}.{number % 250}",
            rng.uniform(0, 20 * HOUR),
            rng.randint(16, 30),
        )
    ]
    history = History()
    history.add(frame(sorted(events, key=lambda e: e["effective_time"])), None)
    history.finish()
    return train(history, seed=3).model


def family() -> ClientOutliers:
    """The family as the streams want it."""
    return ClientOutliers(model=model())


def tiny() -> ClientOutliers:
    """The same with room for hardly any client."""
    return ClientOutliers(model=model(), client_cap=2)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Hours of a few people, mostly with somebody who copies the catalogue."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    begin = rng.uniform(0, 2 * HOUR)
    found = []
    for number in range(draw(st.integers(0, 3))):
        found += visit(rng, f"203.0.113.{number}", rng.uniform(0, 4 * HOUR), rng.randint(1, 25))
    for number in range(draw(st.integers(0, 2))):
        until = begin + rng.uniform(1 * HOUR, 4 * HOUR)
        found += copying(rng, f"192.0.2.{number}", begin, until)
    found = sorted(found, key=lambda e: e["effective_time"])
    return Traffic([{**e, "position": position} for position, e in enumerate(found)])
