"""vedette notify routes: which route, which target, what mutes it now, and why."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alerts.database.opening import open_database
from alerts.storage.store import Store
from detectors.findings import Finding, Level
from vedette.cli import cli

SETTINGS = """
[store]
url = "sqlite:///{folder}/v.db"

[targets.slack]
url = "json://user:geheim@127.0.0.1:9/a"
[targets.pager]
url = "json://127.0.0.1:9/b"
min_level = "critical"

[[notify.routes]]
name = "severe"
match = {{ severity_min = "high" }}
targets = ["pager"]
continue = true
escalate_after = "15m"
escalate_to = ["slack"]

[[notify.routes]]
name = "log-ins"
match = {{ detector = "login_*" }}
targets = ["slack"]
group_by = ["detector", "service"]
repeat_interval = 0

[[notify.routes]]
name = "rest"
targets = ["slack"]

[[inhibit]]
name = "one attack"
source = {{ entity_type = "network" }}
target = {{ entity_type = "client" }}
equal = ["network"]

[[maintenance]]
name = "always"
match = {{ service = "shop" }}
from = 2020-01-01T00:00:00Z
until = 2120-01-01T00:00:00Z
"""

RULE = """
title: Request of mine
id: 0a86d0cb-7a3b-4b0c-8a0c-3a5f5f6a3c11
name: my_request
logsource:
  category: webserver
detection:
  selection:
    cs-uri-stem: /mine
  condition: selection
---
title: Mine
id: 0a86d0cb-7a3b-4b0c-8a0c-3a5f5f6a3c12
name: web_recon
correlation:
  type: event_count
  rules: [my_request]
  group-by: [c-ip]
  timespan: 10m
  condition: {gte: 2}
level: low
vedette:
  unit: requests of mine
  runbook: docs/mine.md
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "v.toml"
    file.write_text(SETTINGS.format(folder=tmp_path), encoding="utf-8")
    return file


def vedette(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["notify", "routes", *map(str, arguments)])


def answer(*arguments: str | Path) -> dict[str, Any]:
    result = vedette(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def stored(config: Path, entity_type: Any = "network", **changes: Any) -> None:
    at = datetime(2026, 3, 4, 9, tzinfo=UTC)
    values: dict[str, Any] = {"entity": "203.0.113.0/24", "level": Level.HIGH, "mode": "alert"}
    values |= changes
    finding = Finding(
        detector="x",
        entity_type=entity_type,
        first=at,
        last=at,
        value=9,
        threshold=3,
        unit="requests",
        window=at - at,
        **values,
    )
    engine = open_database(f"sqlite:///{config.parent}/v.db")
    Store(engine).record([finding], watermark=None)
    engine.dispose()


def test_every_route_has_its_reason(config: Path) -> None:
    told = answer("-c", config, "--severity", "high", "--detector", "login_burst")
    assert [tuple(route.values()) for route in told["routes"]] == [
        ("severe", "taken", "severity_min=high matches; continues"),
        ("log-ins", "taken", "detector=login_* matches; the last one"),
        ("rest", "not asked", "log-ins was the last one"),
    ]
    assert (told["incident"], told["mutes"], told["remarks"]) == (None, [], [])
    pager, slack = told["targets"]
    assert pager == {
        "target": "pager",
        "route": "severe",
        "withheld": "below critical",
        "group_by": "incident",
        "group_wait": "5s",
        "group_interval": "1m",
        "repeat_interval": "4h",
        "escalation": "after 15m to slack",
    }
    assert (slack["route"], slack["withheld"], slack["group_by"], slack["repeat_interval"]) == (
        "log-ins",
        None,
        "detector, service",
        "never",
    )


def test_the_table_says_the_same(config: Path) -> None:
    result = vedette("-c", config, "--detector", "login_burst", "--service", "shop")
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "An example, medium, client 203.0.113.7, detectors login_burst, services shop" in words
    assert "severity medium is below high" in words
    assert "not asked │ log-ins was the last one" in words
    assert "group_by detector, service" in words
    assert "Muted now: maintenance always, until 2120-01-01 00:00 UTC" in words
    assert "geheim" not in result.output


def test_what_mutes_it_now_is_asked_of_the_database(config: Path) -> None:
    stored(config)
    told = answer("-c", config)
    assert [mute["reason"] for mute in told["mutes"]] == ["inhibited by incident 1 (one attack)"]
    silence = ["silences", "add", "--comment", "c", "--for", "1h", "--entity", "203.0.113.0/24"]
    added = CliRunner().invoke(cli, [*silence, "-c", str(config)])
    assert added.exit_code == 0, added.output
    assert [mute["reason"] for mute in answer("-c", config)["mutes"]] == [
        "silence 1",
        "inhibited by incident 1 (one attack)",
    ]
    assert answer("-c", config, "--entity", "198.51.100.7")["mutes"] == []
    assert "No silence, maintenance" in vedette("-c", config, "--entity", "198.51.100.7").stdout


def test_a_stored_incident_is_an_example(config: Path) -> None:
    stored(config)
    told = answer("1", "-c", config)
    assert told["incident"] == 1
    assert [target["target"] for target in told["targets"]] == ["pager", "slack"]
    result = vedette("1", "-c", config)
    assert result.stdout.startswith("Incident 1, high, network 203.0.113.0/24, detectors x")
    missing = vedette("2", "-c", config)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "no incident 2" in missing.stderr


def test_who_is_not_told_whatever_the_routes_say(config: Path) -> None:
    stored(config, mode="monitor")
    assert answer("1", "-c", config)["remarks"] == [
        "Its detectors are in mode monitor: nobody is told."
    ]
    bare = config.with_name("bare.toml")
    bare.write_text("", encoding="utf-8")
    assert "There are no targets" in vedette("-c", bare).stdout
    text = SETTINGS.format(folder=config.parent).replace(
        'name = "rest"', 'name = "rest"\nmatch = { label = "x" }'
    )
    config.write_text(text, encoding="utf-8")
    assert "No route matches: it is stored, and nobody is told." in vedette("-c", config).stdout


def test_hostile_names_reach_no_terminal(config: Path) -> None:
    stored(config, "user", entity="a\x1b[2Jb[red]x[/red]")
    for result in (vedette("1", "-c", config), vedette("-c", config, "--entity", "\x1b[2J")):
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output
    assert "[red]x[/red]" in vedette("1", "-c", config).stdout


@pytest.mark.parametrize(
    ("option", "name", "hint"),
    [
        ("--severity", "severe", "known are critical, high, informational, low, medium"),
        ("--severity", "hi*", "known are critical"),
        ("--entity-type", "clients", "did you mean 'client'?"),
        ("--detector", "login_brust", "did you mean 'login_burst'?"),
    ],
)
def test_what_no_incident_has_is_refused(config: Path, option: str, name: str, hint: str) -> None:
    result = vedette("-c", config, option, name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{option} {name}: there is none such; {hint}" in result.stderr


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[notify.routes]]\nname = 'b'\ntargets = ['slack']\nmatch = {}", "notify.routes.3.match"),
        ("[[inhibit]]\nname = 'b'\nsource = {}\ntarget = {{ tag = 'x' }}", "inhibit.1.source"),
        ("[[inhibit]]\nname = 'b'\nsource = {{ tag = 'x' }}\ntarget = {}", "inhibit.1.target"),
        (
            "[[maintenance]]\nname = 'b'\nweekly = 'Sun 01:00-02:00'\nmatch = {}",
            "maintenance.1.match",
        ),
    ],
)
def test_a_detector_that_is_none_is_refused_wherever_the_settings_have_it(
    config: Path, text: str, place: str
) -> None:
    matchers = '{ detector = ["login_*", "login_brust"] }'
    more = text.replace("{{", "{").replace("}}", "}").replace("{}", matchers)
    config.write_text(SETTINGS.format(folder=config.parent) + more, encoding="utf-8")
    result = vedette("-c", config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{place}.detector: there is no detector 'login_brust'; did you mean 'login_burst'?" in (
        result.stderr
    )


def test_detectors_of_every_kind_are_known(config: Path) -> None:
    known = '["login_burst", "MISSED_*", "alerts_failing", "web_recon", "read_rate"]'
    rules = config.parent / "rules"
    rules.mkdir()
    more = f"""
[[notify.routes]]
name = "all kinds"
targets = ["slack"]
match = {{ detector = {known} }}
[rules]
folders = ["{rules}"]
[detectors.read_rate]
enabled = false
"""
    config.write_text(SETTINGS.format(folder=config.parent) + more, encoding="utf-8")
    assert "no detector 'web_recon'" in vedette("-c", config).stderr
    (rules / "mine.yml").write_text(RULE, encoding="utf-8")
    result = vedette("-c", config)
    assert result.exit_code == 0, result.output


def test_what_run_would_refuse_is_refused(config: Path) -> None:
    written = config.read_text(encoding="utf-8")
    config.write_text(written.replace("json://user:geheim@", "slak://user:geheim@"), "utf-8")
    result = vedette("-c", config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "target slack: its address is not one that Apprise knows" in result.stderr
    assert "geheim" not in result.output
    config.write_text(written.replace("[targets.slack]", "[targets.slack]\nformat = 'slack'"))
    assert "format slack is for slack:// addresses only" in vedette("-c", config).stderr


def test_a_template_that_is_not_there_is_said(config: Path) -> None:
    written = config.read_text(encoding="utf-8")
    config.write_text(written.replace("[targets.slack]", "[targets.slack]\ntemplate = 'gone.j2'"))
    (remark,) = answer("-c", config)["remarks"]
    assert remark == (
        "Target slack: template gone.j2: cannot be read: No such file or directory."
        " Until that is mended, messages have our own words."
    )
    assert "Target slack: template gone.j2" in vedette("-c", config).stdout
