"""Days and weeks: in order, cut anyhow the same, everybody once at a time; batches from events."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from ingest.events import BATCH_SCHEMA
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.simulation import (
    LongRun,
    all_scenarios,
    batch_frame,
    long_run,
    simulate,
    write,
)
from vedette.simulation.events import SIMULATED_SCHEMA

START = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def day() -> LongRun:
    return long_run(4, START, DAY, requests_per_second=2)


@pytest.fixture(scope="module")
def events(day: LongRun) -> pl.DataFrame:
    frames = list(day.frames())
    assert len(frames) == 48
    for earlier, later in pairwise(frames):
        assert earlier["timestamp"][-1] < later["timestamp"][0]
    return pl.concat(frames)


def test_a_day_has_every_scenario_at_every_strength(day: LongRun) -> None:
    found = Counter((truth.scenario, truth.intensity) for truth in day.truth)
    assert set(found.values()) == {1}
    for scenario in all_scenarios():
        if scenario.needs_model or scenario.needs_history:
            assert scenario.name not in {name for name, _ in found}
            continue
        wanted = {None} if scenario.kind == "near_miss" else {"weak", "medium", "strong"}
        assert {level for name, level in found if name == scenario.name} == wanted


def test_the_truth_is_known_before_the_events(day: LongRun, events: pl.DataFrame) -> None:
    assert events.schema == SIMULATED_SCHEMA
    assert events["timestamp"].is_sorted()
    assert events["timestamp"][0] >= START
    assert events["timestamp"][-1] < START + DAY
    found = dict(events.group_by("client_ip").len().iter_rows())
    for truth in day.truth:
        if truth.requests:
            assert sum(found[client] for client in truth.clients) == truth.requests
    scripted = sum(truth.requests for truth in day.truth)
    assert events.height - scripted == pytest.approx(2 * 86_400, rel=0.05)


def test_ordinary_people_come_back_but_never_twice_at_once() -> None:
    quiet = long_run(4, START, timedelta(hours=6), requests_per_second=2, scenarios=[])
    seen = pl.concat(quiet.frames()).sort("client_ip", "timestamp")
    gap = pl.col("timestamp").diff().over("client_ip")
    gaps = seen.select(gap.alias("gap")).to_series().drop_nulls()
    longest_pause, shortest_absence = timedelta(minutes=10), timedelta(minutes=20)
    between = gaps.is_between(longest_pause, shortest_absence)
    assert between.sum() < 0.001 * len(gaps)
    assert (gaps > shortest_absence).sum() > 100
    assert seen.group_by("client_ip").agg(pl.col("user_agent").n_unique())["user_agent"].max() == 1
    assert quiet.truth == []


def test_the_same_arguments_give_the_same_run() -> None:
    whole = long_run(4, START, timedelta(hours=2), requests_per_second=2, scenarios=[])
    again = long_run(4, START, timedelta(hours=2), requests_per_second=2, scenarios=[])
    for one, other in zip(whole.frames(), again.frames(), strict=True):
        assert one.equals(other)


def test_what_is_reported_of_something_shared_keeps_apart(day: LongRun) -> None:
    for kind in ("all", "service"):
        spans = sorted(
            (truth.started_at, truth.ended_at) for truth in day.truth if truth.entity_type == kind
        )
        assert all(b[0] - a[1] >= timedelta(minutes=40) for a, b in pairwise(spans))
    route = ("route", "accounts POST /accounts/v1/login")
    spans = sorted(
        (t.started_at, t.ended_at) for t in day.truth if t.kind == "attack" and route in t.entities
    )
    assert len(spans) == 9
    assert all(b[0] - a[1] >= timedelta(minutes=40) for a, b in pairwise(spans))


def test_each_day_has_clients_and_times_of_its_own() -> None:
    run = long_run(4, START, 2 * DAY, requests_per_second=1, scenarios=["login_guessing"])
    assert len(run.truth) == 6
    assert len({truth.entity for truth in run.truth}) == 6
    assert sum(truth.started_at >= START + DAY for truth in run.truth) == 3


def test_a_batch_is_what_reading_the_lines_gives(tmp_path: Path) -> None:
    run = simulate(9, START, timedelta(minutes=15), requests_per_second=3)
    logs = write(run, tmp_path, "json")
    reader = LogReader([FileSource(paths=tuple(map(str, logs)), format="json")])
    read = pl.concat([batch.events for batch in reader.batches()])
    made = batch_frame(run.events)
    assert made.schema == BATCH_SCHEMA == read.schema
    own = ["position", "partition", "request_id", "api_key"]
    for name in made.drop(own).columns:
        assert made[name].equals(read[name], null_equal=True), name
    assert made["position"].to_list() == list(range(made.height))
    assert batch_frame(run.events[7:9], 7).equals(made[7:9])
