"""What notebooks show of logs, of rules of one's own, and of the API."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from vedette.settings import Settings
from vedette.tuning import api_frames, exploring, own_rules
from vedette.tuning.labelled import LabelledLog, read_log

from .scans import combined, written

RULE = """title: Export
name: export_request
logsource: {category: webserver}
detection: {selection: {cs-uri-stem|startswith: /export}, condition: selection}
---
title: Exports
name: exports
correlation:
  {type: event_count, rules: [export_request], group-by: [c-ip], timespan: 60s, condition: {gte: 5}}
"""
TESTS = """
- name: enough
  events: [{cs-uri-stem: /export, c-ip: 203.0.113.9, repeat: 5}]
- name: not enough, though the test says so
  events: [{cs-uri-stem: /export, c-ip: 203.0.113.9}]
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledLog:
    """30 refused log-ins of one client, 5 requests of another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    refused = [combined(n, request="POST /login HTTP/1.1", status=401) for n in range(30)]
    others = [
        combined(30 + n, client="203.0.113.8", request=f"GET /export/{n} HTTP/1.1")
        for n in range(5)
    ]
    return read_log([str(written(tmp_path / "a.log", [*refused, *others]))])


def test_frames_tell_what_is_in_a_log(log: LabelledLog) -> None:
    fields = exploring.fields(log).set_index("field")
    assert fields.loc["client_ip", "filled"] == 1.0
    assert fields.loc["client_ip", "distinct"] == 2
    assert fields.loc["user", "filled"] == 0.0
    slots = exploring.traffic(log, timedelta(minutes=1))
    assert slots[["2xx", "4xx"]].to_numpy().tolist() == [[5, 30]]
    routes = exploring.routes(log)
    assert (routes["route"][0], routes["refused"][0]) == ("POST /login", 1.0)
    clients = exploring.clients(log).set_index("client")
    assert clients.loc["203.0.113.8", ["requests", "paths"]].tolist() == [5, 5]
    assert set(clients["label"]) == {"unknown"}
    blind = exploring.detectors(log).set_index("detector")
    assert blind.loc["user_attacked", "state"] == "blind"
    found = exploring.findings(log)
    assert "auth_failure_burst" in set(found["detector"])
    counted = exploring.counters(exploring.explained(log, "client:203.0.113.7"))
    assert counted["over"].any()
    assert len(exploring.counters(exploring.explained(log, "client:203.0.113.8"))) > 0


def test_rules_of_ones_own_are_checked_tested_and_tried(log: LabelledLog, tmp_path: Path) -> None:
    folder = own_rules.write_rule(tmp_path / "rules", "mine", RULE, TESTS)
    assert own_rules.checked(folder)["accepted"].all()
    assert own_rules.tested(folder)["passed"].tolist() == [True, False]
    wider = own_rules.with_rules(log, folder)
    assert set(exploring.findings(wider)["detector"]) >= {"exports"}
    reasons = own_rules.why_not(wider, "exports").set_index("why")["events"]
    assert reasons.to_dict() == {"path does not start with /export": 30, "counts": 5}
    wrong = own_rules.write_rule(
        tmp_path / "wrong", "mine", RULE.replace("cs-uri-stem", "cs-cookie")
    )
    refused = own_rules.checked(wrong)
    assert not refused["accepted"].any()
    assert "cookies are not kept" in refused["reason"][0]


def test_the_api_becomes_frames_and_says_why_it_refuses(log: LabelledLog, tmp_path: Path) -> None:
    with api_frames.service_over([str(tmp_path / "a.log")], tmp_path) as api:
        incidents = api.every("/incidents", limit=1)
        assert incidents["entity"].tolist() == ["203.0.113.7"]
        assert str(incidents["started_at"].dtype).startswith("datetime64")
        with pytest.raises(api_frames.ApiError, match="404"):
            api.get("/incidents/99")
        stranger = api_frames.Api(api.url, SecretStr("nobody"))
        with pytest.raises(api_frames.ApiError, match="401"):
            stranger.get("/incidents")
    with pytest.raises(api_frames.ApiError, match="begins with"):
        api_frames.Api("file:///etc", SecretStr("x")).get("/passwd")


def test_simulated_hours_have_attacks_that_are_known() -> None:
    simulated = exploring.simulated_hours(3, hours=1.0)
    assert simulated.is_labelled
    assert {each.name for each in simulated.episodes if each.attack} >= {"object_enumeration"}
    assert isinstance(simulated.settings, Settings)
