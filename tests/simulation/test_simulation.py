"""A run as a whole: its size, its shape over time, its seeds."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ingest.events import EVENT_SCHEMA
from vedette.simulation import Simulation, all_scenarios, simulate, write
from vedette.simulation.events import SIMULATED_SCHEMA
from vedette.simulation.render import Format
from vedette.simulation.routes import route_table
from vedette.simulation.sessions import Requests
from vedette.simulation.traffic import answers

START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
SHORT = timedelta(minutes=6)


def test_events_have_the_columns_of_the_event_table_in_order_of_completion(
    hour: Simulation,
) -> None:
    assert hour.events.schema == SIMULATED_SCHEMA
    assert all(EVENT_SCHEMA[name] == dtype for name, dtype in SIMULATED_SCHEMA.items())
    assert hour.events["timestamp"].is_sorted()
    times = hour.events["timestamp"]
    assert START <= times[0] < START + timedelta(seconds=2)
    assert START + timedelta(minutes=59, seconds=58) < times[-1] < START + timedelta(hours=1)


def test_an_hour_has_tens_of_thousands_of_clients_and_the_requests_asked_for(
    ordinary: pl.DataFrame,
) -> None:
    assert ordinary["client_ip"].n_unique() > 20_000
    assert ordinary.height == pytest.approx(90_000, rel=0.05)
    assert ordinary["user_agent"].n_unique() > 1_000
    assert ordinary["user"].n_unique() > 2_000
    sixth = ordinary.filter(pl.col("client_ip").str.contains(":", literal=True))
    assert 0.04 < sixth.height / ordinary.height < 0.12


def test_at_least_five_services_each_with_several_routes(ordinary: pl.DataFrame) -> None:
    template = pl.col("path").str.replace_all(r"/[0-9a-f-]{3,}(/|$)", "/{}$1")
    routes = ordinary.group_by("service").agg((pl.col("method") + template).n_unique().alias("n"))
    assert {"accounts", "catalogue", "orders", "payments", "search", "media", "admin"} <= set(
        routes["service"]
    )
    assert min(routes["n"].to_list()) >= 3


def test_ordinary_noise_is_there(ordinary: pl.DataFrame) -> None:
    counts = dict(ordinary["status"].value_counts().iter_rows())
    for status in (200, 201, 301, 304, 400, 401, 403, 404, 422, 429, 499, 500, 502, 503):
        assert counts.get(status, 0) > 0, status
    assert counts[200] > 0.7 * ordinary.height
    assert counts[404] < 0.02 * ordinary.height


def test_a_mistyped_password_is_followed_by_the_right_one(ordinary: pl.DataFrame) -> None:
    logins = ordinary.filter(pl.col("path") == "/accounts/v1/login", pl.col("method") == "POST")
    per_client = logins.group_by("client_ip", maintain_order=True).agg("status")
    failed = per_client.filter(pl.col("status").list.contains(401))
    assert failed.height > 20
    # Only those whose second try falls outside of the hour, or beyond a session's end, have none.
    assert failed.filter(pl.col("status").list.last() == 200).height > 0.9 * failed.height


def test_users_appear_only_where_somebody_is_signed_in(ordinary: pl.DataFrame) -> None:
    known = ordinary.filter(pl.col("user").is_not_null())
    assert known.filter(pl.col("status") == 401).is_empty()
    assert known.filter(pl.col("path").str.ends_with("/login")).is_empty()
    assert set(known["service"]) <= {"accounts", "orders", "payments", "admin", "catalogue"}


def test_no_two_clients_share_an_address_and_no_client_changes_its_name(
    ordinary: pl.DataFrame,
) -> None:
    named = ordinary.group_by("client_ip").agg(pl.all().n_unique())
    assert named["user_agent"].max() == 1
    assert max(named["user"].to_list()) <= 2  # the user, and null


def test_traffic_follows_the_hour_of_the_day() -> None:
    day = simulate(
        1, START.replace(hour=0, minute=0), timedelta(days=1), requests_per_second=2, scenarios=[]
    )
    hours = day.events.group_by(pl.col("timestamp").dt.hour()).len().sort("timestamp")["len"]
    assert day.events.height == pytest.approx(2 * 86_400, rel=0.05)
    assert hours.arg_max() in {9, 10, 11, 19, 20}
    assert hours[3] < 0.25 * hours[10]
    assert hours[14] > 2 * hours[6]


def test_rate_is_the_mean_over_the_run_at_any_hour_of_the_week() -> None:
    for start in (START.replace(hour=3), START + timedelta(days=5, hours=4)):
        run = simulate(3, start, timedelta(minutes=30), requests_per_second=20, scenarios=[])
        assert run.events.height == pytest.approx(20 * 1_800, rel=0.1)


@pytest.mark.parametrize("form", ["combined", "json"])
def test_one_seed_gives_the_same_bytes(tmp_path: Path, form: Format) -> None:
    runs = [simulate(11, START, SHORT, requests_per_second=10) for _ in range(2)]
    for name, run in zip("ab", runs, strict=True):
        write(run, tmp_path / name, form)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 3
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_seeds_differ_in_traffic_actors_and_times() -> None:
    one, two = (simulate(seed, START, SHORT, requests_per_second=5) for seed in (1, 2))
    assert not one.events["client_ip"].equals(two.events["client_ip"])
    actors = [{client for truth in run.truth for client in truth.clients} for run in (one, two)]
    assert set.intersection(*actors) == {"198.51.100.77"}
    starts = {(truth.scenario, truth.started_at) for truth in one.truth}
    assert not starts & {(truth.scenario, truth.started_at) for truth in two.truth}


def test_leaving_scenarios_out_changes_nothing_else() -> None:
    everything = simulate(5, START, SHORT, requests_per_second=5)
    some = simulate(5, START, SHORT, requests_per_second=5, scenarios=["login_guessing"])
    none = simulate(5, START, SHORT, requests_per_second=5, scenarios=[])
    actors = [client for truth in everything.truth for client in truth.clients]
    assert everything.events.filter(~pl.col("client_ip").is_in(actors)).equals(none.events)
    assert some.truth == [t for t in everything.truth if t.scenario == "login_guessing"]
    assert none.truth == []
    assert none.settings_toml == ""


def test_placement_says_when_a_burst_begins() -> None:
    at = timedelta(seconds=90)
    run = simulate(
        5,
        START,
        SHORT,
        requests_per_second=5,
        scenarios=["sensitive_files", "office_morning"],
        placement={"sensitive_files": at, "office_morning": at},
    )
    for truth in run.truth:
        assert START + at <= truth.started_at <= START + at + timedelta(seconds=60)


def _call(**changes: Any) -> Callable[[], object]:
    arguments: dict[str, Any] = {"seed": 1, "start": START, "duration": SHORT, **changes}
    return lambda: simulate(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (_call(start=START.replace(tzinfo=None)), "time zone"),
        (_call(duration=timedelta(0)), "greater than 0"),
        (_call(requests_per_second=0), "greater than 0"),
        (_call(scenarios=["ddos"]), "no scenario is called ddos"),
        (_call(duration=timedelta(seconds=90), scenarios=["login_guessing"]), "does not fit"),
        (_call(intensities=["huge"]), "no intensity is called huge"),
        (_call(placement={"login_guessing": timedelta(minutes=5)}), "does not fit"),
        (_call(placement={"logins": timedelta(0)}), "no scenario is called logins"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_every_scenario_stands_in_the_documentation() -> None:
    page = Path(__file__).parents[2].joinpath("docs/simulator.md").read_text(encoding="utf-8")
    for scenario in all_scenarios():
        assert f"| `{scenario.name}` | {scenario.summary} |" in page


def test_a_session_meets_a_refusal_only_a_few_times() -> None:
    count = 40
    nothing = np.zeros(count, dtype=np.int64)
    for key, status, most in (("GET /favicon.ico", 404, 3), ("GET /healthz", 200, count)):
        route = np.full(count, route_table().index[key])
        requests = Requests(nothing, np.arange(count), route, nothing, nothing, nothing, nothing)
        drawn = answers(np.random.default_rng(1), route_table(), requests)
        assert (drawn == status).sum() == most
