"""What varies in paths is learned from many clients, and from no scanner."""

import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.route_learning import NETWORK_LIMIT, SHARE, VALUE_LIMIT, RouteLearner
from ingest.routes import RouteTemplates, routes

SCHEMA = {
    "service": pl.String,
    "method": pl.String,
    "path": pl.String,
    "status": pl.Int64,
    "client_network": pl.String,
}

Request = tuple[str | None, str, str | None, int | None, str | None]


def events(requests: list[Request], learned: list[str] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(requests, schema=SCHEMA, orient="row")
    template = RouteTemplates(learned=learned or []).of(frame["path"], frame["service"])
    return frame.with_columns(route=routes(pl.col("service"), pl.col("method"), pl.lit(template)))


def network(number: int) -> str:
    return f"10.{number >> 8}.{number & 255}.0/24"


def proposals(requests: list[Request], learned: list[str] | None = None) -> list[str]:
    learner = RouteLearner()
    learner.observe(events(requests, learned))
    return learner.proposals()


def visits(
    values: int,
    networks: int,
    path: str = "/users/{}",
    *,
    status: int = 200,
    service: str | None = None,
    of: str = "name{}",
) -> list[Request]:
    """Return requests for each value, from networks that take turns."""
    return [
        (service, "GET", path.format(of.format(value)), status, network(value % networks))
        for value in range(values)
    ]


def test_a_segment_of_many_values_from_many_networks_varies() -> None:
    assert proposals(visits(400, 50)) == ["/users/{id}"]
    assert proposals(visits(400, 400)) == ["/users/{id}"]
    assert proposals(visits(400, 50, service="shop")) == ["shop /users/{id}"]
    assert proposals(visits(400, 50, status=302)) == ["/users/{id}"]
    assert proposals(visits(400, 50, path="/users/{}/orders")) == ["/users/{id}"]
    assert proposals(visits(400, 50, path="/shops/7/{}")) == ["/shops/{id}/{id}"]
    assert proposals(visits(400, 50, path="/{}")) == ["/{id}"]


def test_the_limits() -> None:
    assert proposals(visits(VALUE_LIMIT, 100)) == []
    assert proposals(visits(VALUE_LIMIT + 1, 100)) == ["/users/{id}"]
    assert proposals(visits(1000, NETWORK_LIMIT - 1)) == []
    assert proposals(visits(1000, NETWORK_LIMIT)) == []
    assert proposals(visits(1000, NETWORK_LIMIT + 1)) == ["/users/{id}"]


def test_what_it_keeps_names_nobody_and_holds_no_secret() -> None:
    learner = RouteLearner()
    below = ("/users/alice@example.com/orders/{}", "/reset/4f9c1e/confirm/{}", "/users/{}")
    for path in below:
        learner.observe(events(visits(3, 3, path)))
    kept = json.dumps(learner.state())
    assert "alice" not in kept
    assert "4f9c1e" not in kept
    assert '"/users"' in kept


@pytest.mark.parametrize("status", [100, 400, 401, 403, 404, 429, 500, 503])
def test_failures_teach_nothing(status: int) -> None:
    assert proposals(visits(1000, 100, status=status)) == []


def test_nothing_to_learn() -> None:
    assert proposals([]) == []
    nothing: list[Request] = [
        (None, "GET", None, 200, network(1)),
        (None, "GET", "/a", None, network(1)),
        (None, "GET", "/a", 200, None),
        (None, "GET", "*", 200, network(1)),
        ("a /b", "GET", "/a", 200, network(1)),
    ]
    assert proposals(nothing * 300) == []
    assert proposals(visits(1000, 100, of="{}")) == []  # numbers are {id} already
    assert proposals(visits(1000, 100), learned=["/users/{id}"]) == []


def test_what_is_below_a_learned_segment_is_one_place() -> None:
    requests: list[Request] = [
        (None, "GET", f"/users/name{value}/posts/post{value}", 200, network(value))
        for value in range(400)
    ]
    assert proposals(requests) == ["/users/{id}"]
    assert proposals(requests, learned=["/users/{id}"]) == ["/users/{id}/posts/{id}"]


def test_a_scanner_cannot_fold_what_it_probes() -> None:
    """Even if the server answers everything with 200, and real clients use the same place."""
    real: list[Request] = [
        (None, "GET", f"/page{value % 30}", 200, network(value)) for value in range(3000)
    ]
    scan: list[Request] = [
        (None, "GET", f"/probe{value}", 200, network(70_000)) for value in range(20_000)
    ]
    assert proposals(real + scan) == []


def test_a_scanner_with_few_networks_cannot_either() -> None:
    real: list[Request] = [
        (None, "GET", f"/page{value % 30}", 200, network(value)) for value in range(3000)
    ]
    few = (VALUE_LIMIT - 30) // SHARE
    for seed in range(5):
        pick = random.Random(seed)
        scan: list[Request] = [
            (None, "GET", f"/probe{pick.random()}", 200, network(70_000 + value % few))
            for value in range(5000)
        ]
        assert proposals(real + scan) == []


def test_many_networks_of_one_owner_are_one() -> None:
    def requests(form: str) -> list[Request]:
        return [
            (None, "GET", f"/users/name{value}", 200, form.format(f"{value + 1:x}"))
            for value in range(1000)
        ]

    assert proposals(requests("2001:db8:7:{}::/64")) == []
    assert proposals(requests("2001:db8:0:{}::/64") + requests("2001:db8::/64")) == []
    assert proposals(requests("2001:db8:{}::/64")) == ["/users/{id}"]


def test_distinct_methods_and_statuses_of_one_place_count_together() -> None:
    requests = visits(150, 50) + [
        (None, "PUT", f"/users/other{value}", 204, network(value)) for value in range(150)
    ]
    assert proposals(requests) == ["/users/{id}"]


def test_memory_is_bounded() -> None:
    learner = RouteLearner(most_places=20)
    for turn in range(10):
        requests = [
            (None, "GET", f"/dir{turn}-{value}/x", 200, network(value)) for value in range(500)
        ]
        learner.observe(events(requests + visits(400, 50)))
        assert len(learner.state()["places"]) <= 20
    assert "/users/{id}" in learner.proposals()
    many = RouteLearner()
    many.observe(events(visits(40_000, 3000)))
    assert len(json.dumps(many.state())) < 200_000


def test_a_state_is_json_and_goes_on() -> None:
    requests = visits(600, 60) + visits(600, 60, path="/items/{}", service="shop")
    whole = RouteLearner()
    whole.observe(events(requests))
    part = RouteLearner()
    part.observe(events(requests[::2]))
    restored = RouteLearner()
    restored.restore(json.loads(json.dumps(part.state())))
    assert restored.state() == part.state()
    restored.observe(events(requests[1::2]))
    assert restored.state() == whole.state()
    assert restored.proposals() == ["/users/{id}", "shop /items/{id}"]


@pytest.mark.parametrize("state", [{}, {"version": 2}, {"version": 1}, {"version": 1, "places": 7}])
def test_another_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no state of learned routes"):
        RouteLearner().restore(state)


names = st.sampled_from(["a", "b", "c"])


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_the_order_of_events_and_batches_does_not_matter(data: st.DataObject) -> None:
    pick = random.Random(data.draw(st.integers(0, 99)))
    requests: list[Request] = [
        (
            pick.choice([None, "shop"]),
            "GET",
            f"/{pick.choice(['x', 'y'])}/v{pick.randrange(400)}/{pick.choice(['e', 'f'])}",
            pick.choice([200, 200, 200, 404]),
            network(pick.randrange(400)),
        )
        for _ in range(3000)
    ]
    one = RouteLearner(most_places=2000)
    one.observe(events(requests))
    shuffled = data.draw(st.permutations(range(6)))
    other = RouteLearner(most_places=2000)
    for part in shuffled:
        other.observe(events(requests[part::6]))
        if data.draw(st.booleans()):
            other.proposals()
    assert other.state() == one.state()
    assert other.proposals() == one.proposals() != []
