"""Hostile logs through the program: what people see, what other programs read.

One scan of all logs, then everything that shows what it stored. All that look at tables, CSV and
the terminal were seen to fail with `printable` returning its text.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from vedette.cli import cli

from .corpus import HOSTILE
from .logs import FORMATS, write_all

#: A cell that a spreadsheet would work out.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Aftermath:
    """What a scan of hostile logs said, and where it is stored."""

    scanned: Result
    database: str
    width: int = 160

    def run(self, *arguments: str) -> Result:
        result = CliRunner().invoke(cli, [*arguments, "--database", self.database])
        assert result.exit_code == 0, result.output
        return result


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    folder = tmp_path_factory.mktemp("hostile")
    logs = write_all(folder)
    database = str(folder / "v.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.delenv("COLUMNS", raising=False)
        arguments = ["scan", "--database", database, *map(str, logs)]
        yield Aftermath(CliRunner().invoke(cli, arguments), database)


def harmless(output: str) -> bool:
    """Whether nothing but text reaches the terminal."""
    return all(line.isprintable() for line in output.split("\n"))


def is_a_table(lines: Sequence[str]) -> bool:
    """Whether all lines have one width, and their columns stand at the same places."""
    rows = [line for line in lines if line.startswith(("│", "┃"))]
    bars = {
        tuple(cell_len(row[:at]) for at, char in enumerate(row) if char in "│┃") for row in rows
    }
    return bool(rows) and len(bars) == 1


def numbers(aftermath: Aftermath, *only: str) -> list[int]:
    arguments = ("--json", "--limit", "10000", "--include-members", *only)
    listed = aftermath.run("incidents", *arguments)
    return [json.loads(line)["id"] for line in listed.stdout.splitlines()]


def test_the_scan_ends_well_and_shows_text_only(aftermath: Aftermath) -> None:
    result = aftermath.scanned
    assert result.exit_code == 0, result.output
    assert harmless(result.stdout)
    assert harmless(result.stderr)
    assert is_a_table(result.stdout.splitlines())
    for name in FORMATS:
        assert f"{name}.log" in result.output or name in result.stderr


def test_attackers_with_such_names_are_found(aftermath: Aftermath) -> None:
    """A name can hide nobody: every text is a user whose log-ins fail from many clients."""
    listed = aftermath.run(
        "incidents", "--json", "--limit", "10000", "--entity-type", "user", "--include-members"
    )
    users = {json.loads(line)["entity"] for line in listed.stdout.splitlines()}
    plain = {text for text in HOSTILE if text.isascii() and text.isprintable()}
    assert [text for text in plain if text not in users and "@" not in text] == ["null"]
    assert len(users) >= len(HOSTILE) - 1


def test_lists_keep_their_columns_and_lines(aftermath: Aftermath) -> None:
    table = aftermath.run("incidents", "--limit", "10000", "--include-members").stdout
    assert harmless(table)
    assert is_a_table(table.splitlines())
    count = len(numbers(aftermath))
    assert count > len(HOSTILE)
    written = aftermath.run("incidents", "--csv", "--limit", "10000", "--include-members").stdout
    header, *rows = csv.reader(io.StringIO(written, newline=""), strict=True)
    assert [len(row) for row in rows] == [len(header)] * count
    assert harmless(written.replace("\r\n", "\n"))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(FORMULA)]


@pytest.mark.parametrize("form", ["json", "ocsf", "csv"])
def test_exports_are_read_back(aftermath: Aftermath, form: str) -> None:
    arguments = ("--limit", "10000", "--entity-type", "user", "--format", form)
    written = aftermath.run("incidents", "export", *arguments).stdout
    assert harmless(written.replace("\r\n", "\n"))
    if form == "csv":
        read: list[Any] = list(csv.reader(io.StringIO(written, newline=""), strict=True))[1:]
    else:
        read = [json.loads(line) for line in written.splitlines()]
    assert len(read) == len(numbers(aftermath, "--entity-type", "user"))


def test_each_incident_is_shown_as_text(aftermath: Aftermath) -> None:
    for number in numbers(aftermath, "--entity-type", "user")[::4]:
        shown = aftermath.run("incidents", "show", str(number)).stdout
        assert harmless(shown), number
        detail = aftermath.run("incidents", "show", str(number), "--json").stdout
        assert json.loads(detail)["id"] == number


def test_quarantine_is_shown_as_text(aftermath: Aftermath) -> None:
    listed = aftermath.run("quarantine", "list").stdout
    assert harmless(listed)
    groups = [
        json.loads(line)["id"]
        for line in aftermath.run("quarantine", "list", "--json").stdout.splitlines()
    ]
    assert len(groups) > len(FORMATS)
    for group in groups[::4]:
        assert harmless(aftermath.run("quarantine", "show", str(group)).stdout), group
        shown = aftermath.run("quarantine", "show", str(group), "--json").stdout
        assert json.loads(shown)["id"] == group
