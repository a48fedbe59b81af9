"""Lines look like what nginx and a gateway write."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import polars as pl
import pytest

from vedette.simulation import Simulation, lines, simulate, write
from vedette.simulation.render import JSON_FIELDS, OPTIONAL_FIELDS, render

START = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
COMBINED = re.compile(
    r"(?P<client>[0-9a-f.:]+) - (?P<user>[\w-]+) "
    r"\[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+) '
    r'"(?P<referrer>[^"]*)" "(?P<agent>[^"]*)" (?P<seconds>\d+\.\d{3})'
)
REQUEST = re.compile(r"[A-Z]+ /\S* HTTP/(1\.1|2\.0)")


@pytest.fixture(scope="module")
def run() -> Simulation:
    return simulate(4, START, timedelta(minutes=6), requests_per_second=5)


@pytest.fixture
def rows(run: Simulation) -> Iterator[dict[str, object]]:
    return run.events.iter_rows(named=True)


def test_combined_lines_say_what_the_events_say(
    run: Simulation, rows: Iterator[dict[str, object]]
) -> None:
    unreadable = 0
    for line, row in zip(lines(run), rows, strict=True):
        match = COMBINED.fullmatch(line)
        assert match, line
        time = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z")
        assert isinstance(row["timestamp"], datetime)
        assert time == row["timestamp"].replace(microsecond=0)
        assert match["client"] == row["client_ip"]
        assert match["user"] == (row["user"] or "-")
        assert int(match["status"]) == row["status"]
        assert int(match["bytes"]) == row["response_bytes"]
        assert round(float(match["seconds"]) * 1e6) == row["duration_us"]
        assert match["agent"] == (row["user_agent"] or "-")
        if row["request_raw"] is None:
            query = f"?{row['query']}" if row["query"] else ""
            assert match["request"] == f"{row['method']} {row['path']}{query} {row['protocol']}"
            assert REQUEST.fullmatch(match["request"])
        else:
            assert not REQUEST.fullmatch(match["request"])
            unreadable += 1
    assert unreadable == 15 + 5


def test_json_lines_say_what_the_events_say(
    run: Simulation, rows: Iterator[dict[str, object]]
) -> None:
    seen = set()
    for line, row in zip(lines(run, "json"), rows, strict=True):
        found = json.loads(line)
        told = [name for name, column in OPTIONAL_FIELDS.items() if row[column] is not None]
        assert tuple(found) == (*JSON_FIELDS, *told)
        assert datetime.fromisoformat(found["time"]) == row["timestamp"]
        assert found["duration_ms"] * 1_000 == row["duration_us"]
        for name, column in {
            "remote_addr": "client_ip", "bytes": "response_bytes", "request": "request_raw",
            "service": "service", "user": "user", "method": "method", "path": "path",
            "query": "query", "status": "status", "user_agent": "user_agent",
            "referrer": "referrer", "host": "host", "protocol": "protocol",
            "request_length": "request_bytes",
        }.items():  # fmt: skip
            assert found[name] == row[column]
        for name, column in OPTIONAL_FIELDS.items():
            assert found.get(name) == row[column]
        seen.add(found["request_id"])
    assert len(seen) == run.events.height


def test_files_hold_all_lines_in_turn(run: Simulation, tmp_path: Path) -> None:
    (one,) = write(run, tmp_path / "one")
    five = write(run, tmp_path / "five", files=5)
    assert one.name == "access.log"
    assert [path.name for path in five] == [f"access-{number}.log" for number in range(1, 6)]
    parts = [path.read_text(encoding="utf-8").splitlines() for path in five]
    dealt = [line for row in zip_longest(*parts) for line in row if line is not None]
    assert dealt == one.read_text(encoding="utf-8").splitlines() == list(lines(run))
    assert (tmp_path / "one" / "vedette.toml").read_text(encoding="utf-8") == run.settings_toml


def test_json_goes_to_its_own_file(run: Simulation, tmp_path: Path) -> None:
    (log,) = write(run, tmp_path, "json")
    assert log.name == "access.json"
    assert log.read_text(encoding="utf-8").splitlines() == list(lines(run, "json"))


def test_no_files_are_too_few(run: Simulation, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        write(run, tmp_path, files=0)


def test_no_events_give_no_lines(run: Simulation) -> None:
    nothing = run.events.clear()
    assert render(nothing, "combined").is_empty()
    assert render(nothing, "json").is_empty()


def test_unreadable_requests_stand_as_nginx_escapes_them(run: Simulation) -> None:
    raw = run.events.drop_nulls("request_raw")["request_raw"]
    assert raw.str.contains(r"\x16\x03\x01", literal=True).any()
    assert not raw.str.contains(r'["\x00-\x1f\x7f-\x{10ffff}]').any()
    assert pl.Series(list(lines(run))).str.contains(r'"\x16\x03\x01', literal=True).any()
