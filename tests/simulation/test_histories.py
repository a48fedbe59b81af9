"""Scenarios that need days before them: who comes when, what is true, and the same run again."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from detectors.catalogue import load_catalogue
from detectors.registry import DETECTORS, FAMILIES, HEALTH
from ingest.events import BATCH_SCHEMA
from ingest.reader import LogReader
from ingest.route_documents import load_document
from ingest.routes import RouteTemplates
from ingest.sources import FileSource
from vedette.simulation import (
    LongRun,
    Truth,
    all_scenarios,
    batch_frame,
    long_run,
    read_truth,
    simulate,
    write,
)
from vedette.simulation.declarations import declared_templates, route_names
from vedette.simulation.render import render

START = datetime(2026, 11, 10, tzinfo=UTC)
DAY = timedelta(days=1)
ATTACKS = [scenario for scenario in all_scenarios() if scenario.kind == "attack"]
NEAR_MISSES = [scenario for scenario in all_scenarios() if scenario.kind == "near_miss"]
LATER = {scenario.name: scenario for scenario in all_scenarios() if scenario.needs_history}


@pytest.fixture(scope="module")
def run() -> LongRun:
    return long_run(
        3,
        START,
        6 * DAY,
        requests_per_second=0.3,
        scenarios=list(LATER),
        history=2 * DAY,
    )


@pytest.fixture(scope="module")
def events(run: LongRun) -> pl.DataFrame:
    return pl.concat(run.frames())


def _of(run: LongRun, name: str) -> Iterator[Truth]:
    return (row for row in run.truth if row.scenario == name)


def test_every_detector_but_those_of_sources_has_an_attack() -> None:
    rules = {rule.name for rule in load_catalogue().rules}
    every = rules | {detector.name for detector in DETECTORS}
    sources = {detector.name for detector in HEALTH}
    assert every - sources <= {name for scenario in ATTACKS for name in scenario.detectors}
    learned = {detector.name for family in FAMILIES for detector in family.detectors}
    assert learned <= {scenario.detectors[0] for scenario in ATTACKS}


def test_every_detector_that_learns_has_a_near_miss() -> None:
    near = {name for scenario in NEAR_MISSES for name in scenario.near}
    for family in FAMILIES:
        assert {detector.name for detector in family.detectors} <= near


def test_scenarios_come_every_other_day_attacks_at_each_strength_in_turn(run: LongRun) -> None:
    for name, scenario in LATER.items():
        rows = list(_of(run, name))
        if scenario.pattern == "daily":
            assert len(rows) == 1
            continue
        days = [(row.started_at - START) // DAY for row in rows]
        assert days in ([0, 2, 4], [1, 3, 5]), name
        wanted = {None} if scenario.kind == "near_miss" else {"weak", "medium", "strong"}
        assert {row.intensity for row in rows} == wanted


def test_the_history_has_ordinary_days_and_no_attack(run: LongRun, events: pl.DataFrame) -> None:
    assert events["timestamp"].is_sorted()
    assert START - 2 * DAY <= events["timestamp"][0] < START - 2 * DAY + timedelta(hours=1)
    assert all(row.started_at >= START for row in run.truth if row.kind == "attack")
    days = events.group_by(pl.col("timestamp").dt.date().alias("day")).len().sort("day")
    assert days.height == 8
    assert min(days["len"][:2].to_list()) > 0.3 * 86_400 * 0.5


def test_every_row_says_where_it_came_from_and_how(events: pl.DataFrame) -> None:
    assert events["country"].null_count() == events["scheme"].null_count() == 0
    assert events["asn"].null_count() == 0
    assert set(events["scheme"]) == {"http", "https"}
    each = events.group_by("client_ip").agg(pl.col("country").n_unique(), pl.col("asn").n_unique())
    assert max(each["country"].to_list()) == max(each["asn"].to_list()) == 1


def test_regulars_come_every_day_from_where_they_are_at_home(
    run: LongRun, events: pl.DataFrame
) -> None:
    stolen = [row.entity for row in _of(run, "stolen_session")]
    theirs = events.filter(pl.col("user").is_in(stolen), pl.col("country") == "DE")
    days = theirs.group_by("user").agg(pl.col("timestamp").dt.date().n_unique().alias("days"))
    assert days["days"].to_list() == [8, 8, 8]
    assert set(theirs.group_by("user").agg(pl.col("asn").n_unique())["asn"]) == {1}
    phone = [row.entity for row in _of(run, "switching_phone")]
    networks = events.filter(pl.col("user").is_in(phone)).group_by("user").agg("asn")
    assert all(len(set(asn)) > 4 for asn in networks["asn"].to_list())


def test_a_session_is_stolen_just_after_its_user_was_there(
    run: LongRun, events: pl.DataFrame
) -> None:
    for row in _of(run, "stolen_session"):
        before = events.filter(
            pl.col("user") == row.entity,
            pl.col("timestamp").is_between(row.started_at - timedelta(hours=1), row.started_at),
            pl.col("country") == "DE",
        )
        gap = row.started_at - before["timestamp"].to_list()[-1]
        assert timedelta(minutes=18) < gap < timedelta(minutes=30)
        abroad = events.filter(pl.col("user") == row.entity, pl.col("country") == "US")
        assert abroad.height == row.requests
        assert row.started_at == abroad["timestamp"][0]


def test_an_attack_in_somebodys_name_goes_on_until_they_are_back(
    run: LongRun, events: pl.DataFrame
) -> None:
    for row in _of(run, "leaked_key_abroad"):
        key = events.filter(pl.col("api_key") == row.entity)
        last = key.filter(pl.col("country") == "JP")["timestamp"].to_list()[-1]
        later = key.filter(pl.col("timestamp") > last)["timestamp"].to_list()
        assert row.ended_at == (later[0] if later else last)


def test_a_traveller_is_eight_hours_on_the_way(run: LongRun, events: pl.DataFrame) -> None:
    for row in _of(run, "traveller"):
        theirs = events.filter(pl.col("user") == row.entity)
        before = theirs.filter(pl.col("timestamp") < row.started_at)["timestamp"].to_list()
        assert row.started_at - before[-1] >= timedelta(hours=8)
        away = pl.col("timestamp").is_between(row.started_at, row.started_at + DAY)
        assert set(theirs.filter(away)["country"]) == {"US"}


def test_what_comes_every_night_comes_in_the_history_too(
    run: LongRun, events: pl.DataFrame
) -> None:
    for name, requests in (("nightly_backup", 900), ("nightly_export", 40)):
        (row,) = _of(run, name)
        assert row.started_at < START - DAY
        theirs = events.filter(pl.col("client_ip") == row.entity)
        counts = theirs.group_by(pl.col("timestamp").dt.date()).len()["len"].to_list()
        assert counts == [requests] * 8
        assert row.requests == 8 * requests


def test_changes_befall_the_requests_of_their_service(run: LongRun, events: pl.DataFrame) -> None:
    plain = long_run(3, START, 6 * DAY, requests_per_second=0.3, scenarios=[], history=2 * DAY)
    ordinary = pl.concat(plain.frames())

    def both(row: Truth) -> tuple[pl.DataFrame, pl.DataFrame]:
        span = pl.col("timestamp").is_between(row.started_at, row.ended_at, closed="left")
        here = span & (pl.col("service") == row.entity)
        before = ordinary.filter(here)
        people = pl.col("client_ip").is_in(before["client_ip"].unique().to_list())
        return before, events.filter(here & people)

    slow = next(row for row in _of(run, "slow_database") if row.intensity == "strong")
    before, after = both(slow)
    assert after["duration_us"].to_list() == [30 * each for each in before["duration_us"]]
    gone = next(row for row in _of(run, "lost_customers") if row.intensity == "strong")
    assert both(gone)[0].height > both(gone)[1].height == 0
    clear = next(row for row in _of(run, "port_without_tls") if row.intensity == "strong")
    assert set(both(clear)[1]["scheme"]) == {"http"}
    broken = next(row for row in _of(run, "bad_release") if row.intensity == "strong")
    before, after = both(broken)
    failed = after.filter(pl.col("status") == 500)
    assert failed.height > 0.75 * before.height
    assert {kind for kind, _ in broken.also} == {"all", "route"}


def test_what_is_about_all_traffic_keeps_apart(run: LongRun) -> None:
    spans = sorted(
        (row.started_at, row.ended_at)
        for row in run.truth
        if ("all", "all") in LATER[row.scenario].also
    )
    assert len(spans) == 3 * 11
    assert min(later[0] - earlier[1] for earlier, later in pairwise(spans)) >= timedelta(minutes=95)


def test_the_same_arguments_give_the_same_bytes() -> None:
    names = ["stolen_session", "slow_database", "nightly_export", "spread_scan", "two_regions"]
    one, other = (
        long_run(3, START, DAY, requests_per_second=0.3, scenarios=names, history=DAY)
        for _ in range(2)
    )
    assert one.truth == other.truth
    assert (one.settings_toml, one.documents) == (other.settings_toml, other.documents)
    assert _digest(pl.concat(one.frames())) == _digest(pl.concat(other.frames()))


def test_a_history_changes_nothing_about_other_scenarios() -> None:
    names = ["login_guessing", "user_attacked"]
    plain, after = (
        long_run(3, START, DAY, requests_per_second=0.2, scenarios=scenarios)
        for scenarios in (names, [*names, "web_shell"])
    )
    known = [row for row in after.truth if row.scenario in names]
    assert known == plain.truth
    assert not plain.documents
    assert "countries" not in plain.settings_toml
    with pytest.raises(ValueError, match="history must not be less than 0"):
        long_run(3, START, DAY, history=-DAY)


def test_a_run_with_a_history_has_them_all_and_one_without_has_none() -> None:
    quiet = {"requests_per_second": 0.1}
    without = long_run(3, START, timedelta(hours=12), **quiet)  # type: ignore[arg-type]
    within = long_run(3, START, 2 * DAY, history=DAY, **quiet)  # type: ignore[arg-type]
    assert not any(row.scenario in LATER for row in without.truth)
    found = {row.scenario for row in within.truth}
    assert set(LATER) < found


def test_routes_are_called_what_events_call_them(events: pl.DataFrame) -> None:
    batch = batch_frame(events, templates=declared_templates())
    ordinary = batch.filter(pl.col("status") < 400)
    for service in ("orders", "accounts", "catalogue", "search"):
        seen = set(ordinary.filter(pl.col("service") == service)["route"])
        usual = set(route_names(service))
        assert len(seen & usual) > len(usual) // 2


def test_documents_and_settings_stand_beside_the_log(tmp_path: Path) -> None:
    names = ["stolen_session", "port_without_tls", "old_version"]
    made = simulate(3, START, timedelta(hours=2), requests_per_second=1, scenarios=names)
    (log,) = write(made, tmp_path, "json")
    assert read_truth(tmp_path / "truth.jsonl") == made.truth
    settings = tomllib.loads((tmp_path / "vedette.toml").read_text())
    documents = [load_document(Path(file)) for file in settings["routes"]["openapi"]]
    assert {document.name for document in documents} == set(made.documents)
    zombies = {each.template for d in documents for each in d.operations if each.deprecated}
    assert {"/orders/v1/history/{order}", "/orders/v1/basket"} < zombies
    assert settings["countries"]["blocked"] == ["KP"]

    fields = json.loads(log.read_text().splitlines()[0])
    assert {"client.geo.country_iso_code", "client.as.number", "scheme"} <= set(fields)
    reader = LogReader([FileSource(paths=(str(log),), format="json")])
    read = pl.concat([batch.events for batch in reader.batches()])
    built = batch_frame(made.events, templates=RouteTemplates())
    assert built.schema == BATCH_SCHEMA == read.schema
    for column in ("country", "asn", "scheme", "user", "status", "route"):
        assert built[column].equals(read[column], null_equal=True), column


def _digest(events: pl.DataFrame) -> str:
    lines = "\n".join(render(events, "json"))
    return hashlib.sha256(lines.encode()).hexdigest()
