"""vedette incidents: what people do from the terminal, and what they see there."""

import csv
import io
import json
import re
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from alerts.database.opening import open_database
from alerts.lists.queries import get_incident
from alerts.storage.store import Store
from detectors.findings import Evidence, Finding, Level
from vedette.cli import cli
from vedette.incident_screen import print_incident, told
from vedette.screen import incident_table

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = "[bold red]bob\x1b[2J\u202e[link=http://evil.example]x"


def finding(first: float, entity: str = "203.0.113.7", **changes: Any) -> Finding:
    at = START + first * MINUTE
    values: dict[str, Any] = {
        "detector": "missing_path_scan",
        "entity_type": "client",
        "entity": entity,
        "first": at,
        "last": at + MINUTE,
        "value": 30,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 10 * MINUTE,
        "level": Level.MEDIUM,
        "tags": ("attack.reconnaissance", "attack.t1595.003"),
        "evidence": (
            Evidence(
                at,
                "/var/log/[red]a.log",
                7,
                f"GET /{HOSTILE}",
                service=HOSTILE,
                country="DE",
                asn=64_496,
            ),
        ),
    }
    return Finding(**{**values, **changes})


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Incident 1 about a client, 2 about a user with a hostile name."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.delenv("COLUMNS", raising=False)
    path = str(tmp_path / "[bold]v.db")
    engine = open_database(f"sqlite:///{path}")
    store = Store(engine)
    store.record([finding(0)], watermark=None)
    store.record([finding(60, HOSTILE, entity_type="user", level=Level.HIGH)], watermark=None)
    engine.dispose()
    return path


def run(database: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["incidents", "--database", database, *arguments])


def detail(database: str, number: int = 1) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(run(database, "show", str(number), "--json").stdout)
    return shown


def numbers(database: str, *arguments: str) -> list[int]:
    result = run(database, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_what_people_do_and_what_is_kept_of_it(database: str) -> None:
    for arguments in (
        ("ack", "1", "--comment", "on it"),
        ("assign", "1", "--to", "bob"),
        ("label", "add", "1", "vip", "pen test"),
        ("label", "remove", "1", "vip"),
        ("comment", "1", "it is [our] scanner"),
        ("resolve", "1", "--as", "benign"),
        ("reopen", "1"),
        ("close", "1", "--as", "false_positive"),
        ("assign", "1", "--nobody"),
    ):
        result = run(database, *arguments)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.startswith("Incident 1: ")
    kept = detail(database)
    assert (kept["status"], kept["resolution"]) == ("closed", "false_positive")
    assert (kept["labels"], kept["assignee"]) == (["pen test"], None)
    assert [comment["text"] for comment in kept["comments"]] == ["on it", "it is [our] scanner"]
    actions = [step["action"] for step in kept["timeline"]]
    assert actions[:4] == ["opened", "status", "commented", "assigned"]
    assert {step["actor"] for step in kept["timeline"]} == {"vedette", "cli:ann"}


def test_a_decision_says_what_it_was_about(database: str) -> None:
    said = run(database, "ack", "2").stderr
    assert said == "Incident 2: acknowledged; it was high, open.\n"
    said = run(database, "resolve", "1", "2", "--as", "benign").stderr
    about = "1 medium, open; 2 high, acknowledged"
    assert said == f"Incidents 1, 2: resolved; before: {about}.\n"
    assert run(database, "comment", "1", "x").stderr == "Incident 1: commented.\n"


def test_several_at_once_all_or_none(database: str) -> None:
    assert run(database, "ack", "1").exit_code == 0
    result = run(database, "ack", "2", "1")
    assert result.exit_code == 1
    assert "incident 1: it is acknowledged already; none was changed" in result.stderr
    assert detail(database, 2)["status"] == "open"
    assert run(database, "resolve", "1", "2", "--as", "mitigated").exit_code == 0
    assert [detail(database, n)["status"] for n in (1, 2)] == ["resolved", "resolved"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["ack", "99"], 1, "there is no incident 99"),
        (["reopen", "1"], 1, "incident 1: it is open already"),
        (["ack", "1", "--if-version", "7"], 1, "version 7 was asked for, it has version 1 now"),
        (["ack", "1", "2", "--if-version", "1"], 2, "--if-version: name one incident"),
        (["close", "1", "--as", "boring"], 2, "true_positive, false_positive, benign"),
        (["close", "1"], 2, "--as"),
        (["assign", "1"], 2, "--to NAME, or --nobody"),
        (["assign", "1", "--to", "a\x1bb"], 1, "printable"),
        (["label", "add", "1", ""], 1, "a label needs a character"),
        (["comment", "1", " "], 1, "a comment needs a character"),
        (["show", "99"], 1, "no incident 99"),
        (["export", "99"], 1, "no incident 99"),
        (["export", "1", "--status", "open"], 2, "by their numbers or by options"),
        (["export", "--format", "xml"], 2, "json, ocsf, csv"),
        (["--json", "--csv"], 2, "one of them at a time"),
        (["--status", "new"], 2, "open, acknowledged, resolved, closed"),
        (["--severity", "grave"], 2, "informational, low, medium"),
        (["--severity-min", "\x1b[2J"], 2, "--severity-min \\x1b[2J: must be one of"),
        (["--entity-type", "person"], 2, "client, network, user"),
        (["--stage", "end"], 2, "reconnaissance, exploitation"),
        (["--sort", "name"], 2, "last, start, severity"),
        (["--mode", "silent"], 2, "alert, monitor, any"),
        (["--since", "yesterday"], 2, "how long ago, as in 2h"),
        (["--assignee", "ann", "--unassigned"], 2, "one of them"),
        (["--text", "x" * 201], 2, "at most 200"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    database: str, arguments: Sequence[str], status: int, words: str
) -> None:
    result = run(database, *arguments)
    assert result.exit_code == status
    assert words in " ".join(result.stderr.split())
    assert "\x1b" not in result.stderr
    assert detail(database)["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [2, 1]),
        (["--sort", "start"], [2, 1]),
        (["--status", "open", "--status", "closed"], [2, 1]),
        (["--severity", "medium"], [1]),
        (["--severity", "medium", "--severity", "high"], [2, 1]),
        (["--severity-min", "HIGH"], [2]),
        (["--entity", "203.0.113.7"], [1]),
        (["--entity", HOSTILE], [2]),
        (["--entity-type", "user"], [2]),
        (["--text", "203.0"], [1]),
        (["--detector", "nothing"], []),
        (["--tag", "attack.t1595.003", "--stage", "reconnaissance"], [2, 1]),
        (["--until", "2026-11-02T08:30:00"], [1]),
        (["--since", "2026-11-02T10:30:00+02:00"], [2]),
        (["--since", "1s"], []),
        (["--unassigned", "--limit", "1"], [2]),
        (["--assignee", "ann"], []),
        (["--label", "vip"], []),
        (["--mode", "monitor"], []),
    ],
)
def test_filters(database: str, arguments: Sequence[str], expected: list[int]) -> None:
    assert numbers(database, *arguments) == expected


def test_the_list_as_csv(database: str) -> None:
    result = run(database, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert [row["id"] for row in rows] == ["2", "1"]
    assert rows[1]["countries"] == "DE"
    assert result.stdout_bytes.decode().replace("\r\n", "").isprintable()


@pytest.mark.parametrize("export_format", ["json", "ocsf", "csv"])
def test_export_into_a_private_file(database: str, tmp_path: Path, export_format: str) -> None:
    out = tmp_path / "out"
    out.write_text("old")
    out.chmod(0o644)
    options = ("--format", export_format, "--out", str(out))
    result = run(database, "export", *options)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "2 incidents written" in result.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    text = out.read_bytes().decode()
    assert len(text.splitlines()) == (3 if export_format == "csv" else 2)
    assert run(database, "export", "--format", export_format).stdout_bytes.decode() == text
    assert not (tmp_path / "out.part").exists()


def test_export_of_one(database: str) -> None:
    (line,) = run(database, "export", "1").stdout.splitlines()
    assert json.loads(line)["format"] == "vedette.incident/1"
    (line,) = run(database, "export", "1", "--format", "ocsf").stdout.splitlines()
    document = json.loads(line)
    assert document["class_uid"] == 2004
    assert document["metadata"]["product"]["version"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_terminal_shows_hostile_text_as_it_is(database: str, width: int) -> None:
    run(database, "comment", "2", "a [red]comment")
    engine = open_database(f"sqlite:///{database}")
    found = [get_incident(engine, number) for number in (1, 2)]
    engine.dispose()
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    for each in found:
        assert each is not None
        print_incident(console, each)
    details = [each for each in found if each is not None]
    console.print(incident_table([each.incident for each in details], f"in {database}"))
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert all(line.isprintable() for line in text.splitlines())
    tables = [line for line in text.splitlines() if line[:1] in "┃│┏├└┡"]
    assert max(map(len, tables)) <= width
    squeezed = re.sub(r"[\s│]", "", text)
    assert "[boldred]bob\\x1b[2J\\u202e[link=http://evil.example]x" in squeezed
    assert "[red]a.log:7" in squeezed
    assert "a[red]comment" in squeezed
    assert "[bold]v.db" in squeezed


def test_one_says_its_version_and_what_could_not_be_told(database: str) -> None:
    run(database, "ack", "1")
    assert "Incident 1  medium  acknowledged  version 2" in run(database, "show", "1").stdout
    assert "notify history" not in run(database, "show", "1").stdout
    engine = open_database(f"sqlite:///{database}")
    Store(engine).record([finding(0, "the pager", entity_type="target")], watermark=None)
    engine.dispose()
    assert (
        "What could not be told: vedette notify history --target 'the pager' --state dead"
        f" --database '{database}'\n" in run(database, "show", "3").stdout
    )


def test_the_list_and_one_say_what_is_to_be_known(database: str) -> None:
    run(database, "ack", "1")
    text = " ".join(run(database, "show", "1").stdout.split())
    for words in (
        "Incident 1 medium acknowledged",
        "Looked around: 30 distinct missing paths within 10 min (limit 10)",
        "Countries: DE (1)",
        "Networks: AS64496 (1)",
        "status: open -> acknowledged",
        "cli:ann",
        "docs/runbooks/missing_path_scan.md",
    ):
        assert words in text
    listed = " ".join(run(database).stdout.split())
    assert "acknowledged" in listed


def test_timeline_entries_in_words() -> None:
    after = {"status": "closed", "resolution": "benign", "by_calm": True}
    before = {"status": "open", "resolution": None}
    assert told("status", {"before": before, "after": after}) == "status: open -> closed benign"
    assert told("labelled", {"before": [], "after": ["a", "b"]}) == "labelled: none -> a, b"
    assert told("severity", {"severity": "high"}) == "severity: severity high"
    assert told("commented", {"text": "secret"}) == "commented"
    assert told("joined", {"incident": 4}) == "joined: incident 4"
    assert told("calm", {}) == "calm"
