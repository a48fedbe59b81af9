"""Streams in which clients get more than is usual, and settings that learn fast."""

from typing import Any, Final

from hypothesis import strategies as st

from detectors.learned.sizes import Sizes, SizesSettings
from detectors.overrides import RuleOverride
from tests.detectors.streams import Traffic, event

DAY: Final = 86_400
QUICK: Final = SizesSettings(learning_days=1, learning_answers=10, learning_callers=2)
LOW: Final = {
    "response_size_outlier": RuleOverride(threshold=2),
    "object_count_outlier": RuleOverride(threshold=3),
}


def family() -> Sizes:
    """The family as the streams want it."""
    return Sizes(LOW, QUICK)


def tiny() -> Sizes:
    """The same with room for one route."""
    return Sizes(LOW, QUICK, route_cap=1)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some days of a few callers of two routes, of whom some get very much."""
    seed = draw(st.randoms(use_true_random=False))
    days = draw(st.integers(1, 3))
    found = []
    for position in range(draw(st.integers(40, 160))):
        odd = seed.random() < 0.2
        at = seed.randrange(days) * DAY + seed.choice([0, 700, 40_000]) + seed.random() * 300
        at = days * DAY + 1_000 + seed.random() * 90 if odd else at
        number = seed.randrange(40) if odd else 1
        found.append(
            event(
                round(at, 6),
                client_ip=f"203.0.113.{9 if odd else seed.randrange(4)}",
                user="ann" if odd else seed.choice([None, "ann"]),
                path=f"/items/{number}",
                route=seed.choice(["GET /items/{id}", "GET /items"]),
                status=seed.choice([200, 200, 200, 404]),
                response_bytes=seed.choice([None, 900, 2_000_000 if odd else 1_000]),
                edge=seed.random() < 0.9,
                partition=f"p{position % 3}",
                position=position,
            )
        )
    return Traffic(sorted(found, key=lambda e: e["effective_time"]))
