"""Routes: every incident has an answer, the first match says who is told, `continue` goes on."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.views import IncidentView
from alerts.routing.matchers import Matchers
from alerts.routing.routes import Route, Routing

from .examples import INCIDENT, incidents, matchers


def routings() -> st.SearchStrategy[Routing]:
    targets = st.lists(st.sampled_from("stu"), min_size=1, max_size=2, unique=True).map(tuple)
    match = st.one_of(st.just(Matchers()), matchers())
    route = st.builds(Route, st.just(""), targets, match, st.booleans())
    return st.lists(route, max_size=5).map(
        lambda routes: Routing([replace(r, name=f"r{n}") for n, r in enumerate(routes)])
    )


def expected(routing: Routing, view: IncidentView) -> list[tuple[str, str]]:
    """Targets by the words of the documentation, route by route."""
    told: list[tuple[str, str]] = []
    for route in routing.routes:
        if not route.match.matches(view):
            continue
        told += [(t, route.name) for t in route.targets if t not in {name for name, _ in told}]
        if not route.proceed:
            break
    return told


@given(routings(), incidents())
def test_targets_are_those_of_the_words(routing: Routing, view: IncidentView) -> None:
    assert routing.targets(view) == expected(routing, view)
    assert routing.targets(view) == Routing(routing.routes).targets(view)


@given(routings(), incidents())
def test_the_explanation_is_what_happens(routing: Routing, view: IncidentView) -> None:
    steps = routing.explain(view)
    assert [step.route for step in steps] == list(routing.routes)
    taken = [step.route for step in steps if step.outcome == "taken"]
    assert taken == list(routing.matching(view))
    assert all(step.reason for step in steps)
    for step in steps:
        if step.outcome != "not asked":
            assert (step.outcome == "taken") == step.route.match.matches(view)
    asked = [step.outcome != "not asked" for step in steps]
    assert asked == sorted(asked, reverse=True)


@given(routings(), incidents())
def test_a_last_route_for_everything_leaves_nobody_untold(
    routing: Routing, view: IncidentView
) -> None:
    assert Routing([*routing.routes, Route("rest", ("ops",))]).targets(view)


def test_an_explanation_in_words() -> None:
    routing = Routing(
        [
            Route("payments", ("pay",), Matchers(service=("payments",))),
            Route("severe", ("pager",), Matchers(severity_min="high"), proceed=True),
            Route("all", ("slack", "pager")),
            Route("never", ("x",)),
        ]
    )
    told = [(step.route.name, step.outcome, step.reason) for step in routing.explain(INCIDENT)]
    assert told == [
        ("payments", "passed", "service is not payments"),
        ("severe", "taken", "severity_min=high matches; continues"),
        ("all", "taken", "everything matches; the last one"),
        ("never", "not asked", "all was the last one"),
    ]
    assert routing.targets(INCIDENT) == [("pager", "severe"), ("slack", "all")]


def test_a_route_that_is_gone_waits_for_nothing() -> None:
    route = Routing.everything_to("ops").route("of yesterday's settings")
    assert (route.group_wait, route.group_interval) == (timedelta(0), timedelta(0))
    assert (route.repeat_interval, route.escalate_after) == (None, None)
    assert Routing.everything_to().targets(INCIDENT) == []
