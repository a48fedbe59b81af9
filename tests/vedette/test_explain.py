"""vedette explain: a line, and an entity at a time, from a log and from what is stored."""

import json
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.database.opening import open_database
from alerts.muting.silences import add_silence
from alerts.routing.matchers import Matchers
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.detection import Detection
from detectors.findings import Finding, merge_runs
from detectors.learned.expecting import expectations
from detectors.learned.families import Families
from detectors.learned.seen import Seen, SeenSettings
from detectors.learned.spikes.tails import lower, upper
from detectors.learned.spikes.usual import CHANCE, interval
from detectors.naming import name_of
from ingest.enrichment import Enrichment
from ingest.events import Batch
from ingest.pseudonyms import Pseudonyms
from ingest.sources import FileSource
from ingest.times import iso, microseconds
from tests.detectors.streams import event, frame
from vedette.cli import cli
from vedette.detecting import detection_of
from vedette.explain.entities import (
    Entity,
    EntityError,
    entity_of,
    explain_in_log,
    is_near,
    split_at,
    verdict,
)
from vedette.explain.readings import LineRead, read_line
from vedette.rules import catalogue_of
from vedette.settings import Settings
from vedette.simulation import batch_frame, simulate
from vedette.worker import Worker

from .scans import START, combined, written

SECRET = b"s" * 32
SOURCE = FileSource(paths=("-",))
CATALOGUE = catalogue_of(Settings())
RUN = simulate(
    5,
    START,
    timedelta(minutes=15),
    requests_per_second=0.5,
    scenarios=[
        "credential_stuffing",
        "distributed_login_guessing",
        "guessed_password",
        "object_walk",
    ],
)
EVENTS = batch_frame(RUN.events)
CLIENT = Entity("client", "203.0.113.7")


def refused(count: int, status: int = 401) -> list[str]:
    return [combined(n, request="POST /login HTTP/1.1", status=status) for n in range(count)]


def invoke(*arguments: str | Path, stdin: str | None = None) -> tuple[int, Any, str]:
    """Status, the JSON object and standard error of `vedette explain`."""
    result = CliRunner().invoke(cli, ["explain", *map(str, arguments), "--json"], input=stdin)
    return result.exit_code, json.loads(result.stdout or "null"), result.stderr


def read(line: str, source: FileSource = SOURCE, enrichment: Enrichment | None = None) -> LineRead:
    return read_line(line.encode(), source, enrichment or Enrichment())


def origins(found: LineRead) -> dict[str, str]:
    return {row.name: row.origin for row in found.fields}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


# A line


def test_a_line_is_read_and_its_fields_say_where_they_come_from() -> None:
    found = read(combined(0, request="POST /login HTTP/1.1", status=401, user="ann"))
    assert found.format is not None
    assert found.format.name == "combined"
    told = origins(found)
    assert told["client_ip"] == "the peer, columns 1 to 11"
    assert told["user"] == "columns 15 to 17"
    assert told["client_network"] == "client_ip"
    assert {"api_key", "host", "service"} <= set(found.missing)
    assert found.others[0].name in {"common", "vhost_combined"}
    assert all(other.why for other in found.others)


def test_a_json_line_tells_keys_masks_and_settings() -> None:
    line = json.dumps(
        {
            "time": "2026-11-02T08:00:00Z",
            "client": {"ip": "203.0.113.7"},
            "x_forwarded_for": "198.51.100.9",
            "method": "GET",
            "path": "/a",
            "query": "token=abcdefghijklmnop1234567890",
            "status": 200,
            "api_key": "sk_live_abc",
        }
    )
    source = FileSource(paths=("-",), service="shop")
    found = read(line, source, Enrichment(pseudonyms=Pseudonyms(SECRET)))
    told = origins(found)
    assert told["service"] == "the settings of the source"
    assert told["path"] == "the key path"
    assert "is not believed" in told["client_ip"]
    assert "keyed hash" in told["api_key"]
    assert "abcdefghij" not in str(found.fields)
    assert "sk_live" not in str(found.fields)
    assert [mask.partition(":")[0] for mask in found.masks] == ["query", "api_key"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no access log at all", "unparsed"),
        ("", "the line is blank"),
        ("#Fields: date time", "a directive"),
        ("x" * 300_000, "too_long"),
        ("\x00\x01", "not_text"),
    ],
)
def test_a_line_that_is_no_event_says_why(line: str, reason: str) -> None:
    found = read(line)
    assert found.event.is_empty()
    assert found.reason.startswith(reason)


@settings(max_examples=15, deadline=None)
@given(line=st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_explained(line: bytes) -> None:
    found = read_line(line, SOURCE, Enrichment())
    assert found.event.is_empty() == bool(found.reason)


def test_the_command_tells_matches_and_reasons(tmp_path: Path) -> None:
    line = combined(0, request="POST /login HTTP/1.1", status=401)
    status, told, _ = invoke(line)
    rules = {row["rule"]: row for row in told["rules"]}
    assert status == 0
    assert rules["auth_failure_burst"]["verdict"] == "counts"
    assert rules["auth_failure_burst"]["entity"] == "203.0.113.7"
    assert rules["missing_path_scan"]["why"] == "status is not 404 (it is 401)"
    status, told, _ = invoke("-", stdin="nothing\n")
    assert (status, told["event"], told["format"]) == (1, False, None)
    shown = CliRunner().invoke(cli, ["explain", line]).stdout
    assert shown.index("auth_failure_burst") < shown.index("user_agent")
    assert shown.index("user_agent") < shown.index("rules do not match")


def test_a_source_of_the_settings_says_how_the_line_is_read(tmp_path: Path) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text(
        '[[sources]]\npaths = ["/var/log/a.log"]\nservice = "shop"\nrole = "internal"\n'
    )
    line = combined(0, request="GET /x HTTP/1.1", status=404)
    for name in ("shop", "/var/log/a.log"):
        _, told, _ = invoke(line, "--config", config, "--source", name)
        rules = {row["rule"]: row for row in told["rules"]}
        assert told["fields"]["service"]["value"] == "shop"
        assert "behind the edge" in rules["missing_path_scan"]["why"]
    status, _, said = invoke(line, "--config", config, "--source", "nobody")
    assert status == 2
    assert "no source is called" in said


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["--entity", "client:203.0.113.7", "--source", "x"]]
)
def test_wrong_use_is_refused(arguments: list[str]) -> None:
    assert invoke(*arguments)[0] == 2


# An entity


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nobody", "TYPE:NAME"),
        ("target:x", "TYPE:NAME"),
        ("client:", "needs a name"),
        ("client:ann", "needs an address"),
    ],
)
def test_what_is_no_entity_is_refused(text: str, said: str) -> None:
    with pytest.raises(EntityError, match=said):
        entity_of(text)


def test_entities_are_named_as_findings_do() -> None:
    assert entity_of("client:2001:DB8::0:1").name == "2001:db8::1"
    assert entity_of("all") == Entity("all", "all")
    assert entity_of("user:ann@example.com").name.startswith("***#")
    pseudonyms = Pseudonyms(SECRET, frozenset({"user"}))
    hidden = entity_of("user:ann", pseudonyms, {"user"})
    assert hidden.name == name_of("user", pseudonyms.pseudonym("user", "ann"))
    assert entity_of(f"user:{hidden.name}", pseudonyms, {"user"}) == hidden


def detection() -> Detection:
    return Detection(CATALOGUE, prompt=False)


def found_in(batches: list[Batch]) -> list[Finding]:
    run = Detection(CATALOGUE)
    found = [finding for batch in batches for finding in run.process(batch)]
    return merge_runs([], found + run.finish())


def batches() -> list[Batch]:
    middle = EVENTS.height // 2
    newest = microseconds(EVENTS["effective_time"][middle - 1])
    return [Batch(EVENTS[:middle], newest), Batch(EVENTS[middle:], None)]


FOUND = found_in(batches())


@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_explain_agrees_with_a_run_over_a_simulated_log(data: st.DataObject) -> None:
    """Entities and times that are drawn: attackers, and others at any time."""
    told = [(each.entity_type, each.entity, each.last) for each in FOUND]
    anybody = EVENTS["client_ip"].unique().sort().to_list()
    times = EVENTS["effective_time"].to_list()
    some = st.tuples(st.just("client"), st.sampled_from(anybody), st.sampled_from(times))
    kind, name, time = data.draw(st.one_of(st.sampled_from(told), some))
    explained = explain_in_log(batches(), detection(), Entity(kind, name), time)
    mine = [each for each in FOUND if (each.entity_type, each.entity) == (kind, name)]
    assert [each.key for each in explained.findings] == [
        each.key for each in mine if is_near(each, time)
    ]
    for counter in explained.counters:
        found = [each for each in mine if each.detector == counter.rule.name]
        inside = [each for each in found if each.first <= time and each.reached]
        assert not counter.over or inside
        assert counter.over or not [each for each in found if each.last == time]
    alerts = [each for each in explained.findings if each.mode == "alert"]
    assert verdict(explained).startswith("There is an incident") == bool(alerts)


def test_a_log_is_cut_where_nothing_earlier_can_follow() -> None:
    time = microseconds(START + timedelta(minutes=9))
    for every in (batches(), [Batch(EVENTS, None)]):
        parts = list(split_at(every, time))
        assert sum(batch.events.height for batch, _ in parts) == EVENTS.height
        (at,) = [number for number, (_, reached) in enumerate(parts) if reached]
        before = sum(batch.events.height for batch, _ in parts[: at + 1])
        assert before == EVENTS["effective_time"].to_physical().lt(time).sum()


def test_an_exception_and_monitor_mode_are_told(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", refused(40))
    config = tmp_path / "vedette.toml"
    config.write_text(
        '[detectors.login_burst]\nmode = "monitor"\n'
        "[[detectors.auth_failure_burst.exceptions]]\n"
        'client = "203.0.113.7"\nwhy = "our own load test"\n'
    )
    at = f"{START + timedelta(seconds=39):%Y-%m-%dT%H:%M:%SZ}"
    status, told, _ = invoke(
        *("--entity", "client:203.0.113.7", "--at", at, "--config", config), log
    )
    counters = {row["rule"]: row for row in told["counters"]}
    assert status == 0
    assert told["not_counted"] == [
        {
            "rule": "auth_failure_burst",
            "requests": 40,
            "why": "an exception of the settings: our own load test",
        }
    ]
    assert counters["auth_failure_burst"]["value"] == 0
    assert counters["login_burst"]["over"]
    assert {each["mode"] for each in told["findings"] if each["detector"] == "login_burst"} == {
        "monitor"
    }
    shown = CliRunner().invoke(cli, ["explain", "--entity", str(CLIENT), "--at", at, str(log)])
    assert "There is an incident" in shown.stdout


def test_below_every_limit_the_nearest_is_told(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", refused(4))
    _, told, _ = invoke("--entity", "client:203.0.113.7", log)
    assert told["verdict"].startswith("There is no incident: no limit is reached. The nearest is")
    _, told, _ = invoke("--entity", "client:203.0.113.8", log)
    assert told["verdict"] == "There is no incident: the log has no request of it."


def test_the_stored_state_tells_counters_incidents_and_silences(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [combined(0)])
    url = f"sqlite:///{tmp_path / 'service.db'}"
    engine = open_database(url)
    worker = Worker(
        [FileSource(paths=(str(log),), format="combined")],
        detection_of(Settings(), CATALOGUE),
        Store(engine),
        routing=Routing.everything_to("default"),
    )
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in refused(30))
    stop = Event()
    while worker.step(stop):
        pass
    stop.set()
    worker.run(stop)
    add_silence(
        engine,
        Matchers(entity=("203.0.113.7",)),
        comment="known",
        created_by="ann",
        starts_at=START + timedelta(seconds=10),
        ends_at=START + timedelta(hours=1),
        now=START,
    )
    engine.dispose()
    entity = ("--entity", "client:203.0.113.7", "--database", tmp_path / "service.db")
    at = ("--at", f"{START + timedelta(seconds=28):%Y-%m-%dT%H:%M:%SZ}")
    status, told, _ = invoke(*entity, *at)
    counters = {row["rule"]: row for row in told["counters"]}
    assert status == 0
    assert counters["auth_failure_burst"]["over"]
    assert counters["auth_failure_burst"]["value"] == 29
    assert told["verdict"].startswith("There is an incident")
    assert any("is muted by silence" in line for line in told["incidents"])
    assert any("only a log tells" in line for line in told["not_told"])
    _, told, _ = invoke(*entity, "--at", "2026-11-02T07:00:00Z")
    assert any("partly forgotten" in line for line in told["not_told"])
    _, told, _ = invoke(*entity, "--at", "2026-11-03T08:00:00Z")
    assert any("what came later is not in it" in line for line in told["not_told"])


def test_without_state_nothing_is_made_up(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'empty.db'}").dispose()
    status, _, said = invoke("--entity", "all", "--database", tmp_path / "empty.db")
    assert status == 2
    assert "no state" in said
    assert invoke("--entity", "all", "--at", "soon", "--database", tmp_path / "empty.db")[0] == 2


# What is learned


def ordinary(second: float) -> pl.DataFrame:
    same = {"user": "ann", "country": "SE", "client_network": "203.0.113.0/24"}
    return frame([event(second + n, **same) for n in range(10)])


def test_what_is_usual_of_a_user_is_told() -> None:
    days = 9
    family = Seen(settings=SeenSettings(learning_days=3, learning_requests=5))
    families = Families([family])
    for day in range(days):
        time = START + timedelta(days=day)
        sums = families.aggregate(ordinary(day * 86_400.0))
        families.judge(sums, microseconds(time + timedelta(hours=1)))
    (told,) = expectations(families, "user", "ann")
    assert told.learned
    assert "countries SE" in told.expects
    (new,) = expectations(families, "user", "bob")
    assert not new.learned


@pytest.mark.parametrize(("mean", "spread"), [(0.2, 0.5), (30.0, 0.0), (900.0, 0.1)])
def test_intervals_hold_all_but_a_thousandth_on_each_side(mean: float, spread: float) -> None:
    low, high = interval(mean, spread)
    tail = {
        name: float(function(*(np.array([float(x)]) for x in (count, mean, spread)))[0])
        for name, function, count in (
            ("low", lower, low),
            ("high", upper, high),
            ("below", lower, low - 1),
            ("above", upper, high + 1),
        )
    }
    assert low <= mean <= high + 1
    assert tail["low"] >= CHANCE
    assert tail["above"] < CHANCE
    assert low == 0 or tail["below"] < CHANCE


def test_names_from_logs_are_no_markup() -> None:
    """Failed when the name that a rule counts for was read as markup: the command crashed."""
    line = combined(0, request="POST /login HTTP/1.1", status=401, user="[/x]")
    shown = CliRunner().invoke(cli, ["explain", line])
    assert shown.exit_code == 0
    assert "user [/x]" in shown.stdout


@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:59:59Z"])
def test_times_without_a_window_are_refused(tmp_path: Path, time: str) -> None:
    """Failed when the ends of windows were no times any more: the command crashed."""
    log = written(tmp_path / "access.log", refused(3))
    status, _, said = invoke("--entity", "client:203.0.113.7", "--at", time, log)
    assert status == 2
    assert "--at: must be in the years" in said


def test_who_is_not_in_the_log_is_explained_at_its_end(tmp_path: Path) -> None:
    """Failed when the time was the beginning of 1970."""
    log = written(tmp_path / "access.log", refused(3))
    _, told, _ = invoke("--entity", "client:192.0.2.200", log)
    assert (told["requests"], told["at"]) == (0, iso(START + timedelta(seconds=2)))
