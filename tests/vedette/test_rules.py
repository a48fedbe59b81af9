"""vedette rules check and vedette rules test: what they accept, refuse, run and say."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.rules import write_rules
from detectors.catalogue import BUILT_IN_RULES, load_catalogue
from tests.docs.pages import blocks, page
from vedette.cli import cli
from vedette.rule_tests import cases_beside
from vedette.rules import catalogue_of
from vedette.settings import settings_from

from .scans import combined, written

PLAIN = """title: Export endpoint
name: export_request
logsource: {category: webserver}
detection:
  selection: {cs-uri-stem|startswith: /api/export}
  own: {c-ip|cidr: 10.0.0.0/8}
  condition: selection and not own
"""
BURST = """title: Many exports by one user
name: export_burst
correlation:
  type: event_count
  rules: [export_request]
  group-by: [cs-username]
  timespan: 1h
  condition: {gte: 30}
level: high
"""
EXPORT = "cs-uri-stem: /api/export, c-ip: 203.0.113.9, cs-username: ann"
HALF = f"{EXPORT}, repeat: 15"
OTHERS = "cs-uri-stem: /api/export, cs-username: bob, timestamp: '2026-01-01 10:00', repeat: 15"


def invoke(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Status, JSON lines and standard error of `vedette rules`."""
    result = CliRunner().invoke(cli, ["rules", *map(str, arguments), "--json"])
    return (
        result.exit_code,
        [json.loads(line) for line in result.stdout.splitlines()],
        (result.stderr),
    )


def rules(folder: Path, *documents: str, name: str = "exports.yml") -> Path:
    file = folder / name
    file.write_text("---\n".join(documents), encoding="utf-8")
    return file


def put_tests(folder: Path, text: str) -> Path:
    file = folder / "exports.tests.yml"
    file.write_text(text, encoding="utf-8")
    return file


def test_accepted_rules_are_listed(tmp_path: Path) -> None:
    status, (plain, burst), _ = invoke("check", rules(tmp_path, PLAIN, BURST))
    assert status == 0
    assert (plain["rule"], plain["type"], plain["fires"]) == ("export_request", "plain", False)
    assert burst["entity_type"] == "user"
    assert (burst["limit"], burst["window_seconds"], burst["level"]) == (30, 3600, "high")


def test_every_refusal_is_told_with_its_place(tmp_path: Path) -> None:
    rules(tmp_path, PLAIN.replace("cs-uri-stem", "cs-colour"), BURST, name="one.yml")
    rules(tmp_path, "title: [", name="two.yml")
    rules(tmp_path, PLAIN.replace("webserver", "dns").replace("name: ", "name: x"), name="x.yml")
    rules(tmp_path, PLAIN.replace("export_request", "good"), name="good.yml")
    status, rows, _ = invoke("check", tmp_path)
    refused = {(Path(row["file"]).name, row["line"]): row.get("reason") for row in rows}
    assert status == 1
    assert "cs-colour" in str(refused["one.yml", 1])
    assert "export_request" in str(refused["one.yml", 9])
    assert refused["two.yml", 2]
    assert "category" in str(refused["x.yml", 1])
    assert refused["good.yml", 1] is None
    assert len(rows) == 5


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    name = load_catalogue().rules[0].name
    file = rules(tmp_path, PLAIN.replace("export_request", name))
    status, (row,), _ = invoke("check", file)
    assert status == 1
    assert "is taken" in row["reason"]


def test_the_built_in_rules_can_be_checked() -> None:
    status, rows, _ = invoke("check", BUILT_IN_RULES)
    assert status == 0
    fires = {row["rule"] for row in rows if row["fires"]}
    assert fires == {rule.name for rule in load_catalogue().rules}


def test_active_rules_are_listed_as_the_settings_change_them(tmp_path: Path) -> None:
    config = tmp_path / "v.toml"
    rules(tmp_path, PLAIN, BURST)
    config.write_text(
        f'[rules]\nfolders = ["{tmp_path}"]\n[detectors.export_burst]\nthreshold = 7\n'
        "[detectors.request_rate]\nenabled = false\n",
        encoding="utf-8",
    )
    status, rows, _ = invoke("list", "--config", config)
    listed = {row["rule"]: row for row in rows}
    assert status == 0
    assert (listed["export_burst"]["limit"], listed["export_burst"]["mode"]) == (7, "alert")
    assert listed["export_burst"]["file"] == str(tmp_path / "exports.yml")
    assert "request_rate" not in listed
    assert "login_burst" in listed
    result = CliRunner().invoke(cli, ["rules", "list"])
    assert (result.exit_code, "login_burst" in result.stdout) == (0, True)


def test_the_list_takes_the_settings_as_a_scan_does(tmp_path: Path) -> None:
    rules(tmp_path, PLAIN.replace("|startswith: /api/export", "|expand: '%export_paths%'"))
    config = tmp_path / "vedette.toml"
    own = f"[rules]\nfolders = ['{tmp_path}']\n"
    config.write_text(f"{own}[rules.placeholders]\nexport_paths = ['/api/export*']\n")
    status, rows, _ = invoke("list", "--config", config)
    assert status == 0
    assert "export_request" in {row["rule"] for row in rows}
    for text, says in (
        (
            "[rules.placeholders]\nlogin_path = ['/x']",
            "no rule names it; did you mean 'login_paths'",
        ),
        ("[detectors.clock_skw]\nlevel = 'low'", "did you mean 'clock_skew'?"),
        ("[[detectors.clock_skew.exceptions]]\nuser = 'ann'\nwhy = 'x'", "names a source"),
    ):
        config.write_text(text)
        status, rows, said = invoke("list", "--config", config)
        assert (status, rows) == (2, [])
        assert says in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("|startswith: /api/export", "|re: '(?<!a)b'", "is invalid: invalid perl operator: (?<!"),
        ("|startswith: /api/export", "|re: '(?<!a)b'", "no look-around"),
        ("|startswith: /api/export", "|re: '(b'", "is invalid: missing ): (b"),
        ("title", "vedette: {unti: x}\ntitle", "vedette.unti: unknown key; did you mean 'unit'?"),
    ],
)
def test_reasons_are_in_words_of_people(old: str, new: str, says: str, tmp_path: Path) -> None:
    _, rows, _ = invoke("check", rules(tmp_path, PLAIN.replace(old, new, 1)))
    assert says in rows[0]["reason"]


def test_rules_like_those_of_the_community_are_accepted(tmp_path: Path) -> None:
    write_rules(tmp_path, 60)
    status, rows, _ = invoke("check", tmp_path)
    assert (status, len(rows)) == (0, 60)


def test_the_tables_say_the_same(tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN, BURST, PLAIN.replace("export_request", "bad\n\x1b"))
    result = CliRunner().invoke(cli, ["rules", "check", str(file)])
    assert result.exit_code == 1
    rules(tmp_path, PLAIN, BURST)
    result = CliRunner().invoke(cli, ["rules", "check", str(file)])
    assert "30 in 1 h" in result.stdout
    assert "only as part of others" in result.stdout
    assert "2 accepted, 0 refused." in result.stdout


@pytest.mark.parametrize("command", ["check", "test"])
def test_nothing_there_is_no_success(command: str, tmp_path: Path) -> None:
    status, _, errors = invoke(command, tmp_path)
    assert status == 1
    assert "no files" in errors or "no tests" in errors
    status, _, errors = invoke(command, tmp_path / "missing")
    assert status == 1
    assert "missing" in errors


@pytest.mark.parametrize(
    ("case", "passed"),
    [
        (f"{{name: a, rule: export_request, events: [{{{EXPORT}}}]}}", True),
        (f"{{name: a, rule: export_request, match: false, events: [{{{EXPORT}}}]}}", False),
        ("{name: a, rule: export_request, match: false, events: [{path: /x}]}", True),
        ("{name: a, rule: export_request, events: [{path: /x}, {path: /api/export}]}", False),
        ("{name: a, rule: export_request, count: 1, events: [{path: /x}, {path: /api/export}]}",
         True),
        ("{name: a, rule: export_request, events: [{c-uri: '/%61pi/export?a=b'}]}", True),
        (f"{{name: a, events: [{{{EXPORT}, repeat: 30, every: 60}}]}}", True),
        (f"{{name: a, events: [{{{EXPORT}, repeat: 29, every: 60}}]}}", False),
        (f"{{name: a, match: false, events: [{{{EXPORT}, repeat: 30, every: 600}}]}}", True),
        (f"{{name: a, match: false, events: [{{{HALF}}}, {{{HALF}, at: 7200}}]}}", True),
        (f"{{name: a, match: false, events: [{{{HALF}}}, {{{OTHERS}}}]}}", True),
        (f"{{name: a, count: 2, events: [{{{HALF}}}, {{{HALF}}}, {{{OTHERS}}}]}}", False),
        (f"{{name: a, events: [{{{HALF}}}, {{{HALF}}}, {{{OTHERS}}}]}}", True),
    ],
)  # fmt: skip
def test_tests_over_events(case: str, passed: bool, tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN, BURST)
    put_tests(tmp_path, f"- {case}\n")
    status, (outcome,), _ = invoke("test", file)
    assert outcome["passed"] is passed
    assert outcome["line"] == 1
    assert status == (0 if passed else 1)


def test_tests_over_a_log(tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN, BURST)
    request = "GET /api/export HTTP/1.1"
    written(tmp_path / "a.log", [combined(n, request=request, user="ann") for n in range(31)])
    put_tests(tmp_path, "- {name: a, log: a.log}\n- {name: b, rule: export_request, log: a.log}\n")
    status, outcomes, _ = invoke("test", file)
    assert (status, len(outcomes)) == (0, 2)
    assert outcomes[1]["found"] == "31 of 31 events match"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: b\n", 1, "a list"),
        ("- name: a\n", 1, "either events or a log"),
        ("\n- {name: a, evnts: []}\n", 2, "evnts"),
        ("- {name: a, events: [{cs-colour: x}]}\n", 1, "cs-colour"),
        ("- {name: a, events: [{sc-status: abc}]}\n", 1, "wrong kind"),
        ("- {name: a, events: [{at: soon}]}\n", 1, "events.0"),
        ("- {name: a, rule: nope, events: [{path: /}]}\n", 1, "'nope'"),
        ("- {name: a, log: nope.log}\n", 1, "nope.log"),
        ("- {name: a\n", 2, ""),
    ],
)
def test_tests_that_cannot_be_run(text: str, line: int, reason: str, tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN, BURST)
    put_tests(tmp_path, text)
    status, (row,), _ = invoke("test", file)
    assert status == 1
    assert row["line"] == line
    assert reason in row["reason"]


def test_a_refused_rule_fails_its_tests(tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN.replace("cs-uri-stem", "cs-colour"))
    put_tests(tmp_path, "- {name: a, events: [{path: /}]}\n")
    status, (row,), _ = invoke("test", file)
    assert status == 1
    assert "cs-colour" in row["reason"]


def test_a_folder_with_tests_can_be_loaded(tmp_path: Path) -> None:
    file = rules(tmp_path, PLAIN, BURST)
    assert cases_beside(file) is None
    assert cases_beside(file.with_name("x.yml")) is None
    beside = put_tests(tmp_path, "- {name: a, events: [{path: /}]}\n")
    assert cases_beside(file) == beside
    names = {rule.name for rule in load_catalogue({}, [tmp_path]).rules}
    assert "export_burst" in names


@pytest.mark.parametrize("shown", blocks(page("detectors.md"), "yaml"))
def test_the_rules_shown_in_the_docs_are_accepted(shown: str, tmp_path: Path) -> None:
    status, rows, said = invoke("check", rules(tmp_path, shown))
    assert (status, all(row["accepted"] for row in rows)) == (0, True), said


def test_the_tests_shown_in_the_docs_pass(tmp_path: Path) -> None:
    (shown,) = [text for text in blocks(page("detectors.md"), "yaml") if "export_burst" in text]
    section = page("commands.md").partition("## vedette rules test")[2].partition("\n## ")[0]
    (cases,) = blocks(section, "yaml")
    put_tests(tmp_path, cases)
    log = [combined(n, request="GET /api/export HTTP/1.1", user="ann") for n in range(40)]
    written(tmp_path / "month_end.log", log)
    status, outcomes, _ = invoke("test", rules(tmp_path, shown))
    assert (status, [outcome["passed"] for outcome in outcomes]) == (0, [True] * len(outcomes))
    assert len(outcomes) >= 3


def test_a_file_without_rules_is_no_success(tmp_path: Path) -> None:
    status, rows, said = invoke("check", rules(tmp_path, ""))
    assert (status, rows) == (1, [])
    assert "no rules in them" in said


def test_rules_of_countries_only_watch_where_countries_are_bundled_labels() -> None:
    def mode(text: str) -> str:
        return catalogue_of(settings_from(text)).rule("user_many_countries").mode

    assert mode("") == "monitor"
    assert mode("[geo]\nbundled = false") == "alert"
    assert mode("[countries]\nreliable = true") == "alert"
    assert mode('[detectors.user_many_countries]\nmode = "alert"') == "alert"
    assert mode("[detectors.user_many_countries]\nthreshold = 5") == "monitor"
