"""Every attack at three strengths, and every kind of near-miss beside them."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from vedette.simulation import INTENSITIES, Truth, all_scenarios, simulate
from vedette.simulation.actors import draw_actors
from vedette.simulation.scenarios import Scenario, at_intensities
from vedette.simulation.truth import in_combined

START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
ATTACKS = [scenario for scenario in all_scenarios() if scenario.kind == "attack"]


@pytest.mark.parametrize("scenario", ATTACKS, ids=lambda scenario: scenario.name)
def test_an_attack_is_stronger_the_stronger_it_is(scenario: Scenario) -> None:
    weak, medium, strong = (scenario.at(intensity) for intensity in INTENSITIES)
    assert set(scenario.strengths) == {"weak", "strong"}
    assert _pressure(weak) < _pressure(medium) < _pressure(strong)


def _pressure(scenario: Scenario) -> tuple[float, float]:
    """How much at once; then how long or how big."""
    at_once = scenario.share or scenario.total / scenario.window_seconds
    return at_once, scenario.response_bytes + scenario.window_seconds


def test_near_misses_have_one_strength() -> None:
    everything = at_intensities(all_scenarios(), INTENSITIES)
    names = [scenario.name for scenario in everything if scenario.kind == "near_miss"]
    assert len(names) == len(set(names))
    assert len(everything) == 3 * len(ATTACKS) + len(names)
    assert not any(each.detectors or each.strengths for each in everything if each.name in names)


def test_every_detector_of_an_attack_has_a_near_miss() -> None:
    near = {name for scenario in all_scenarios() for name in scenario.near}
    must = {scenario.detectors[0] for scenario in ATTACKS}
    assert must <= near
    assert near <= {name for scenario in ATTACKS for name in scenario.detectors}
    assert all(bool(each.near) == (each.kind == "near_miss") for each in all_scenarios())


def test_every_strength_has_clients_of_its_own() -> None:
    run = simulate(3, START, timedelta(minutes=20), requests_per_second=1, intensities=INTENSITIES)
    clients = [client for truth in run.truth for client in truth.clients]
    assert len(clients) == len(set(clients)) > 1_500
    found = dict(run.events.group_by("client_ip").len().iter_rows())
    for truth in run.truth:
        assert sum(found[client] for client in truth.clients) == truth.requests


def test_strengths_change_nothing_about_each_other() -> None:
    arguments = {"scenarios": ["login_guessing", "user_attacked"], "requests_per_second": 1.0}
    medium = simulate(3, START, timedelta(minutes=20), **arguments)  # type: ignore[arg-type]
    every = simulate(3, START, timedelta(minutes=20), intensities=INTENSITIES, **arguments)  # type: ignore[arg-type]
    assert [truth for truth in every.truth if truth.intensity == "medium"] == medium.truth


def test_neighbours_and_countries_are_what_they_are_called() -> None:
    actors = draw_actors(5)
    neighbours = actors["network_login_guessing strong"].addresses
    assert len({address.rpartition(".")[0] for address in neighbours}) == 1
    assert len(set(neighbours)) == 80
    run = simulate(
        5, START, timedelta(hours=1), requests_per_second=1, scenarios=["session_in_many_countries"]
    )
    (truth,) = run.truth
    used = run.events.filter(pl.col("user") == truth.entity)
    assert used["country"].n_unique() == used["client_ip"].n_unique() == 5
    assert set(used["client_ip"]) == set(truth.members)


def test_a_fault_befalls_its_share_of_ordinary_requests() -> None:
    plain, failing, hidden = (
        simulate(6, START, timedelta(hours=1), requests_per_second=8, scenarios=scenarios)
        for scenarios in ([], ["server_errors"], ["untrusted_proxy"])
    )
    (outage,) = failing.truth
    span = pl.col("timestamp").is_between(outage.started_at, outage.ended_at, closed="left")
    theirs = pl.col("service") == outage.entity
    during = failing.events.filter(span & theirs)
    failed = during.filter(pl.col("status").is_in([500, 502, 503]))
    assert failed.height / during.height == pytest.approx(0.6, abs=0.06)
    assert failing.events.filter(~(span & theirs)).equals(plain.events.filter(~(span & theirs)))
    (proxy,) = hidden.truth
    span = pl.col("timestamp").is_between(proxy.started_at, proxy.ended_at, closed="left")
    assert set(hidden.events.filter(span)["client_ip"]) == {proxy.entity}
    assert hidden.events.filter(~span).equals(plain.events.filter(~span))


def test_combined_lines_do_not_show_every_attack() -> None:
    row = Truth(
        scenario="x", kind="attack", entity_type="route", entity="shop GET /a", detectors=("d",),
        started_at=START, ended_at=START, requests=1, also=(("service", "shop"),),
    )  # fmt: skip
    (told,) = in_combined([row])
    assert (told.kind, told.entity, told.also) == ("attack", "GET /a", (("service", "shop"),))
    keyed = Truth(**{**{name: getattr(row, name) for name in row.__slots__}, "needs": ("api_key",)})
    assert in_combined([keyed])[0].kind == "unseen"
    assert Truth.from_json(keyed.to_json()) == keyed
