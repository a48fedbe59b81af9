"""Countries from files of the user's: what is judged with them, and what without."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import vedette.commands.scan
from tests.ingest.mmdb_files import write_mmdb
from vedette.commands.scan import run_scan

START: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
DAY: Final = 86_400
HOME, AWAY, EXIT = "81.2.69.10", "177.32.5.9", "177.32.99.9"


def line(second: float, client: str) -> str:
    time = START + timedelta(seconds=second)
    return f'{client} - alice [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET /me HTTP/1.1" 200 512 "-" "x/1"'


def log(folder: Path, last: str) -> str:
    """Five days at home; on the last of them, a minute later, somewhere else."""
    seen = [line(day * DAY + n * 300, HOME) for day in range(5) for n in range(12)]
    rows = [*seen, line(4 * DAY + 11 * 300 + 60, last)]
    (folder / "access.log").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return "access.log"


@pytest.fixture
def scanned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Scan a log with settings; return the incidents that alert, by detector."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vedette.commands.scan, "secret_for_files", lambda: bytes(32))
    places = {"81.2.69.0/24": "NL", "177.32.0.0/16": "BR"}
    countries = {net: {"country": {"iso_code": code}} for net, code in places.items()}
    write_mmdb(tmp_path / "countries.mmdb", countries, kind="Test-Country")
    hidden = {"177.32.99.0/24": {"is_anonymous_vpn": True}}
    write_mmdb(tmp_path / "hidden.mmdb", hidden, kind="Test-Anonymous-IP")

    def scan(name: str, settings: str) -> dict[str, dict[str, Any]]:
        (tmp_path / "vedette.toml").write_text(settings, encoding="utf-8")
        database = str(tmp_path / "incidents.db")
        status = run_scan(
            [name], Path("vedette.toml"), log_format="auto", database=database, as_json=True
        )
        printed = capsys.readouterr()
        assert status == 0, printed.err
        found = [json.loads(row) for row in printed.out.splitlines()]
        return {name: row for row in found for name in row["detectors"]}

    return scan


FILES: Final = '[geo]\ncountry = "countries.mmdb"\nanonymous = "hidden.mmdb"\n'


def test_countries_of_a_file_tell_impossible_travel(tmp_path: Path, scanned: Any) -> None:
    found = scanned(log(tmp_path, AWAY), FILES)["user_impossible_travel"]
    assert (found["entity"], found["severity"]) == ("alice", "medium")
    assert "From NL to BR within 1 min" in json.dumps(found)


def test_an_exit_of_a_vpn_is_no_place(tmp_path: Path, scanned: Any) -> None:
    assert "user_impossible_travel" not in scanned(log(tmp_path, EXIT), FILES)


def test_without_a_file_no_travel_is_judged(tmp_path: Path, scanned: Any) -> None:
    assert scanned(log(tmp_path, AWAY), "") == {}
