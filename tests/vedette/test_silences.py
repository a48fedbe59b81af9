"""vedette silences: said, listed and ended from the terminal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alerts.database.opening import open_database
from alerts.muting.silences import Silence, list_silences
from vedette.cli import cli

ABOUT = ("--detector", "login_*", "--entity", "203.0.113.0/24", "--entity", "ann")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "vedette" / "vedette.db"
    file.parent.mkdir()
    open_database(f"sqlite:///{file}").dispose()
    return file


def vedette(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["silences", *arguments])


def add(*arguments: str) -> Result:
    return vedette("add", "--comment", "load test", *arguments)


def kept(state: Path) -> list[Silence]:
    engine = open_database(f"sqlite:///{state}")
    silences = list_silences(engine, datetime.now(UTC), expired=True)
    engine.dispose()
    return silences


def listed(*arguments: str) -> list[dict[str, Any]]:
    result = vedette("list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_silence_is_kept_for_the_service(state: Path) -> None:
    before = datetime.now(UTC)
    result = add(*ABOUT, "--for", "2h", "--by", "ann")
    assert result.exit_code == 0, result.output
    (silence,) = kept(state)
    assert silence.matchers.written() == {
        "detector": ["login_*"],
        "entity": ["203.0.113.0/24", "ann"],
    }
    assert (silence.comment, silence.created_by) == ("load test", "ann")
    assert silence.ends_at - silence.starts_at == timedelta(hours=2)
    assert before <= silence.starts_at <= datetime.now(UTC)
    assert "Silence 1" in result.stderr
    assert "detector=login_* entity=203.0.113.0/24|ann" in result.stderr
    assert "Open incidents that it is about now: 0" in result.stderr
    assert "vedette silences expire 1" in result.stderr


def test_its_times_can_be_said(state: Path) -> None:
    times = ("--from", "2100-01-01T08:00:00", "--until", "2100-01-01T10:00:00+01:00")
    refused = add(*ABOUT, *times)
    assert refused.exit_code == 2
    assert "begins more than 366 days ahead" in refused.stderr
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    ends = begins + timedelta(hours=1)
    naive = begins.replace(tzinfo=None).isoformat()
    assert add(*ABOUT, "--from", naive, "--until", ends.isoformat()).exit_code == 0
    (silence,) = kept(state)
    assert (silence.starts_at, silence.ends_at) == (begins, ends)
    assert silence.created_by.startswith("cli:")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--for", "2h"), "--everything silences all"),
        (ABOUT, "say how long: --for 2h, or --until"),
        ((*ABOUT, "--for", "2h", "--until", "2100-01-01"), "say how long"),
        ((*ABOUT, "--for", "2x"), "--for: '2x' is no duration"),
        ((*ABOUT, "--for", "500d"), "longer than 366 days"),
        ((*ABOUT, "--until", "tomorrow"), "--until: must be a date and time"),
        ((*ABOUT, "--until", "2020-01-01"), "its end is past"),
        (("--entity", "203.0.113.0/40", "--for", "2h"), "--entity: 203.0.113.0/40 is no network"),
        (("--detector", "login_brust", "--for", "2h"), "--detector: there is no detector 'login_"),
        (("--detector", "login_brust", "--for", "2h"), "did you mean 'login_burst'?"),
        (("--entity-type", "clients", "--for", "2h"), "--entity-type: nothing is of the type 'cl"),
        (("--severity", "hihg", "--for", "2h"), "--severity: must be 'informational'"),
        (("--severity-min", "hihg", "--for", "2h"), "--severity-min: must be"),
        ((*ABOUT, "--for", "2h", "--by", " "), "author must have"),
    ],
)
def test_mistakes_say_what_to_do(state: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = add(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr
    assert not state.exists() or kept(state) == []


def test_a_comment_is_needed() -> None:
    assert vedette("add", *ABOUT, "--for", "2h").exit_code == 2


def test_all_can_be_silenced_if_that_is_meant(state: Path) -> None:
    result = add("--everything", "--for", "10m", "--json")
    told = json.loads(result.stdout)
    assert (told["id"], told["matchers"], told["state"]) == (1, {}, "active")
    assert kept(state)[0].matchers.empty


def test_silences_are_listed_and_ended(state: Path) -> None:
    assert "No silences" in vedette("list").stdout
    add(*ABOUT, "--for", "2h")
    add("--service", "shop", "--for", "2h")
    assert [silence["id"] for silence in listed()] == [2, 1]
    table = vedette("list").stdout
    assert "service=shop" in table
    assert "load test" in table
    result = vedette("expire", "1")
    assert (result.exit_code, "Silence 1 is over" in result.stderr) == (0, True)
    assert [silence["id"] for silence in listed()] == [2]
    assert [silence["state"] for silence in listed("--expired")] == ["active", "expired"]
    for number, complaint in (("1", "silence 1 is over already"), ("9", "no silence 9")):
        result = vedette("expire", number)
        assert (result.exit_code, result.stdout) == (1, "")
        assert complaint in result.stderr


def test_hostile_words_reach_no_terminal(state: Path) -> None:
    assert add("--entity", "\x1b[2J[red]x", "--for", "2h", "--by", "[bold]ann").exit_code == 0
    for result in (vedette("list"), add("--entity", "\x1b[2J", "--for", "1h")):
        assert "\x1b" not in result.output
    assert "[red]x" in vedette("list").stdout
    assert "[bold]ann" in vedette("list").stdout
