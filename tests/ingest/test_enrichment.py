"""What all sources share: it changes in `refresh` only, and survives a restart."""

import json

import polars as pl

from ingest.enrichment import Enrichment
from ingest.events import EVENT_SCHEMA
from ingest.route_learning import RouteLearner


def visits(names: int, networks: int) -> pl.DataFrame:
    rows = [
        {
            "route": f"GET /users/name{number}",
            "status": 200,
            "client_network": f"198.{number % networks}.0.0/24",
        }
        for number in range(names)
    ]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


def learned() -> Enrichment:
    shared = Enrichment(learner=RouteLearner())
    for _ in range(3):
        shared.observe(visits(900, 90))
    return shared


def test_what_is_learned_is_taken_up_at_a_refresh() -> None:
    shared = learned()
    before = shared.fingerprint
    paths = pl.Series(["/users/somebody"])
    assert shared.routes.of(paths).to_list() == ["/users/somebody"]
    assert shared.refresh()
    assert shared.routes.of(paths).to_list() == ["/users/{id}"]
    assert shared.fingerprint != before
    assert not shared.refresh()


def test_what_was_learned_goes_on_after_a_restart() -> None:
    first = learned()
    first.refresh()
    again = Enrichment(learner=RouteLearner())
    again.restore(json.loads(json.dumps(first.state())))
    assert again.fingerprint == first.fingerprint
    assert again.problems == []


def test_a_state_that_cannot_be_read_is_told_and_begins_anew() -> None:
    shared = Enrichment(learner=RouteLearner())
    shared.restore({"routes": {"version": 2, "places": [], "seen": "no such thing"}})
    assert len(shared.problems) == 1
    assert "learning begins anew" in shared.problems[0]
    assert not shared.refresh()
    shared.restore({})


def test_without_a_learner_nothing_is_learned_or_stored() -> None:
    shared = Enrichment()
    shared.observe(visits(900, 90))
    assert shared.state() == {}
    assert not shared.refresh()
