"""Sigma rules: what compiles, what it matches, what is refused and how."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors.catalogue import load_catalogue
from detectors.documents import RuleError, read_rules
from detectors.findings import Level
from detectors.overrides import RuleException, RuleOverride
from detectors.sigma import compile_rules

from .streams import catalogue_of, event, frame, run

HEAD = "title: T\nname: t\nlogsource: {category: webserver}\n"


def accepts(detection: str, folder: Path, **fields: Any) -> bool:
    """Whether a rule's selection accepts an event with these fields."""
    text = HEAD + "detection:\n" + "\n".join("  " + line for line in detection.splitlines())
    rule = catalogue_of(text, folder).rules[0]
    accepted = frame([event(**fields)]).select(rule.series.sources[0].part.expr).to_series()
    assert accepted.null_count() == 0
    return bool(accepted.item())


@pytest.mark.parametrize(
    ("item", "fields", "expected"),
    [
        ("cs-method: post", {"method": "POST"}, True),
        ("cs-method: PO", {"method": "POST"}, False),
        ("cs-method|cased: post", {"method": "POST"}, False),
        ("cs-uri-stem|contains: LOGIN", {"path": "/v1/Login/x"}, True),
        ("cs-uri-stem|contains: [a1, b2]", {"path": "/xB2"}, True),
        ("cs-uri-stem|contains: [a1, b2]", {"path": "/x"}, False),
        ("cs-uri-stem|contains|all: [a1, b2]", {"path": "/a1/b2"}, True),
        ("cs-uri-stem|contains|all: [a1, b2]", {"path": "/a1"}, False),
        ("cs-uri-stem|startswith: /API", {"path": "/api/x"}, True),
        ("cs-uri-stem|endswith: .PHP", {"path": "/a.php"}, True),
        ("cs-uri-stem|endswith: .php", {"path": "/a.php5"}, False),
        ("cs-uri-stem: /a*z", {"path": "/abcz"}, True),
        ("cs-uri-stem: /a?z", {"path": "/abz"}, True),
        ("cs-uri-stem: /a?z", {"path": "/abcz"}, False),
        (r"cs-uri-stem: /a\*z", {"path": "/abz"}, False),
        (r"cs-uri-stem: /a\*z", {"path": "/a*z"}, True),
        ("cs-uri-stem: '/a.c*'", {"path": "/abc"}, False),
        (r"cs-uri-stem|re: '/\d{3}$'", {"path": "/x/123"}, True),
        (r"cs-uri-stem|re: '/\d{3}$'", {"path": "/x/1234"}, False),
        ("cs-uri-stem|re|i: '^/ABC$'", {"path": "/abc"}, True),
        ("cs-uri: '/a?b=1'", {"path": "/a", "query": "b=1"}, True),
        ("sc-status: 404", {"status": 404}, True),
        ("sc-status: [401, 403]", {"status": 403}, True),
        ("sc-status: '404'", {"status": 404}, True),
        ("sc-status|gte: 500", {"status": 503}, True),
        ("sc-status|lt: 500", {"status": 503}, False),
        ("time-taken|gt: 1000", {"duration_us": 1_500_000}, True),
        ("c-ip|cidr: 203.0.113.0/25", {}, True),
        ("c-ip|cidr: 203.0.113.128/25", {}, False),
        ("c-ip|cidr: 2001:db8::/32", {"client_ip": "2001:db8::7"}, True),
        ("c-ip|cidr: 10.0.0.0/8", {"client_ip": None}, False),
        ("cs-username: null", {"user": None}, True),
        ("cs-username: null", {"user": "ann"}, False),
        ("cs-username|exists: true", {"user": "ann"}, True),
        ("cs-username|exists: false", {"user": "ann"}, False),
        ("cs-username: ''", {"user": ""}, True),
        ("request_raw|contains: HELP", {"request_raw": "HELP"}, True),
        ("cs-uri-stem|contains: Ä", {"path": "/ä"}, True),
    ],
)
def test_items(item: str, fields: dict[str, Any], expected: bool, tmp_path: Path) -> None:
    assert accepts(f"s:\n  {item}\ncondition: s", tmp_path, **fields) is expected


@pytest.mark.parametrize(
    ("condition", "path", "expected"),
    [
        ("1 of s*", "/b", True),
        ("all of s*", "/b", False),
        ("all of s*", "/ab", True),
        ("1 of them", "/z", False),
        ("sa and not sb", "/a", True),
        ("sa and not sb", "/ab", False),
        ("not (sa or sb)", "/z", True),
    ],
)
def test_conditions(condition: str, path: str, expected: bool, tmp_path: Path) -> None:
    text = "sa:\n  cs-uri-stem|contains: a\nsb:\n  cs-uri-stem|contains: b\ncondition: " + condition
    assert accepts(text, tmp_path, path=path) is expected


def test_not_is_true_where_the_field_is_missing(tmp_path: Path) -> None:
    text = "s:\n  cs-username: root\ncondition: not s"
    assert accepts(text, tmp_path, user=None)


@pytest.mark.parametrize("column", ["path", "query", "user_agent", "referrer", "request_raw"])
def test_keywords_look_everywhere(column: str, tmp_path: Path) -> None:
    text = "s:\n  - ${jndi\n  - other\ncondition: s"
    assert accepts(text, tmp_path, **{column: "x${JNDI:ldap"})
    assert not accepts(text, tmp_path, **{column: "nothing"})


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("title: [", 2, "did not find expected"),
        ("- a\n- b", 1, "mapping"),
        (HEAD + "detection: {s: {cs-colour: red}, condition: s}", 1, "cs-colour"),
        (HEAD + "detection: {s: {cs-uri-stem|re: '(?=a)b'}, condition: s}", 1, "(?="),
        (HEAD + "detection: {s: {c-ip: 1}, condition: s}\nvedette: {unti: x}", 1, "unti"),
        ("title: T\nlogsource: {category: dns}\ndetection: {s: {a: b}, condition: s}", 1, "categ"),
        ("\n\n" + HEAD + "detection: {s: {c-ip: 1}, condition: nope}", 3, "nope"),
    ],
)
def test_refusals_say_where_and_why(text: str, line: int, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RuleError) as refused:
        catalogue_of(text, tmp_path)
    assert refused.value.line == line
    assert reason in str(refused.value)
    assert str(tmp_path / "rules.yml") in str(refused.value)


CORRELATION = (
    HEAD
    + """detection:
  s:
    sc-status: 404
  condition: s
---
title: C
name: c
correlation:
  type: {type}
  rules: [{rules}]
  group-by: [{group}]
  timespan: {span}
  condition: {condition}
level: high
"""
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rules": "nowhere"}, "nowhere"),
        ({"span": "25h"}, "24 h"),
        ({"type": "temporal"}, "temporal"),
        ({"group": "cs-colour"}, "cs-colour"),
    ],
)
def test_correlations_that_cannot_be_honoured(
    change: dict[str, str], reason: str, tmp_path: Path
) -> None:
    values = {
        "type": "event_count",
        "rules": "t",
        "group": "c-ip",
        "span": "1m",
        "condition": "{gte: 3}",
    }
    text = CORRELATION
    for key, value in (values | change).items():
        text = text.replace("{" + key + "}", value)
    with pytest.raises(RuleError, match=reason):
        catalogue_of(text, tmp_path)


def correlation(folder: Path, condition: str = "{gte: 3}", **overrides: RuleOverride) -> Any:
    text = CORRELATION
    for key, value in {
        "type": "event_count",
        "rules": "t",
        "group": "c-ip",
        "span": "1m",
        "condition": condition,
    }.items():
        text = text.replace("{" + key + "}", value)
    return catalogue_of(text, folder, **overrides)


def missing(count: int, **fields: Any) -> pl.DataFrame:
    return frame([event(n, status=404, position=n, **fields) for n in range(count)])


def test_a_rule_that_a_correlation_counts_is_silent_by_itself(tmp_path: Path) -> None:
    catalogue = correlation(tmp_path)
    assert [rule.name for rule in catalogue.rules] == ["c"]
    assert run(catalogue, [missing(2)]) == []
    ((key, _, _, value, limit, *_),) = run(catalogue, [missing(3)])
    assert (key, value, limit) == (("c", "client", "203.0.113.7"), 3, 3)


def test_gt_is_one_more_than_gte(tmp_path: Path) -> None:
    catalogue = correlation(tmp_path, "{gt: 3}")
    assert run(catalogue, [missing(3)]) == []
    assert len(run(catalogue, [missing(4)])) == 1


def test_overrides_change_threshold_level_and_mode(tmp_path: Path) -> None:
    change = RuleOverride(threshold=2, level="low", mode="monitor")
    (rule,) = correlation(tmp_path, c=change).rules
    assert (rule.threshold, rule.level, rule.mode) == (2, Level.LOW, "monitor")


@pytest.mark.parametrize(
    ("fields", "excepted"),
    [
        ({"client": "203.0.113.7"}, True),
        ({"client": "203.0.113.8"}, False),
        ({"network": "203.0.113.0/24"}, True),
        ({"path": "/items/*"}, True),
        ({"path": "/items"}, False),
        ({"user": "ann"}, False),
        ({"api_key": "key-0123456789abcdef"}, True),
        ({"api_key": "key-0123456789abcdff"}, False),
        ({"source": "p"}, True),
        ({"source": "q*"}, False),
        ({"service": "sh*"}, False),
        ({"route": "GET /items/*"}, True),
        ({"route": "GET /items/"}, False),
        ({"client": "203.0.113.7", "path": "/other"}, False),
        ({"client": "203.0.113.7", "until": "2026-11-02T08:00:01Z"}, False),
        ({"client": "203.0.113.7", "until": "2026-11-02T09:00:00+00:00"}, True),
    ],
)
def test_exceptions_by_event_time(fields: dict[str, str], excepted: bool, tmp_path: Path) -> None:
    exception = RuleException.model_validate({"why": "known", **fields})
    catalogue = correlation(tmp_path, c=RuleOverride(exceptions=(exception,)))
    events = missing(4, api_key="key-0123456789abcdef")
    assert (run(catalogue, [events]) == []) is excepted


def test_a_count_of_values_has_no_shared_addresses(tmp_path: Path) -> None:
    text = CORRELATION.replace("{type}", "value_count").replace("{rules}", "t")
    text = text.replace("{group}", "c-ip").replace("{span}", "1m")
    text = text.replace("{condition}", "{field: cs-uri-stem, gte: 3}")
    catalogue_of(text, tmp_path)
    with pytest.raises(RuleError, match="shared_address"):
        catalogue_of(text + "vedette: {shared_address: {agents: 5, cap: 4}}\n", tmp_path)


def test_a_folder_of_rules_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"rules\.folders"):
        load_catalogue({}, [tmp_path / "rulez"])


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    one = HEAD + "detection: {s: {c-ip: 1.2.3.4}, condition: s}\n"
    file = tmp_path / "two.yml"
    file.write_text(one + "---\n" + one, encoding="utf-8")
    with pytest.raises(RuleError, match="the name 't' is taken by"):
        compile_rules(read_rules(file), {})
