"""The program as people start it: subprocesses, signals, exit statuses."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vedette.cli import cli
from vedette.simulation import read_truth

from .scans import combined, written

HOME = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("VEDETTE_")},
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(HOME),
        "PYTHONUNBUFFERED": "1",
    }


def start(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vedette", *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def demo(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(environment, tmp_path, "demo", "--port", "0", "--speed", "600")
    yield process
    process.kill()
    process.wait()


def lines_until(process: subprocess.Popen[str], pattern: str) -> tuple[list[str], re.Match[str]]:
    """Read the program's lines up to the first that has the pattern."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        match = re.search(pattern, line)
        if match:
            return seen, match
    raise AssertionError(f"{pattern!r} never came; the program said: {''.join(seen)}")


def seen_at_page(page: str, code: str) -> str:
    """Log in with the code of a link, and return what the page shows then."""
    body = json.dumps({"code": code}).encode()
    login = urllib.request.Request(f"{page}/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(login, timeout=10) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    shown = urllib.request.Request(f"{page}/?status=any", headers={"Cookie": cookie})
    with urllib.request.urlopen(shown, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_serves_incidents_and_stops_when_told(
    demo: subprocess.Popen[str], number: signal.Signals
) -> None:
    _, link = lines_until(demo, r"^Open (http://127\.0\.0\.1:[0-9]+)/login#code=([\w-]{43}) \(val")
    _, url = lines_until(demo, r"Incident API +(\S+)")
    _, key = lines_until(demo, r"Key +(\S+)")
    lines_until(demo, r"opened +\w+ +Client")
    request = urllib.request.Request(url[1], headers={"Authorization": f"Bearer {key[1]}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        listed = json.load(answer)
    assert listed["items"][0]["summary"].startswith("Client ")
    assert "data-incident=" in seen_at_page(link[1], link[2])
    demo.send_signal(number)
    rest = demo.communicate(timeout=30)[0]
    assert demo.returncode == 0
    assert "Stopped." in rest
    assert "Traceback" not in rest


def test_the_demo_stops_by_itself(environment: dict[str, str], tmp_path: Path) -> None:
    process = start(environment, tmp_path, "demo", "--for", "2s", "--port", "0")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "Stopped." in output


def test_run_without_sources_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    process = start(environment, tmp_path, "run")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert "[[sources]]" in output


def test_run_follows_a_log_and_lists_what_it_stored(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = written(tmp_path / "a.log", [combined(0)])
    settings = f"[[sources]]\npaths = ['{log}']\n[api]\nport = 0\n"
    (tmp_path / "vedette.toml").write_text(settings, encoding="utf-8")
    process = start(environment, tmp_path, "run", "--config", "vedette.toml")
    lines_until(process, "Following the sources")
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) + "\n" for n in range(1, 15)]
    with log.open("a", encoding="utf-8") as file:
        file.writelines(attack)
    lines_until(process, r"opened +medium +Client 203\.0\.113\.7")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    listing = start(environment, tmp_path, "incidents", "--config", "vedette.toml", "--json")
    (line,) = listing.communicate(timeout=30)[0].splitlines()
    assert json.loads(line)["detectors"] == ["missing_path_scan"]


def test_a_package_of_somebody_else_is_noticed(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "alerts.py").write_text("", encoding="utf-8")
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{HOME}"
    process = start(environment, tmp_path, "scan", "x.log")
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert f"the package 'alerts' comes from {tmp_path / 'alerts.py'}" in output


def test_scan_as_json_has_what_scripts_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(15)]
    log = written(tmp_path / "a.log", attack)
    result = CliRunner().invoke(cli, ["scan", "--json", str(log)])
    (line,) = result.stdout.splitlines()
    incident = json.loads(line)
    assert incident["entity_type"] == "client"
    assert incident["entity"] == "203.0.113.7"
    assert incident["members"] == ["203.0.113.7"]
    assert incident["detectors"] == ["missing_path_scan"]
    assert incident["severity"] == "medium"
    assert incident["started_at"] == "2026-11-02T08:00:00Z"
    assert incident["last_at"] == "2026-11-02T08:00:14Z"
    assert "15 distinct missing paths within 10 min (limit 10)" in incident["summary"]
    assert isinstance(incident["id"], int)


def test_scans_do_not_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(15)]
    log = written(tmp_path / "a.log", attack)
    quiet = written(tmp_path / "b.log", [combined(0)])
    runner = CliRunner()
    assert "203.0.113.7" in runner.invoke(cli, ["scan", str(log)]).stdout
    assert "1 incident" in runner.invoke(cli, ["scan", str(log)]).stdout
    assert "No incidents." in runner.invoke(cli, ["scan", str(quiet)]).stdout
    assert "No incidents" in runner.invoke(cli, ["incidents"]).stdout


@pytest.mark.parametrize("before", [True, False])
def test_show_takes_its_database_before_and_after(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(15)]
    log = written(tmp_path / "a.log", attack)
    runner = CliRunner()
    mine = ["--database", str(tmp_path / "mine.db")]
    assert runner.invoke(cli, ["scan", *mine, str(log)]).exit_code == 0
    command = ["incidents", *mine, "show", "1"] if before else ["incidents", "show", "1", *mine]
    assert "15 distinct missing paths" in runner.invoke(cli, command).stdout


def test_hostile_text_reaches_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    hostile = "/\x1b[2J\x07[red]x[/red]\u202e<b>"
    attack = [combined(n, request=f"GET {hostile}{n} HTTP/1.1", status=404) for n in range(15)]
    log = written(tmp_path / "a.log", attack)
    runner = CliRunner()
    outputs = [
        runner.invoke(cli, ["scan", str(log)]),
        runner.invoke(cli, ["incidents", "show", "1"]),
        runner.invoke(cli, ["incidents", "show", "1", "--json"]),
    ]
    for result in outputs:
        assert result.exit_code == 0
        assert not set(result.output) & {"\x1b", "\x07", "\u202e"}
    assert "[red]x[/red]" in outputs[1].stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["simulate", "x", "--hours", "0.001"], 2),
        (["simulate", "x", "--scenario", "sensitve_files"], 2),
        (["simulate", "x", "--hours", "1", "--scenario", "slow_login_guessing"], 2),
        (["simulate", "x", "--intensity", "grave"], 2),
        (["demo", "--port", "99999"], 2),
        (["demo", "--speed", "0"], 2),
        (["demo", "--for", "soon"], 2),
        (["incidents", "show", "99999999999999999999"], 2),
        (["incidents", "show", "7"], 1),
        (["incidents", "--database", "nothing.db"], 1),
        (["incidents", "--severity", "grave"], 2),
        (["keys", "create", "\x1b[31mred"], 2),
        (["run", "--config", "nothing.toml"], 2),
        (["--version"], 0),
    ],
)
def test_arguments_that_cannot_be_meant_have_an_answer(
    command: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == status
    assert isinstance(result.exception, SystemExit | None)
    assert result.output


@pytest.mark.parametrize("command", ["normalise", "scan", "scan --json", "incidents show 1"])
def test_a_reader_that_has_seen_enough(
    command: str, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = [combined(n / 100, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(5000)]
    log = written(tmp_path / "a.log", lines)
    words = command.split()
    if words[0] == "incidents":
        start(environment, tmp_path, "scan", str(log)).communicate(timeout=60)
    arguments = words if words[0] == "incidents" else [words[0], str(log), *words[1:]]
    process = subprocess.Popen(
        [sys.executable, "-m", "vedette", *arguments],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 0, said
    assert "Broken pipe" not in said


def test_simulated_scenarios_are_chosen_by_name_and_strength(tmp_path: Path) -> None:
    runner = CliRunner()
    chosen = ["--scenario", "sensitive_files", "--scenario", "crawler"]
    chosen += ["--intensity", "weak", "--intensity", "strong"]
    folder = tmp_path / "sim"
    made = runner.invoke(cli, ["simulate", str(folder), "--hours", "0.1", "--rate", "1", *chosen])
    assert made.exit_code == 0, made.stderr
    found = [(row.scenario, row.intensity) for row in read_truth(folder / "truth.jsonl")]
    assert found == [("crawler", None), ("sensitive_files", "weak"), ("sensitive_files", "strong")]
    typed = runner.invoke(cli, ["simulate", str(folder), "--scenario", "crawlers"])
    assert "did you mean crawler?" in typed.stderr


def test_init_writes_settings_that_nobody_else_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert runner.invoke(cli, ["init"]).exit_code == 0
    assert (tmp_path / "vedette.toml").stat().st_mode & 0o077 == 0
    again = runner.invoke(cli, ["init"])
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_a_list_of_nothing_does_not_hide_the_next_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    runner = CliRunner()
    nothing = runner.invoke(cli, ["incidents"])
    assert nothing.exit_code == 1
    assert "nothing is stored yet: read logs with `vedette scan`" in nothing.stderr
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(15)]
    assert runner.invoke(cli, ["scan", str(written(tmp_path / "a.log", attack))]).exit_code == 0
    assert "203.0.113.7" in runner.invoke(cli, ["incidents"]).stdout


@pytest.mark.parametrize(
    "command",
    [
        "notify history",
        "notify retry --all",
        "notify routes",
        "silences list",
        "silences expire 1",
        "silences add --comment c --for 1h --entity ann",
        "erase user ann --yes",
        "incidents ack 1",
        "quarantine list",
    ],
)
def test_who_looks_where_nothing_is_makes_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(cli, command.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing is stored yet" in result.stderr
    assert "name its settings with --config" in result.stderr
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_keys_are_shown_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    runner = CliRunner()
    made = runner.invoke(cli, ["keys", "create", "grafana"]).stdout.strip()
    listed = runner.invoke(cli, ["keys", "list"]).stdout
    identity = made.split("_")[1]
    assert identity in listed
    assert made not in listed
    assert runner.invoke(cli, ["keys", "revoke", identity]).exit_code == 0
    assert runner.invoke(cli, ["keys", "revoke", identity]).exit_code == 1
