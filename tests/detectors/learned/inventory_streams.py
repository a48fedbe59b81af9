"""Streams in which services answer what they should not, and settings that learn fast."""

from typing import Any, Final

from hypothesis import strategies as st

from detectors.learned.inventory import Inventory, InventorySettings
from detectors.overrides import RuleOverride
from ingest.route_documents import Operation, RouteDocument
from tests.detectors.streams import Traffic, event

HOUR: Final = 3_600
DAY: Final = 24 * HOUR

SHOP: Final = RouteDocument(
    "shop.yaml",
    ("/v1/orders", "/v1/users/{id}"),
    (Operation("GET", "/v1/orders"), Operation("GET", "/v1/users/{id}", deprecated=True)),
)
QUICK: Final = InventorySettings(learning_days=2, tell_again_days=1)
PLAIN: Final = {"plain_http": RuleOverride(threshold=2)}

ROUTES: Final = (
    "shop GET /v1/orders",
    "shop GET /v1/debug",
    "shop GET /v1/users/{id}",
    "shop PUT /v1/orders",
    "pay GET /pay",
    "pay GET /refunds/{id}",
    "GET /a",
)


def family() -> Inventory:
    """The family as the streams want it."""
    return Inventory(PLAIN, QUICK, documents=[SHOP])


def tiny() -> Inventory:
    """The same with room for hardly any endpoint."""
    return Inventory(PLAIN, QUICK, documents=[SHOP], endpoint_cap=3, service_cap=1)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Minutes, hours or days of a few endpoints, most of them answered."""
    seed = draw(st.randoms(use_true_random=False))
    span = draw(st.sampled_from([600, 4 * HOUR, 5 * DAY]))
    found = []
    for position in range(draw(st.integers(1, 120))):
        route = seed.choice(ROUTES)
        *service, method, template = route.split(" ")
        found.append(
            event(
                seed.randint(0, span * 1_000_000) / 1e6,
                service=service[0] if service else None,
                method=method,
                path=template.replace("{id}", "7"),
                route=route,
                status=seed.choice([200, 200, 201, 404, 500, None]),
                scheme=seed.choice([None, "http", "https"]),
                edge=seed.random() < 0.9,
                user=seed.choice([None, "ann"]),
                partition=f"p{position % 3}",
                position=position,
            )
        )
    return Traffic(sorted(found, key=lambda e: e["effective_time"]))
