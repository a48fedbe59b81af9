"""Traffic: counts of minutes and hours, the same however the stream is cut and whatever crashes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.snapshot import Packer, Snapshot
from detectors.traffic import EVERY, OTHERS, Traffic, TrafficSlot, TrafficTop

from .streams import LATENESS, START, event, frame, micros

Rows = dict[tuple[Any, ...], TrafficSlot | TrafficTop]

STATUSES = (None, 101, 200, 302, 400, 401, 403, 404, 429, 500, 599)
SERVICES = ("shop", "pay", "ada@example.com", None)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    service = draw(st.sampled_from(SERVICES))
    route = draw(st.sampled_from(("GET /a/{id}", "POST /b", None)))
    return event(
        draw(st.floats(0, 9_000)),
        service=service,
        route=route and f"{service} {route}".removeprefix("None "),
        status=draw(st.sampled_from(STATUSES)),
        response_bytes=draw(st.sampled_from((None, 0, 17, 2**31))),
        duration_us=draw(st.sampled_from((None, 0, 1, 900, 50_000, 10**12))),
        country=draw(st.sampled_from((None, "DE", "US", "nowhere"))),
        edge=draw(st.booleans()),
    )


def in_order(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda each: each["effective_time"])


def key(row: TrafficSlot | TrafficTop) -> tuple[Any, ...]:
    return row[:4]


def counted(
    events: Sequence[dict[str, Any]],
    cuts: Sequence[int] = (),
    takes: frozenset[int] = frozenset(),
    crashes: frozenset[int] = frozenset(),
) -> Rows:
    """What is stored in the end: of two rows of a slot the one with more requests.

    After the batches in `takes` it is stored and packed; after those in `crashes` it goes on from
    where it was packed last.
    """
    edges = [0, *sorted({cut % (len(events) + 1) for cut in cuts}), len(events)]
    batches = [events[a:b] for a, b in pairwise(edges)]
    traffic, rows = Traffic(), Rows()
    packer, pieces = Packer(), dict[str, bytes]()
    kept, kept_at = b"", 0
    crashed: set[int] = set()
    at = 0

    def store() -> None:
        for row in traffic.take():
            known = rows.get(key(row))
            if known is None or row.requests >= known.requests:
                rows[key(row)] = row

    while at < len(batches):
        batch = batches[at]
        watermark = micros(batch[-1]["effective_time"]) - LATENESS if batch else None
        traffic.add(traffic.aggregate(frame(batch)), watermark)
        at += 1
        if at in takes:
            store()
            packed = packer.pack(Snapshot("", {}, learned={"traffic": traffic.snapshot()}))
            pieces.update(packed.pieces)
            kept, kept_at = packed.manifest, at
        if at in crashes - crashed:
            crashed.add(at)
            traffic, at = Traffic(), kept_at
            if kept:
                traffic.restore(Snapshot.unpack(kept, pieces).learned["traffic"])
    traffic.finish()
    store()
    return rows


def expected(events: Iterable[dict[str, Any]]) -> dict[tuple[str, str, int, int], Counter[str]]:
    """Requests by class and bytes of each slot, request by request."""
    found: dict[tuple[str, str, int, int], Counter[str]] = defaultdict(Counter)
    for each in events:
        status = each["status"] or 0
        classes = {4: "client_errors", 5: "server_errors"}
        name = "refused" if status in {401, 403} else classes.get(status // 100, "fine")
        time = micros(each["effective_time"]) // 1_000_000
        services = {EVERY, each["service"] or EVERY}
        for service in services:
            for step in (60, 3_600):
                slot = found[
                    "***" if service and "@" in service else service,
                    "edge" if each["edge"] else "internal",
                    step,
                    time // step * step * 1_000_000,
                ]
                slot["requests"] += 1
                slot[name] += 1
                slot["bytes"] += each["response_bytes"] or 0
    return found


@settings(max_examples=40, deadline=None)
@given(events=st.lists(requests(), min_size=1, max_size=60).map(in_order))
def test_slots_are_what_one_counts_request_by_request(events: list[dict[str, Any]]) -> None:
    slots = {
        (
            "***" if row.service.startswith("***") else row.service,
            row.role,
            row.step,
            row.start,
        ): {
            "requests": row.requests,
            "client_errors": row.client_errors,
            "refused": row.refused,
            "server_errors": row.server_errors,
            "bytes": row.response_bytes,
        }
        for row in counted(events).values()
        if isinstance(row, TrafficSlot)
    }
    assert slots == {
        slot: {name: counts[name] for name in next(iter(slots.values()))}
        for slot, counts in expected(events).items()
    }


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(requests(), min_size=1, max_size=60).map(in_order),
    cuts=st.lists(st.integers(0, 60), max_size=12),
    takes=st.frozensets(st.integers(1, 12)),
    crashes=st.frozensets(st.integers(1, 12), max_size=3),
)
def test_neither_cuts_nor_crashes_change_what_is_stored(
    events: list[dict[str, Any]],
    cuts: list[int],
    takes: frozenset[int],
    crashes: frozenset[int],
) -> None:
    """Failed when the state forgot minutes folded into their hour."""
    assert counted(events, cuts, takes, crashes) == counted(events)


def test_durations_are_at_most_an_eighth_off() -> None:
    events = [event(n / 100, service="shop", duration_us=1_000 + 10 * n) for n in range(1_000)]
    (slot,) = (
        row
        for row in counted(events).values()
        if isinstance(row, TrafficSlot) and row.service == "shop" and row.step == 60
    )
    assert slot.p50_us == pytest.approx(6_000, rel=0.125)
    assert slot.p95_us == pytest.approx(10_500, rel=0.125)


def test_an_hour_names_its_greatest_routes_and_countries() -> None:
    events = [
        event(n, service="shop", route=f"shop GET /r{n % 40}", country="DE", status=404)
        for n in range(60)
    ]
    events += [event(60, service="shop", route="shop GET /r7", country="FR", status=200)]
    tops = {
        (row.service, row.kind): row
        for row in counted(events).values()
        if isinstance(row, TrafficTop)
    }
    assert set(tops) == {(s, k) for s in ("shop", EVERY) for k in ("route", "country")}
    route = tops["shop", "route"]
    assert route.requests == 61
    assert route.entries[0] == ("shop GET /r7", 3, 2)
    assert len(route.entries) == 30
    assert tops[EVERY, "country"].entries == (("DE", 60, 60), ("FR", 1, 0))
    assert datetime.fromtimestamp(route.start / 1e6, UTC) == START.replace(minute=0)


def test_open_minutes_are_told_at_once_and_only_when_they_changed() -> None:
    traffic = Traffic()
    traffic.add(traffic.aggregate(frame([event(1, service="shop")])), None)
    assert {row.requests for row in traffic.take()} == {1}
    assert traffic.take() == []
    traffic.add(traffic.aggregate(frame([event(2, service="shop")])), None)
    assert {row.requests for row in traffic.take()} == {2}
    traffic.add(traffic.aggregate(frame([event(61, service="shop")])), micros(START) + 60_000_000)
    told = [row[2:5] for row in traffic.take() if isinstance(row, TrafficSlot) and row.service]
    minute = micros(START) + 60_000_000
    assert {(60, minute - 60_000_000, 2), (60, minute, 1)} <= set(told), "though a slot was closed"


def test_too_many_services_and_names_are_counted_together() -> None:
    traffic = Traffic(service_cap=2, name_cap=3)
    events = [
        event(n, service=f"s{n % 5}", route=f"s{n % 5} GET /r{n}", country="DE") for n in range(40)
    ]
    events += [event(50 + n, service=f"s{n}", route=f"s{n} GET /r{n}") for n in (1, 2)]
    traffic.add(traffic.aggregate(frame(events)), None)
    state = traffic.snapshot()["open"]
    assert set(state["service"]) == {"s1", "s2", OTHERS}
    assert state["name"].n_unique() <= 6
    traffic.finish()
    slots = [row for row in traffic.take() if isinstance(row, TrafficSlot) and row.step == 60]
    assert {row.service: row.requests for row in slots} == {"s1": 9, "s2": 9, OTHERS: 24, EVERY: 42}


def test_nothing_is_told_of_no_events() -> None:
    traffic = Traffic()
    assert traffic.aggregate(frame([])) == []
    traffic.add([], micros(START + timedelta(hours=1)))
    traffic.finish()
    assert traffic.take() == []
