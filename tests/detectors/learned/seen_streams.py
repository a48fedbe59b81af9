"""Streams in which users and keys are seen as never before, and settings that learn fast."""

from typing import Any, Final

from hypothesis import strategies as st

from detectors.learned.seen import Seen, SeenSettings
from tests.detectors.streams import Traffic, event

DAY: Final = 86_400
QUICK: Final = SeenSettings(learning_days=1, learning_requests=2, memory_days=4, rare_days=2)

AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "curl/8.5.0",
    None,
)


def family() -> Seen:
    """The family as the streams want it."""
    return Seen(settings=QUICK)


def tiny() -> Seen:
    """The same with room for hardly anybody."""
    return Seen(settings=QUICK, entity_cap=2, value_cap=5, slot_cap=2)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some days of a few users and keys, whose places and programs change at times."""
    seed = draw(st.randoms(use_true_random=False))
    days = draw(st.integers(2, 8))
    size = draw(st.integers(1, 80))
    found = []
    for position in range(size):
        day = seed.randrange(days)
        odd = seed.random() < 0.2
        at = day * DAY + seed.randint(0, 400_000_000) / 1e6
        found.append(
            event(
                at,
                user=seed.choice([None, "ann", "bob", "eve", "joe"]),
                api_key=seed.choice([None, "key-1", "key-2"]),
                country=seed.choice(["BR", "US", None]) if odd else "DE",
                asn=seed.choice([28573, 16509]) if odd else 3320,
                anonymous=seed.choice([None, "tor", "hosting"]) if odd else None,
                user_agent=seed.choice(AGENTS) if odd else AGENTS[0],
                status=seed.choice([200, 200, 200, 302, 401, 404, 500]),
                partition=f"p{position % 3}",
                position=position,
            )
        )
    return Traffic(sorted(found, key=lambda e: e["effective_time"]))
