"""vedette notify test, history and retry."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from alerts.database.opening import open_database
from alerts.transports.memory import MemoryTransport
from alerts.transports.outcome import Outcome
from tests.alerts.sending import Office, finding, target
from vedette.cli import cli

DOWN = Outcome(delivered=False, error="answered HTTP 404", permanent=True)
SECRET = "hunter2secret"

SETTINGS = f"""
[store]
url = "sqlite:///{{database}}"
[targets.ops]
url = "json://user:{SECRET}@127.0.0.1:9/hook"
[[notify.routes]]
name = "all"
targets = ["ops"]
"""


class Shell:
    """A database with messages, and settings that name it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "vedette.toml"
        database = folder / "v.db"
        self.config.write_text(SETTINGS.format(database=database))
        self.config.chmod(0o600)
        self.engine: Engine = open_database(f"sqlite:///{database}")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, ["notify", *words, "--config", str(self.config)])

    def json(self, *words: str) -> list[dict[str, Any]]:
        result = self.run("history", "--json", *words)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.engine.dispose()


@pytest.fixture
def office(shell: Shell) -> Office:
    """One message dead, one sent, one piece of news suppressed."""
    office = Office(shell.engine, target("ops"), target("boss"))
    office.transports["ops"] = MemoryTransport([DOWN])
    office.restart()
    office.record(finding())
    office.run()
    return office


def test_the_name_of_a_database_is_no_markup(tmp_path: Path) -> None:
    folder = tmp_path / "[bold]x[nothing]"
    folder.mkdir()
    shell = Shell(folder)
    Office(shell.engine, target("ops")).record(finding())
    shell.engine.dispose()
    table = shell.run("history", "--database", str(folder / "v.db"))
    assert table.exit_code == 0, table.output
    assert "[bold]x[nothing]" in "".join(table.stdout.split())


def test_history_says_what_was_sent_and_what_was_not(shell: Shell, office: Office) -> None:
    table = shell.run("history")
    assert table.exit_code == 0, table.output
    assert "dead" in table.stdout
    assert "answered HTTP 404" in table.stdout
    assert "vedette notify retry 1" in table.stdout
    (dead,) = shell.json("--target", "ops")
    assert (dead["state"], dead["why"]) == ("dead", "answered HTTP 404")
    assert dead["news"] == [{"incident": 1, "transition": "opened"}]
    (attempt,) = dead["attempts"]
    assert (attempt["number"], attempt["outcome"]) == (1, "failed")
    assert {entry["state"] for entry in shell.json("--incident", "2")} == {"sent"}
    assert [entry["target"] for entry in shell.json("--state", "dead")] == ["ops"]
    assert len(shell.json("--limit", "1")) == 1


def test_several_dead_messages_are_sent_again_at_once(shell: Shell, office: Office) -> None:
    office.transports["ops"] = MemoryTransport([DOWN])
    office.restart()
    office.record(finding(entity="other"))
    office.run()
    assert len(shell.json("--state", "dead")) == 2
    assert "vedette notify retry --target ops --config" in shell.run("history").stdout


def test_history_says_why_something_waits(shell: Shell, office: Office) -> None:
    office.record(finding(entity="other"))
    (waiting, _) = shell.json("--state", "waiting")
    assert (waiting["delivery"], waiting["news"][0]["incident"]) == (None, 3)


def test_an_unknown_state_is_refused(shell: Shell) -> None:
    result = shell.run("history", "--state", "lost")
    assert result.exit_code == 2
    assert "must be one of sent, trying, dead" in result.stderr


def test_nothing_was_sent(shell: Shell) -> None:
    result = shell.run("history")
    assert result.exit_code == 0
    assert "Nothing in" in result.stdout


@pytest.mark.parametrize("which", [["1"], ["--target", "ops"], ["--all"]])
def test_dead_messages_are_sent_again_with_their_mark(
    shell: Shell, office: Office, which: list[str]
) -> None:
    (dead,) = shell.json("--state", "dead")
    result = shell.run("retry", *which)
    assert result.exit_code == 0, result.output
    assert "sent again, while vedette run does: 1." in result.stdout
    assert [entry["state"] for entry in shell.json("--target", "ops")] == ["trying"]
    office.now = datetime.now(UTC)
    office.run()
    (sent,) = shell.json("--target", "ops", "--incident", "1")
    assert (sent["state"], sent["mark"]) == ("sent", dead["mark"])
    assert [attempt["number"] for attempt in sent["attempts"]] == [1, 2]
    assert shell.run("retry", *which).exit_code == 1


@pytest.mark.parametrize("which", [[], ["1", "--all"]])
def test_retry_wants_to_know_which(shell: Shell, which: list[str]) -> None:
    result = shell.run("retry", *which)
    assert result.exit_code == 2
    assert "say which" in result.stderr


def test_a_test_message_that_is_refused(shell: Shell) -> None:
    result = shell.run("test", "ops")
    assert result.exit_code == 1
    assert "ops did not take the test message: " in result.stderr
    assert "connection" in result.stderr
    assert SECRET not in result.output


def test_a_test_message_that_arrives(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = MemoryTransport()
    monkeypatch.setattr("vedette.commands.deliveries.transport_of", lambda _target: transport)
    result = shell.run("test", "ops")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"ops took the test message; its reference is test-[0-9a-f]{32}", result.stdout
    )
    (message,) = transport.messages
    assert "This is a test" in message.body
    assert message.title == "[INFORMATIONAL] target ops: a test (incident 0)"


def test_a_target_that_is_not_there(shell: Shell) -> None:
    result = shell.run("test", "nobody")
    assert result.exit_code == 2
    assert "there is no target nobody; known are ops" in result.stderr
