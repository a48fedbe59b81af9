"""Streams in which counts are far from what is expected, and settings that learn fast."""

from typing import Any, Final

from hypothesis import strategies as st

from detectors.learned.spikes import Spikes, SpikesSettings
from tests.detectors.streams import Traffic, event

DAY: Final = 86_400
QUICK: Final = SpikesSettings(learning_days=1, false_alarms_per_day=100)
MANY: Final = 60


def family() -> Spikes:
    """The family as the streams want it."""
    return Spikes(settings=QUICK)


def tiny() -> Spikes:
    """The same with room for one service and one route."""
    return Spikes(settings=QUICK, service_cap=1, route_cap=1)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A quiet day of two services, then minutes of far more, of other answers, and of nothing."""
    seed = draw(st.randoms(use_true_random=False))
    bursts = draw(st.integers(1, 3))
    calm = [seed.randrange(DAY + 7_200) for _ in range(draw(st.integers(60, 150)))]
    found = [_one(seed, at + seed.random(), status=200) for at in calm]
    for _ in range(bursts):
        begin = DAY + seed.randrange(7_200)
        status = seed.choice([200, 401, 404, 429, 503])
        slow = seed.choice([1, 100])
        for _ in range(MANY):
            at = begin + seed.randrange(120_000_000) / 1e6
            found.append(_one(seed, at, status=status, slow=slow))
    ordered = sorted(found, key=lambda e: e["effective_time"])
    return Traffic({**e, "position": at} for at, e in enumerate(ordered))


def _one(seed: Any, at: float, *, status: int, slow: int = 1) -> dict[str, Any]:
    service = seed.choice(["web", "web", "shop", None])
    return event(
        at,
        service=service,
        route=seed.choice([f"{service} GET /items/{{id}}", f"{service} POST /log-in", None]),
        status=status,
        duration_us=seed.choice([900, 1_100, 1_300]) * slow,
        response_bytes=seed.choice([None, 512, 700]),
        partition=f"p{seed.randrange(3)}",
        edge=seed.random() < 0.95,
    )
