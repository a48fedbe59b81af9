"""The inventory: what counts as an endpoint, what is found, and that it is told seldom."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.findings import Finding, merge_runs
from detectors.learned.inventory import EndpointDay, Inventory, InventorySettings
from detectors.overrides import RuleOverride
from ingest.events import BATCH_SCHEMA
from ingest.route_documents import Operation, RouteDocument

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3600.0
DAY = 24 * HOUR

SHOP = RouteDocument(
    "shop.yaml",
    ("/v1/orders", "/v1/orders/{orderId}", "/v1/users/{id}"),
    (
        Operation("GET", "/v1/orders"),
        Operation("POST", "/v1/orders"),
        Operation("GET", "/v1/orders/{orderId}"),
        Operation("GET", "/v1/users/{id}", deprecated=True),
    ),
)

Event = dict[str, Any]


def event(seconds: float, route: str, status: int | None = 200, **fields: Any) -> Event:
    """One request; `route` is "shop GET /v1/orders"."""
    time = START + timedelta(seconds=seconds)
    *service, method, template = route.split(" ")
    return {
        "timestamp": time,
        "effective_time": time,
        "windowed": True,
        "edge": True,
        "service": service[0] if service else None,
        "method": method,
        "path": template.replace("{id}", "17"),
        "route": route,
        "status": status,
        "client_ip": "203.0.113.7",
        "partition": "p",
        "position": int(seconds * 1000),
    } | fields


def frame(events: Iterable[Event]) -> pl.DataFrame:
    return pl.DataFrame(list(events), schema=BATCH_SCHEMA)


def micros(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def judged(family: Inventory, *batches: Sequence[Event]) -> list[Finding]:
    """Give batches to a family, each up to its newest time, and end."""
    found: list[Finding] = []
    for batch in batches:
        watermark = max(micros(e["effective_time"]) for e in batch) - 5_000_000
        found += family.judge(family.aggregate(frame(batch)), watermark)
    return merge_runs([], [*found, *family.finish()])


def told(findings: Iterable[Finding]) -> list[tuple[str, str, int]]:
    return [(f.detector, f.entity, f.value) for f in findings]


def days(family: Inventory) -> dict[tuple[str, str, str], list[EndpointDay]]:
    found: dict[tuple[str, str, str], list[EndpointDay]] = {}
    for row in family.endpoints():
        found.setdefault((row.method, row.template, row.role), []).append(row)
    return found


def usual(until: float, service: str = "shop") -> list[Event]:
    """A service that answers two routes every hour."""
    return [
        event(hour * HOUR + place, f"{service} {route}")
        for hour in range(int(until / HOUR))
        for place, route in enumerate(("GET /v1/orders", "GET /v1/orders/{id}"))
    ]


def test_an_endpoint_is_what_was_answered() -> None:
    family = Inventory()
    rows = [
        event(0, "shop GET /a", 404),
        event(1, "shop GET /.env", 404),
        event(2, "shop GET /a", 200, user="ann", scheme="https"),
        event(3, "shop GET /a", 500, api_key="key-1", scheme="http"),
        event(4, "shop GET /b", 302),
        event(5, "shop POST /login", 303),
        event(6, "shop GET /c", 304),
        event(7, "GET /socket", 101),
        event(8, "shop GET /a", None),
    ]
    judged(family, rows)
    found = days(family)
    assert set(found) == {
        ("GET", "/a", "edge"),
        ("POST", "/login", "edge"),
        ("GET", "/socket", "edge"),
    }
    ((a,),) = [found["GET", "/a", "edge"]]
    assert (a.requests, a.answered, a.status_2xx, a.status_4xx, a.status_5xx) == (4, 1, 1, 1, 1)
    assert (a.with_user, a.with_api_key, a.over_http, a.over_https) == (1, 1, 1, 1)
    assert (a.anonymous, a.standing) == (0, None)
    assert (a.first, a.last) == (micros(START), micros(START) + 8_000_000)
    assert a.service == "shop"
    assert found["GET", "/socket", "edge"][0].service is None


def test_counting_begins_with_the_pane_of_the_first_answer() -> None:
    family = Inventory()
    refused = [event(n, "GET /a", 401) for n in range(5)]
    later = [event(700, "GET /a", 401), event(800, "GET /a"), event(2000, "GET /a", 401)]
    judged(family, refused, later)
    ((a,),) = days(family).values()
    assert (a.requests, a.status_4xx) == (3, 2)


def test_open_panes_are_counted_and_changes_are_told_once() -> None:
    family = Inventory()
    batch = family.aggregate(frame([event(0, "GET /a"), event(1, "GET /a")]))
    family.judge(batch, None)
    assert [row.requests for row in family.endpoints()] == [2]
    assert family.endpoints() == []
    family.judge(batch, None)
    assert [row.requests for row in family.endpoints()] == [4]


def test_days_are_apart_and_gone_once_they_were_taken() -> None:
    family = Inventory()
    judged(family, usual(3 * DAY))
    found = days(family)["GET", "/v1/orders", "edge"]
    assert [row.requests for row in found] == [16, 24, 24, 8]
    judged(family, [event(3 * DAY + HOUR, "shop GET /v1/orders")])
    assert [row.requests for row in family.endpoints()] == [9]


def test_where_it_was_seen_is_kept_apart() -> None:
    family = Inventory()
    judged(family, [event(0, "GET /a"), event(1, "GET /a", edge=False)])
    assert [row.requests for rows in days(family).values() for row in rows] == [1, 1]


DECLARED = [event(0, "shop GET /v1/orders")]


def test_what_no_document_has_is_found_once_it_answers() -> None:
    family = Inventory(documents=[SHOP])
    rows = [
        event(10, "shop GET /v1/debug", 404),
        event(20, "shop GET /v1/debug"),
        event(21, "shop GET /v1/debug"),
        event(22, "shop GET /v1/missing", 404),
        event(23, "shop GET /v1/logo.png"),
        event(24, "shop OPTIONS /v1/debug"),
        event(25, "shop GET /elsewhere"),
        event(26, "shop GET /v2/orders"),
        event(27, "shop GET /v1/health"),
    ]
    found = judged(family, DECLARED, rows)
    assert told(found) == [
        ("shadow_endpoint", "shop GET /v1/debug", 2),
        ("shadow_endpoint", "shop GET /v2/orders", 1),
    ]
    first = found[0]
    assert (first.first, first.last) == tuple(START + timedelta(seconds=n) for n in (20, 21))
    assert first.evidence[0].path == "/v1/debug"
    assert first.entity_type == "route"
    assert "No OpenAPI document" in first.note


def test_a_service_that_no_document_speaks_of_has_no_shadows() -> None:
    rows = [event(20, "pay GET /v1/debug"), event(21, "pay GET /v1/more")]
    assert judged(Inventory(documents=[SHOP]), rows) == []
    named = RouteDocument(SHOP.name, SHOP.templates, SHOP.operations, service="pay")
    assert len(judged(Inventory(documents=[named]), rows)) == 2


def test_deprecated_operations_that_are_used() -> None:
    rows = [event(9, "shop GET /v1/users/{id}"), event(10, "shop HEAD /v1/users/{id}")]
    found = judged(Inventory(documents=[SHOP]), rows)
    assert told(found) == [
        ("zombie_endpoint", "shop GET /v1/users/{id}", 1),
        ("zombie_endpoint", "shop HEAD /v1/users/{id}", 1),
    ]
    newer = RouteDocument("b", ("/v1/users/{name}",), (Operation("GET", "/v1/users/{name}"),))
    assert judged(Inventory(documents=[SHOP, newer]), rows) == []


def test_methods_that_the_document_does_not_have() -> None:
    rows = [
        event(1, "shop DELETE /v1/orders/{orderId}", 204),
        event(2, "shop OPTIONS /v1/orders/{orderId}", 204),
        event(3, "shop HEAD /v1/orders"),
        event(4, "shop PUT /v1/orders/{orderId}", 405),
    ]
    found = judged(Inventory(documents=[SHOP]), rows)
    assert told(found) == [("undeclared_method", "shop DELETE /v1/orders/{orderId}", 1)]


def test_paths_whose_methods_are_elsewhere_have_all_of_them() -> None:
    partial = RouteDocument("a", ("/orders",), ())
    assert judged(Inventory(documents=[partial]), [event(0, "DELETE /orders", 204)]) == []


def test_a_route_is_new_when_its_service_was_watched_for_days() -> None:
    settings = InventorySettings(learning_days=3)
    late = event(3 * DAY, "shop POST /v1/upload", 201)
    found = judged(Inventory(settings=settings), [*usual(3 * DAY), late])
    assert told(found) == [("new_endpoint", "shop POST /v1/upload", 1)]
    assert "3 days" in found[0].note
    early = event(2 * DAY - HOUR, "shop POST /v1/upload", 201)
    assert judged(Inventory(settings=settings), [*usual(2 * DAY), early]) == []
    other = event(3 * DAY, "pay POST /v1/upload", 201)
    assert judged(Inventory(settings=settings), [*usual(3 * DAY), other]) == []


def test_what_is_no_endpoint_is_not_new() -> None:
    late = [
        event(4 * DAY, "shop GET /v1/app.js"),
        event(4 * DAY, "shop GET /healthz"),
        event(4 * DAY, "shop HEAD /v1/x"),
        event(4 * DAY, "shop GET /v1/missing", 404),
    ]
    settings = InventorySettings(learning_days=3)
    assert judged(Inventory(settings=settings), [*usual(4 * DAY), *late]) == []


def test_values_of_a_segment_are_not_new_routes() -> None:
    names = [event(n, f"shop GET /v1/users/name-{n}") for n in range(12)]
    late = [
        event(4 * DAY, "shop GET /v1/users/another"),
        event(4 * DAY + 1, "shop GET /v1/users/{id}"),
        event(4 * DAY + 2, "shop GET /v1/users/{id}/keys"),
    ]
    settings = InventorySettings(learning_days=3)
    found = judged(Inventory(settings=settings), [*names, *usual(4 * DAY), *late])
    assert told(found) == [("new_endpoint", "shop GET /v1/users/{id}/keys", 1)]


def test_what_is_still_there_is_told_again_after_a_week() -> None:
    family = Inventory(documents=[SHOP])
    used = [event(n * HOUR, "shop GET /v1/users/{id}") for n in range(8 * 24)]
    found = judged(family, used)
    assert [f.first for f in found] == [START, START + timedelta(days=7)]


def test_a_day_has_so_many_and_the_rest_has_its_turn() -> None:
    rows = [
        event(day * DAY + n, f"shop GET /v1/left-over-{n}") for day in range(3) for n in range(50)
    ]
    found = judged(Inventory(documents=[SHOP]), DECLARED, rows)
    assert [f.first.day for f in found] == [2] * 20 + [3] * 20 + [4] * 10


def test_plain_http_that_is_answered() -> None:
    rows = [event(n, "shop GET /v1/orders", scheme="http") for n in range(12)]
    rows += [event(n, "shop GET /healthz", scheme="http") for n in range(50)]
    rows += [event(n, "pay GET /v1/pay", 301, scheme="http") for n in range(50)]
    rows += [event(n, "mail GET /v1/mail", edge=False, scheme="http") for n in range(50)]
    rows += [event(20, "shop GET /v1/orders", scheme="https")]
    found = judged(Inventory(), sorted(rows, key=lambda e: e["timestamp"]))
    assert told(found) == [("plain_http", "shop", 12)]
    assert found[0].note == "1 of its requests came over TLS meanwhile."
    unnamed = [event(n, "GET /v1/orders", scheme="http") for n in range(12)]
    (found_all,) = judged(Inventory(), unnamed)
    assert (found_all.entity_type, found_all.entity) == ("all", "all")
    assert "TLS may end before" in found_all.note


def test_settings_of_detectors() -> None:
    rows = [event(n, "shop GET /v1/debug") for n in range(4)]
    exception = {"route": "shop GET /v1/de*", "why": "ours"}
    for changed, count in (
        ({"enabled": False}, 0),
        ({"threshold": 5}, 0),
        ({"threshold": 4, "level": "high"}, 1),
        ({"exceptions": [exception]}, 0),
    ):
        override = RuleOverride.model_validate(changed)
        family = Inventory({"shadow_endpoint": override}, documents=[SHOP])
        assert len(judged(family, DECLARED, rows)) == count, changed


def test_status_says_how_long_services_are_known() -> None:
    family = Inventory(settings=InventorySettings(learning_days=3))
    judged(family, usual(2 * DAY))
    (known,) = family.status()
    assert (known.entity, known.days, known.of_days, known.series) == ("shop", 3, 3, 2)
    assert known.since == START


def test_scanners_and_caps_leave_what_is_used() -> None:
    family = Inventory(endpoint_cap=5)
    junk = [event(100 + n, f"shop GET /x/{n}") for n in range(100)]
    real = [event(n, "shop GET /v1/orders") for n in range(10)]
    judged(family, real, junk)
    assert len(family.snapshot()["endpoints"]) == 5
    assert "/v1/orders" in family.snapshot()["endpoints"]["template"]
    assert family.snapshot()["services"]["evicted"].to_list() == [96]


def test_a_state_of_another_version_begins_anew() -> None:
    family = Inventory()
    assert family.restore({}) == list(family.detectors)
    parts = {**family.snapshot(), "about": pl.DataFrame({"version": [0]})}
    assert family.restore(parts) == list(family.detectors)


def test_parts_that_did_not_change_are_the_same() -> None:
    family = Inventory(documents=[SHOP])
    judged(family, usual(DAY))
    before, after = family.snapshot(), family.snapshot()
    assert all(after[name] is part for name, part in before.items())


ROUTES = (
    "shop GET /v1/orders",
    "shop GET /v1/debug",
    "shop GET /v1/users/{id}",
    "shop PUT /v1/orders",
    "pay GET /pay",
    "pay GET /a",
    "GET /b",
)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    seed = draw(st.randoms(use_true_random=False))
    span = draw(st.sampled_from([600, 4 * HOUR, 5 * DAY]))
    rows = [
        event(
            seed.random() * span,
            seed.choice(ROUTES),
            seed.choice([200, 200, 201, 404, 500, None]),
            scheme=seed.choice([None, "http", "https"]),
            edge=seed.random() < 0.9,
            user=seed.choice([None, "ann"]),
        )
        for _ in range(draw(st.integers(1, 120)))
    ]
    return sorted(rows, key=lambda e: e["effective_time"])


def family_of(cap: int) -> Inventory:
    return Inventory(
        {"plain_http": RuleOverride(threshold=2)},
        InventorySettings(learning_days=2, tell_again_days=1),
        documents=[SHOP],
        endpoint_cap=cap,
        service_cap=max(1, cap - 2),
    )


@pytest.mark.parametrize("cap", [5_000, 3])
@settings(max_examples=6, deadline=None)
@given(events=streams(), points=st.lists(st.integers(0, 10_000), max_size=4))
def test_cuts_restores_and_crashes_change_nothing(
    cap: int, events: list[Event], points: list[int]
) -> None:
    whole = family_of(cap)
    found = judged(whole, events)
    stored = {row[:5]: row for row in whole.endpoints()}
    family, runs = family_of(cap), list[Finding]()
    edges = [0, *sorted({point % (len(events) + 1) for point in points}), len(events)]
    taken: dict[Any, EndpointDay] = {}
    for begin, end in pairwise(edges):
        batch = events[begin:end]
        if not batch:
            continue
        watermark = micros(batch[-1]["effective_time"]) - 5_000_000
        runs += family.judge(family.aggregate(frame(batch)), watermark)
        taken.update({row[:5]: row for row in family.endpoints()})
        parts = family.snapshot()
        family = family_of(cap)
        assert family.restore(parts) == []
    runs += family.finish()
    again = merge_runs([], runs)
    assert [(*f.key, f.first, f.last, f.value, f.note) for f in again] == [
        (*f.key, f.first, f.last, f.value, f.note) for f in found
    ]
    taken.update({row[:5]: row for row in family.endpoints()})
    if cap > 3:
        assert taken == stored
