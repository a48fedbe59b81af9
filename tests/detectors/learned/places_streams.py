"""Streams in which people leap over oceans, and settings that learn fast."""

from collections.abc import Iterable
from typing import Any, Final

from hypothesis import strategies as st

from detectors.findings import Finding
from detectors.learned.places import CountrySettings, Places
from detectors.overrides import RuleOverride
from tests.detectors.streams import Traffic, event, frame

DAY: Final = 86_400
HOUR: Final = 3_600
MINUTE: Final = 60
HOME: Final = {"user": "ann", "country": "DE", "client_network": "198.51.100.0/24"}
AWAY: Final = {"user": "ann", "country": "BR", "client_network": "203.0.113.0/24"}
QUICK: Final = CountrySettings(
    blocked=("KP",),
    expected=(
        "DE",
        "FR",
        "BR",
        "US",
    ),
    learning_days=1,
    travel_days=1,
    memory_days=4,
)
#: Two towns of a country, one of them known badly, and one over the sea.
TOWNS: Final = ("52.5,13.4,28", "48.1,11.6,208", "-33.9,151.2,28", "64.1,-21.9,13")
FEW: Final = {
    name: RuleOverride(threshold=2) for name in ("unexpected_country", "service_new_country")
}


def run(events: Iterable[dict[str, Any]], judge: Places | None = None) -> list[Finding]:
    places = judge or Places()
    ordered = sorted(events, key=lambda e: e["effective_time"])
    return places.judge(places.aggregate(frame(ordered)), None) + places.finish()


def days(count: int, each: int = 6, **fields: Any) -> list[dict[str, Any]]:
    """Requests from home in the first hours of each of some days."""
    return [
        event(day * DAY + n * 600, **(HOME | fields)) for day in range(count) for n in range(each)
    ]


def at_home(seconds: float, **fields: Any) -> dict[str, Any]:
    return event(seconds, **(HOME | fields))


def away(seconds: float, **fields: Any) -> dict[str, Any]:
    return event(seconds, **(AWAY | fields))


def family() -> Places:
    """The family as the streams want it."""
    return Places(FEW, QUICK)


def tiny() -> Places:
    """The same with room for hardly anybody."""
    return Places(FEW, QUICK, entity_cap=2, service_cap=1, slot_cap=2)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some days of a few users and keys, mostly at home."""
    seed = draw(st.randoms(use_true_random=False))
    days = draw(st.integers(2, 7))
    size = draw(st.integers(1, 80))
    found = []
    for position in range(size):
        odd = seed.random() < 0.3
        at = seed.randrange(days) * DAY + seed.randint(0, 4_000_000_000) / 1e6
        country = seed.choice(["BR", "US", "KP", "VN", None]) if odd else "DE"
        found.append(
            event(
                at,
                service=seed.choice([None, "shop"]),
                user=seed.choice([None, "ann", "bob", "eve", "joe"]),
                api_key=seed.choice([None, "key-1"]),
                country=country,
                location=seed.choice([None, *TOWNS]),
                asn=seed.choice([None, 64_501, 64_502]),
                client_network=f"198.51.{seed.randrange(3)}.0/24",
                anonymous=seed.choice([None, None, "vpn", "hosting"]) if odd else None,
                status=seed.choice([200, 200, 204, 401]),
                partition=f"p{position % 3}",
                position=position,
            )
        )
    return Traffic(sorted(found, key=lambda e: e["effective_time"]))
