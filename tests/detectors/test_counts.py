"""Counts kept with a low limit give, for any limit above it, what a run of the rules finds."""

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.aggregate import Complete
from detectors.catalogue import Catalogue, load_catalogue
from detectors.counts import CountingKernel, LimitTooLowError, RuleCounts, judged, lowered, shape_of
from detectors.documents import read_rules
from detectors.overrides import RuleException
from detectors.rules import Rule
from detectors.sigma import compile_rules

from .oracle import sensitive
from .streams import LATENESS, PATHS, QUERIES, event, frame, micros, only, run, told

MEASURES = Path(__file__).parent / "measures.yml"
RULES = (
    *(sensitive(rule) for rule in load_catalogue().rules),
    *compile_rules(read_rules(MEASURES), {}),
)


def counted(rules: list[Rule], batches: list[pl.DataFrame]) -> dict[str, RuleCounts]:
    """Counts of rules as they are, with a watermark behind each batch."""
    kernel = CountingKernel(rules)
    newest = -(2**61)
    for batch in batches:
        before = newest
        if batch.height:
            newest = max(newest, micros(batch["effective_time"].max()))  # type: ignore[arg-type]
        watermark = newest - LATENESS
        kernel.judge(kernel.aggregate(batch, Complete(before, watermark)), watermark)
    kernel.finish()
    return dict(kernel.counts())


def limited(rule: Rule, counts: RuleCounts, above: int) -> Rule:
    """The rule with a limit above the one it was counted with, if it has one to be tuned."""
    start = rule.threshold if counts.floor is None else counts.floor
    asked = replace(rule, threshold=start + above)
    return asked if shape_of(asked) == shape_of(rule) else rule


def dense(seed: int) -> list[dict[str, Any]]:
    """Events of few clients, close together: some stand behind one address with many agents."""
    draw = random.Random(seed)
    span = (3, 90, 700, 9_000)[seed % 4]
    events = []
    for position in range(200):
        client, method = draw.randrange(4), draw.choice(["GET", "GET", "POST", "TRACE"])
        path = draw.choice(PATHS[:2] if draw.random() < 0.3 else PATHS)
        template = "/orders/{id}" if path.startswith("/orders") else path
        events.append(
            event(
                draw.randint(0, span * 1_000_000) / 1e6,
                client_ip=f"203.0.113.{client}",
                client_network="203.0.113.0/24",
                service=draw.choice([None, "shop"]),
                user=draw.choice([None, "ann", "bob"]),
                api_key=draw.choice([None, "k1"]),
                country=draw.choice(["SE", "GB", "US"]),
                method=method,
                path=path,
                query=draw.choice(QUERIES),
                route=f"{method} {template}",
                status=draw.choice([200, 200, 401, 403, 404, 429, 500]),
                user_agent=f"agent {draw.randrange(40)}" if client == 1 else "sqlmap/1.8",
                request_bytes=draw.choice([None, 20_000_000]),
                response_bytes=draw.choice([None, 700, 90_000_000]),
                duration_us=draw.choice([1_000, 3_000_000]),
                request_raw=draw.choice([None, None, "HELP"]),
                position=position,
            )
        )
    return sorted(events, key=lambda each: each["effective_time"])


@settings(max_examples=1, deadline=None)
@given(
    seed=st.integers(0, 15),
    points=st.lists(st.integers(0, 200), max_size=5),
    floor=st.integers(1, 3),
    above=st.integers(0, 4),
)
@example(seed=1, points=[90], floor=1, above=0)
def test_any_limit_above_finds_what_a_run_finds(
    seed: int, points: list[int], floor: int, above: int
) -> None:
    events = dense(seed)
    edges = [0, *sorted(points), len(events)]
    cuts = [frame(events[a:b]) for a, b in pairwise(edges)]
    lows = [lowered(rule, floor) for rule in RULES]
    counts = counted(list({low.name: low for low in lows}.values()), cuts)
    asked = [limited(rule, counts[low.name], above) for rule, low in zip(RULES, lows, strict=True)]
    found = [f for rule in asked for f in judged(rule, counts[shape_of(rule)])]
    assert told(found) == run(Catalogue(tuple(asked), ""), cuts, prompt=False)


def test_a_limit_below_what_was_counted_is_refused() -> None:
    (rule,) = only("missing_path_scan").rules
    low = lowered(rule, 5)
    counts = counted([low], [frame([event(0.0, status=404)])])[low.name]
    assert counts.serves(replace(rule, threshold=5))
    with pytest.raises(LimitTooLowError, match="begin at 5"):
        judged(replace(rule, threshold=4), counts)


def test_only_the_limit_and_what_people_read_leave_the_shape_as_it_is() -> None:
    (rule,) = only("missing_path_scan").rules
    excepted = (RuleException(client="203.0.113.7", why="ours"),)
    assert shape_of(replace(rule, threshold=99, title="Else", mode="monitor")) == shape_of(rule)
    assert shape_of(replace(rule, comparison="gt")) != shape_of(rule)
    other = replace(rule, series=replace(rule.series, exceptions=excepted))
    assert shape_of(other) != shape_of(rule)


def test_a_sequence_keeps_its_limit() -> None:
    (rule,) = only("success_after_failures").rules
    assert lowered(rule, 1).threshold == rule.threshold
    assert shape_of(replace(rule, threshold=rule.threshold + 1)) != shape_of(rule)


@pytest.mark.parametrize("limit", [2, 3, 6])
def test_the_limit_of_a_shared_address_grows_whatever_was_counted_with(limit: int) -> None:
    (rule,) = only("login_burst").rules
    assert rule.shared_address is not None
    agents = 3 * rule.shared_address.agents
    logins = [
        event(
            n / 4,
            method="POST",
            path="/login",
            user_agent=f"agent {n % agents}",
            status=401,
            position=n,
        )
        for n in range(4 * agents)
    ]
    low = lowered(rule, 2)
    counts = counted([low], [frame(logins)])[low.name]
    asked = replace(rule, threshold=limit)
    found = told(judged(asked, counts))
    assert [claim[4] for claim in found] == [3 * limit]
    assert found == run(Catalogue((asked,), ""), [frame(logins)], prompt=False)
