"""Attacks have exactly the strength that is written down; near-misses stay what they are."""

import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import microseconds
from vedette.simulation import Simulation, Truth, all_scenarios, read_truth, simulate, write
from vedette.simulation.actors import Actor
from vedette.simulation.scenarios import Scenario
from vedette.simulation.scripted import burst_events

START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
START_US = microseconds(START)
STRENGTHS = {
    "auth_failure_burst": (30, 60),
    "login_guessing": (20, 120),
    "missing_path_scan": (40, 120),
    "endpoint_scan": (60, 60),
    "request_flood": (1_200, 60),
    "malformed_requests": (15, 60),
    "sensitive_files": (8, 30),
}
BURSTS = [scenario for scenario in all_scenarios() if scenario.pattern == "burst"]


def _truth(run: Simulation, name: str) -> Truth:
    (found,) = (truth for truth in run.truth if truth.scenario == name)
    return found


def _events(run: Simulation, name: str) -> pl.DataFrame:
    return run.events.filter(pl.col("client_ip") == _truth(run, name).entity)


def test_the_attacks_are_those_of_the_catalogue(hour: Simulation) -> None:
    attacks = {truth.scenario for truth in hour.truth if truth.kind == "attack"}
    assert set(STRENGTHS) < attacks
    assert attacks == {
        scenario.name
        for scenario in all_scenarios()
        if scenario.kind == "attack" and scenario.in_every_run and scenario.window_seconds <= 3_600
        if not scenario.needs_history
    }
    near_misses = {truth.scenario for truth in hour.truth if truth.kind == "near_miss"}
    assert {
        "retrying_device", "crawler", "uptime_monitor", "office_morning", "load_test",
    } < near_misses  # fmt: skip


@pytest.mark.parametrize(("name", "strength"), STRENGTHS.items())
def test_an_attack_has_its_strength(hour: Simulation, name: str, strength: tuple[int, int]) -> None:
    requests, seconds = strength
    events = _events(hour, name)
    assert events.height == requests
    times = _times(events)
    span = times[-1] - times[0]
    assert timedelta(seconds=0.7 * seconds) < span < timedelta(seconds=seconds)


def test_what_the_attacks_ask_for(hour: Simulation) -> None:
    refused = _events(hour, "auth_failure_burst")
    assert set(refused["status"]) == {401}
    assert refused["path"].n_unique() == 1

    logins = _events(hour, "login_guessing")
    assert set(logins["status"]) == {200}
    assert set(logins["method"]) == {"POST"}
    assert set(logins["path"]) == {"/accounts/v1/login"}

    missing = _events(hour, "missing_path_scan")
    assert set(missing["status"]) == {404}
    assert missing["path"].n_unique() == 40

    scan = _events(hour, "endpoint_scan")
    assert scan["path"].n_unique() == 60
    statuses = Counter(scan["status"].to_list())
    assert set(statuses) == {200, 401, 403, 404, 405}
    assert statuses[404] == 5

    flood = _events(hour, "request_flood")
    assert set(flood["status"]) == {200}
    assert flood["path"].n_unique() == 3

    malformed = _events(hour, "malformed_requests")
    assert malformed["request_raw"].n_unique() == 15
    assert set(malformed["status"]) == {400}
    assert malformed["method"].null_count() == malformed["path"].null_count() == 15

    files = _events(hour, "sensitive_files")
    assert files["path"].n_unique() == 8
    assert set(files["status"]) <= {200, 403, 404}


def test_only_the_malformed_requests_are_unreadable(hour: Simulation) -> None:
    raw = hour.events.filter(pl.col("request_raw").is_not_null())
    assert set(raw["client_ip"]) == {
        _truth(hour, name).entity for name in ("malformed_requests", "plain_port")
    }
    assert hour.events.filter(pl.col("path").is_null()).height == raw.height


def test_the_device_retries_at_its_pace_all_hour(hour: Simulation) -> None:
    device = _events(hour, "retrying_device")
    assert device["path"].n_unique() == 1
    assert set(device["status"]) == {401}
    assert device.height in {599, 600}
    assert _most_in(device, seconds=60) <= 11


def test_the_crawler_is_gentle_and_finds_five_dead_links(hour: Simulation) -> None:
    crawler = _events(hour, "crawler")
    assert crawler.height in {3_599, 3_600}
    assert _most_in(crawler, seconds=60) <= 62
    dead = crawler.filter(pl.col("status") == 404)
    assert dead["path"].n_unique() == 5
    assert _most_in(dead, seconds=600) <= 1


def test_the_monitor_asks_every_ten_seconds(hour: Simulation) -> None:
    monitor = _events(hour, "uptime_monitor")
    assert monitor.height in {359, 360}
    times = _times(monitor)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= timedelta(seconds=9)
    assert max(gaps) <= timedelta(seconds=11)


def test_the_office_arrives_about_nine_and_everybody_gets_in(hour: Simulation) -> None:
    office = _events(hour, "office_morning")
    logins = office.filter(pl.col("path") == "/accounts/v1/login")
    by_status = dict(logins["status"].value_counts().iter_rows())
    assert by_status == {200: 200, 401: 200}
    failures = _times(logins.filter(pl.col("status") == 401))
    nine = START.replace(hour=9, minute=0)
    assert nine - timedelta(minutes=5) <= failures[0]
    assert failures[-1] <= nine + timedelta(minutes=5)
    assert office["user"].drop_nulls().n_unique() == 200
    assert 100 < office["user_agent"].n_unique() <= 200
    # Each person's user agent fails before it gets in.
    order = logins.group_by("user_agent", maintain_order=True).agg("status")
    assert all(statuses[0] == 401 for statuses in order["status"].to_list())


def test_the_office_comes_at_a_busy_time_if_nine_is_not_in_the_run() -> None:
    run = simulate(
        2,
        START.replace(hour=14),
        timedelta(hours=1),
        requests_per_second=1,
        scenarios=["office_morning"],
    )
    logins = _events(run, "office_morning").filter(pl.col("path") == "/accounts/v1/login")
    assert logins.height == 400


def test_the_load_test_is_heavy_and_excepted(hour: Simulation) -> None:
    load = _events(hour, "load_test")
    assert load.height == 9_000
    assert 2_900 <= _most_in(load, seconds=60) <= 3_100
    assert load["path"].n_unique() <= 5
    settings = tomllib.loads(hour.settings_toml)
    assert settings["detectors"]["request_rate"]["exceptions"] == [
        {
            "client": "198.51.100.77",
            "until": "2026-11-03T09:30:00Z",
            "why": "our own load test",
        }
    ]


def test_truth_agrees_with_the_events_and_survives_the_file(
    hour: Simulation, tmp_path: Path
) -> None:
    write(hour, tmp_path, "json")
    assert read_truth(tmp_path / "truth.jsonl") == hour.truth
    clients = [client for truth in hour.truth for client in truth.clients]
    assert len(set(clients)) == len(clients)
    for truth in hour.truth:
        events = hour.events.filter(pl.col("client_ip").is_in(truth.clients))
        assert truth.requests == events.height
        assert truth.started_at == events["timestamp"].min()
        assert truth.ended_at == events["timestamp"].max()
        assert bool(truth.detectors) == (truth.kind == "attack")
        assert (truth.intensity == "medium") == (truth.kind == "attack")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_ordinary_does_what_an_attack_does(seed: int) -> None:
    run = simulate(seed, START, timedelta(hours=1))
    actors = [client for truth in run.truth for client in truth.clients]
    events = run.events.filter(~pl.col("client_ip").is_in(actors))
    missing = events.filter(pl.col("status") == 404)
    login = (pl.col("method") == "POST") & pl.col("path").str.ends_with("/login")
    template = pl.col("path").str.replace_all(r"/[0-9a-f-]{3,}", "/{}")
    routes = events.group_by("client_ip").agg((pl.col("method") + template).n_unique().alias("n"))
    paths = missing.group_by("client_ip").agg(pl.col("path").n_unique().alias("n"))
    assert max(paths["n"].to_list()) < 6
    assert _most_in(events.filter(login), seconds=300) <= 5
    assert _most_in(events.filter(pl.col("status").is_in([401, 403])), seconds=60) <= 5
    assert 110 <= _most_in(events, seconds=60) <= 210
    assert max(routes["n"].to_list()) <= 40


@given(
    seed=st.integers(0, 2**32 - 1),
    scenario=st.sampled_from(BURSTS),
    begin=st.integers(0, 2_000_000_000_000_000),
)
def test_any_seed_gives_a_burst_its_exact_strength(
    seed: int, scenario: Scenario, begin: int
) -> None:
    events = burst_events(
        np.random.default_rng(seed), scenario, Actor(("192.0.2.1",), (None,)), begin
    )
    times = events["timestamp"].to_physical()
    assert events.height == scenario.total + len(scenario.then)
    assert times.is_sorted()
    assert times[0] >= begin - 1_000
    assert times[-1] < begin + scenario.window_seconds * 1_000_000
    if scenario.each_once:
        target = pl.coalesce(pl.col("request_raw"), pl.col("method") + pl.col("path"))
        assert events.select(target).n_unique() == scenario.requests


def _times(events: pl.DataFrame) -> list[datetime]:
    times: list[datetime] = events["timestamp"].to_list()
    return times


def _most_in(events: pl.DataFrame, *, seconds: int) -> int:
    """Return the most events that one client has in any window of that length."""
    ordered = events.sort("client_ip", "timestamp")
    client = ordered["client_ip"].rle_id().to_numpy().astype(np.int64)
    times = ordered["timestamp"].to_physical().to_numpy()
    keys = client * 10**13 + (times - START_US)
    ends = np.searchsorted(keys, keys + seconds * 1_000_000, side="left")
    return int((ends - np.arange(len(keys))).max())
