"""vedette quarantine: what people see of lines that could not be read, and reading them again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from alerts.database.models import NotificationRow
from alerts.database.opening import open_database
from alerts.quarantine.groups import QuarantineStore
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from ingest.lines import Lines
from ingest.quarantine import REASONS, Quarantine, Reason
from vedette.cli import cli
from vedette.commands.quarantine import ADVICE

from .scans import combined, written

CANARIES = [
    "canary-7f3a9c2e41d05b68a1c4e7f20b9d3856",
    "Canary9X2kQ7mZ4vT1bN8cR5wL",
    "canary.person@example.com",
]


def quarantined(log: Path, reason: Reason = "unparsed") -> Quarantine:
    """All lines of a log, put aside."""
    lines = Lines.of(log.read_bytes())
    quarantine = Quarantine()
    quarantine.add(str(log.resolve()), reason, lines.starts, lines)
    return quarantine


def stored(
    folder: Path, quarantine: Quarantine, watermark: datetime | None = None, **given: Any
) -> Path:
    database = folder / "v.db"
    engine = open_database(f"sqlite:///{database}")
    checkpoint = None if watermark is None else Checkpoint(1, "f", watermark, **given)
    Store(engine).record(
        [], watermark=watermark, checkpoint=checkpoint, quarantine=quarantine.groups()
    )
    engine.dispose()
    return database


def vedette(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["quarantine", *map(str, arguments)])


def answers(*arguments: str | Path) -> list[dict[str, Any]]:
    result = vedette(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def attack() -> list[str]:
    return [
        json.dumps(
            {
                "when": f"2026-11-02T08:00:{second:02}Z",
                "peer": "203.0.113.7",
                "verb": "POST",
                "target": "/login",
                "code": 401,
            }
        )
        for second in range(40)
    ]


CONFIG = """
[[sources]]
paths = ["{log}"]
format = "json"
mapping = {{ timestamp = "when", client_ip = "peer", uri = "target", status = "code" }}
"""


def test_every_reason_has_advice() -> None:
    assert set(ADVICE) == set(REASONS)


def test_list_and_show(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [*attack(), "starting up", "\x1b[31mred"])
    database = stored(tmp_path, quarantined(log))
    (first, *rest) = answers("list", "--database", database)
    assert (first["count"], first["shape"]) == (40, "{code, peer, target, verb, when}")
    assert len(rest) == 2
    assert len(answers("list", "--database", database, "--limit", "1")) == 1
    assert answers("list", "--database", database, "--reason", "future") == []
    table = vedette("list", "--database", database).stdout
    assert "{code, peer, target, verb, when}" in table
    assert 'format = "json"' in table
    shown = vedette("show", first["id"], "--database", database).stdout
    assert "40 x unparsed" in shown
    assert 'timestamp = "when"' in shown
    assert REASONS["unparsed"] in shown
    assert '"target": "/login"' in shown
    (detail,) = answers("show", first["id"], "--database", database)
    assert detail["samples"][0]["position"] == 0
    assert "\x1b" not in "".join(
        vedette("show", row["id"], "--database", database).stdout for row in rest
    )


def test_nothing_there(tmp_path: Path) -> None:
    database = stored(tmp_path, Quarantine())
    assert "Nothing in" in vedette("list", "--database", database).stdout
    assert vedette("show", "3", "--database", database).exit_code == 1
    assert vedette("replay", "3", "--database", database).exit_code == 1
    assert vedette("list", "--database", database, "--reason", "odd").exit_code == 2
    assert vedette("list", "--database", tmp_path / "none.db").exit_code == 1


def test_positions_without_samples(tmp_path: Path) -> None:
    quarantine = Quarantine()
    quarantine.add("topic-0", "poison", [7])
    database = stored(tmp_path, quarantine)
    assert "No samples" in vedette("show", "1", "--database", database).stdout
    result = vedette("replay", "1", "--database", database)
    assert result.exit_code == 3
    assert "cannot be read again" in result.stderr


def test_replay_tells_what_the_settings_of_today_make_of_it(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [*attack(), json.dumps({"code": 1})])
    database = stored(tmp_path, quarantined(log))
    before = vedette("replay", "1", "2", "--database", database)
    assert before.exit_code == 0
    assert "40 lines read again, 0 are events now, still none: 40 x unparsed" in before.stdout
    config = tmp_path / "v.toml"
    config.write_text(CONFIG.format(log=log))
    after = vedette("replay", "1", "--database", database, "--config", config)
    assert "40 lines read again, 40 are events now." in after.stdout
    assert "Read again" in vedette("show", "1", "--database", database).stdout
    engine = open_database(f"sqlite:///{database}")
    group = QuarantineStore(engine).list_groups()[0]
    assert (group.replayed_events, group.replayed_rest) == (40, 0)
    engine.dispose()
    (outcome,) = answers("replay", "1", "--database", database, "--config", config)
    assert outcome == {
        "id": 1,
        "lines": 40,
        "events": 40,
        "rest": {},
        "unknown": 0,
        "problems": [],
        "changes": None,
    }


@pytest.mark.parametrize("late", [False, True])
def test_replay_into_the_store(tmp_path: Path, late: bool) -> None:
    log = written(tmp_path / "a.log", attack())
    watermark = datetime(2026, 11, 2, 18 if late else 8, 5, tzinfo=UTC)
    database = stored(tmp_path, quarantined(log), watermark)
    config = tmp_path / "v.toml"
    config.write_text(CONFIG.format(log=log) + '[notify]\nurl = "json://127.0.0.1:9"\n')
    arguments = ("replay", "1", "--store", "--database", database, "--config", config)
    (first,) = answers(*arguments)
    assert first["changes"] > 0
    incidents = incidents_in(database)
    assert {incident["entity"] for incident in incidents} == {"203.0.113.7"}
    assert bool(notifications(database)) != late
    again = notifications(database)
    (second,) = answers(*arguments)
    assert second["changes"] == 0
    assert incidents_in(database) == incidents
    assert notifications(database) == again


def test_where_no_service_ran_nobody_is_told(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", attack())
    database = stored(tmp_path, quarantined(log))
    config = tmp_path / "v.toml"
    config.write_text(CONFIG.format(log=log) + '[notify]\nurl = "json://127.0.0.1:9"\n')
    answers("replay", "1", "--store", "--database", database, "--config", config)
    assert incidents_in(database)
    assert notifications(database) == []


def test_replay_with_a_format(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [combined(second) for second in range(5)])
    database = stored(tmp_path, quarantined(log))
    (outcome,) = answers("replay", "1", "--format", "combined", "--database", database)
    assert outcome["events"] == 5
    assert vedette("replay", "1", "--format", "odd", "--database", database).exit_code == 2


def test_lines_that_are_gone(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", attack())
    database = stored(tmp_path, quarantined(log))
    written(log, attack()[::-1])
    result = vedette("replay", "1", "--database", database)
    assert result.exit_code == 3
    assert "rotated away or rewritten" in result.stderr


@pytest.mark.parametrize("canary", CANARIES)
def test_no_secret_is_shown_or_stored(canary: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    lines = [
        f"no access log line at all, but {canary} is in it",
        f"{canary} - - [x] {canary}",
        json.dumps({"when": "2026-11-02T08:00:00Z", canary: "x", "x": canary, "uri": "/x"}),
        f'{{"time": "{canary}',
        f"GET /x?password={canary} HTTP/1.1",
        f"GET /x?{canary}={canary} \x00\x1b[31m",
    ]
    log = written(tmp_path / "logs" / "a.log", lines)
    database = stored(tmp_path, quarantined(log))
    shown = [vedette("list", "--database", database)]
    shown += [
        vedette("show", row["id"], "--database", database, *option)
        for row in answers("list", "--database", database)
        for option in ([], ["--json"])
    ]
    shown.append(vedette("replay", "1", "2", "3", "--database", database))
    content = "".join(result.output for result in shown).encode()
    content += b"".join(file.read_bytes() for file in tmp_path.glob("v.db*"))
    assert canary.encode() not in content
    assert canary[8:20].encode() not in content


def incidents_in(database: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["incidents", "--json", "--database", str(database)])
    return [json.loads(line) for line in result.stdout.splitlines()]


def notifications(database: Path) -> list[tuple[Any, ...]]:
    engine = open_database(f"sqlite:///{database}")
    with engine.connect() as connection:
        query = select(NotificationRow.incident_id, NotificationRow.transition)
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return rows


def test_the_next_step_is_told_as_it_is_typed(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", ["junk 1", "junk 2"])
    database = stored(tmp_path, quarantined(log))
    settings = tmp_path / "my settings.toml"
    settings.write_text("", encoding="utf-8")
    same = f"--config '{settings}' --database {database}"
    options = ("--config", settings, "--database", database)
    assert f"vedette quarantine show 1 {same}" in unwrapped(vedette("list", *options))
    assert f"vedette quarantine replay 1 {same}" in unwrapped(vedette("show", "1", *options))
    shown = unwrapped(vedette("show", "1", "--database", database))
    assert f"vedette quarantine replay 1 --config vedette.toml --database {database}" in shown


def unwrapped(result: Result) -> str:
    return " ".join(result.stdout.split())
