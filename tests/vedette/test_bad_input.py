"""Bad input: a message or a quarantined line with its reason, an exit status, no traceback."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vedette.cli import cli

from .scans import combined, written

GOOD = [combined(n) for n in range(20)]


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(cli, ["scan", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    return run


def account(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_a_good_log_is_done(scan: Callable[..., Result], tmp_path: Path) -> None:
    result = scan(written(tmp_path / "a.log", GOOD))
    assert result.exit_code == 0
    assert "20 events, 0 set aside" in account(result)
    assert "No incidents." in result.stdout


def test_binary_junk_is_set_aside(scan: Callable[..., Result], tmp_path: Path) -> None:
    junk = bytes(range(256)) * 40
    log = tmp_path / "a.log"
    good = "".join(line + "\n" for line in GOOD).encode()
    log.write_bytes(good + junk + b"\n" + good)
    result = scan(log)
    assert result.exit_code == 0
    assert "40 events" in account(result)
    assert "not_text" in account(result)


def test_a_file_of_junk_only(scan: Callable[..., Result], tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(bytes(range(256)) * 400)
    result = scan(log)
    assert result.exit_code in {0, 3}
    assert "0 events" in account(result)


def test_a_line_of_ten_megabytes(scan: Callable[..., Result], tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    good = "".join(line + "\n" for line in GOOD)
    log.write_text(good + "x" * 10_000_000 + "\n" + good, encoding="utf-8")
    result = scan(log)
    assert result.exit_code == 0
    assert "40 events, 1 set aside" in account(result)
    assert "1 x too_long" in account(result)


def test_bytes_that_are_not_utf_8(scan: Callable[..., Result], tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    line = combined(3, request="GET /caf\xe9 HTTP/1.1")
    log.write_bytes(line.encode("latin-1") + b"\n" + GOOD[4].encode() + b"\n")
    result = scan(log)
    assert result.exit_code == 0
    assert "2 events, 0 set aside" in account(result)


def test_an_empty_file(scan: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    result = scan(tmp_path / "a.log")
    assert result.exit_code == 0
    assert "0 lines" in account(result)


@pytest.mark.parametrize("what", ["missing.log", "nothing*.log", "folder"])
def test_a_file_that_is_not_there(what: str, scan: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    good = written(tmp_path / "a.log", GOOD)
    result = scan(tmp_path / what, good)
    assert result.exit_code == 3
    assert str(tmp_path / what) in result.stderr.replace("\n", "")
    assert "20 events" in account(result)


def test_the_account_names_formats_and_what_to_do_next(
    scan: Callable[..., Result], tmp_path: Path
) -> None:
    log = written(tmp_path / "a.log", [*map(combined, range(30)), "junk"])
    database = tmp_path / "with blank.db"
    told = account(scan(log, "--database", database))
    assert "format combined: 1 log, 97 % of its first lines" in told
    assert f"vedette quarantine list --database '{database}'" in told
    told = account(scan(log, "--format", "combined"))
    assert "format combined: 1 log, as the settings say" in told


def test_a_gz_that_was_cut_short(scan: Callable[..., Result], tmp_path: Path) -> None:
    text = "".join(combined(n, agent=f"agent {n * 7919}") + "\n" for n in range(2000))
    whole = gzip.compress(text.encode())
    (tmp_path / "a.log.gz").write_bytes(whole[: len(whole) // 2])
    result = scan(tmp_path / "a.log.gz")
    assert result.exit_code == 3
    assert "truncated" in account(result)
    assert "0 events" not in account(result).split(":")[1]


@pytest.mark.parametrize(("year", "events", "set_aside"), [("1970", 21, 0), ("2099", 20, 1)])
def test_times_far_away(
    year: str, events: int, set_aside: int, scan: Callable[..., Result], tmp_path: Path
) -> None:
    odd = combined(9).replace("/2026:", f"/{year}:")
    log = written(tmp_path / "a.log", [*GOOD[:10], odd, *GOOD[10:]])
    result = scan(log)
    assert result.exit_code == 0
    assert f"{events} events, {set_aside} set aside" in account(result)
    assert ("future" in account(result)) is bool(set_aside)


def test_wild_times_side_by_side_blind_nobody(scan: Callable[..., Result], tmp_path: Path) -> None:
    attack = [combined(n, request=f"GET /no-{n} HTTP/1.1", status=404) for n in range(40)]
    odd = [combined(9).replace("/2026:", "/2099:")] * 3
    result = scan(written(tmp_path / "a.log", [*attack[:10], *odd, *attack[10:]]))
    assert "40 events, 3 set aside" in account(result)
    assert "40 distinct missing paths" in " ".join(result.stdout.split())


def test_lines_without_a_time(scan: Callable[..., Result], tmp_path: Path) -> None:
    lines = [json.dumps({"remote_addr": "203.0.113.7", "status": 200, "time": "soon"})]
    good = {"remote_addr": "203.0.113.7", "status": 200, "time": "2026-11-02T08:00:00Z"}
    log = written(tmp_path / "a.json", [json.dumps(good)] * 5 + lines)
    result = scan(log)
    assert "5 events, 1 set aside" in account(result)
    assert "no_time" in account(result)


@pytest.mark.parametrize("settings", ["", "[[sources]]\npaths = ['x']\n"])
def test_a_format_that_nobody_knows(
    settings: str, scan: Callable[..., Result], tmp_path: Path
) -> None:
    log = written(tmp_path / "a.log", GOOD)
    (tmp_path / "v.toml").write_text(settings, encoding="utf-8")
    result = scan("--config", tmp_path / "v.toml", "--format", "combind", log)
    assert result.exit_code == 2
    assert "did you mean 'combined'?" in account(result)


def test_settings_that_are_wrong(scan: Callable[..., Result], tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", GOOD)
    (tmp_path / "v.toml").write_text("[api]\nprot = 1\n", encoding="utf-8")
    result = scan("--config", tmp_path / "v.toml", log)
    assert result.exit_code == 2
    assert "api.prot: unknown key; did you mean 'port'?" in account(result)
