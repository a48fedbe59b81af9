"""vedette coverage: what it says can be seen is what is found, and what it says to log is read."""

import json
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from detectors.detection import Detection
from detectors.findings import merge_runs
from detectors.learned.families import Families
from ingest.enrichment import Enrichment
from ingest.events import BATCH_SCHEMA, EVENT_SCHEMA, Batch
from ingest.formats import FORMATS, compile_pattern
from ingest.formats.parsed import Reading
from ingest.lines import Lines
from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader, events_of
from ingest.sources import FileSource
from vedette.cli import cli
from vedette.coverage.filled import Filled, filled_by
from vedette.coverage.owasp import RISKS, covered
from vedette.coverage.sight import Sight, sights
from vedette.coverage.snippets import SERVERS, log_formats
from vedette.rules import catalogue_of
from vedette.settings import Settings
from vedette.simulation import all_scenarios, lines, simulate

from .scans import START, combined, written

CATALOGUE = catalogue_of(Settings())
DAY = timedelta(days=1)

#: Fields of the simulator's JSON lines of which no detector needs any: left out together.
UNUSED = ("duration_ms", "host", "protocol", "request_id")
USED = (
    "api_key",
    "bytes",
    "client.geo.country_iso_code",
    "method",
    "path",
    "query",
    "referrer",
    "remote_addr",
    "request_length",
    "service",
    "status",
    "user",
    "user_agent",
)


@cache
def rows() -> list[dict[str, Any]]:
    """Half an hour with all attacks that fit into it, as the gateway's JSON lines."""
    names = [
        each.name
        for each in all_scenarios()
        if each.kind == "attack"
        and each.pattern in {"burst", "outage"}
        and not (each.needs_model or each.needs_history)
        and each.lasts_us <= timedelta(minutes=30) // timedelta(microseconds=1)
        and each.total <= 700
    ]
    run = simulate(3, START, timedelta(minutes=31), requests_per_second=1.0, scenarios=names)
    return [json.loads(line) for line in lines(run, "json")]


def without(fields: tuple[str, ...]) -> pl.DataFrame:
    """The events of the log when its lines do not have some fields."""
    text = "\n".join(
        json.dumps({key: value for key, value in row.items() if key not in fields})
        for row in rows()
    )
    source = FileSource(paths=("-",), format="json")
    enrichment = Enrichment(pseudonyms=Pseudonyms(bytes(32)))
    reader = LogReader([source], enrichment=enrichment, stdin=BytesIO(text.encode()))
    return events_of(reader.batches())


def of_events(events: pl.DataFrame) -> dict[str, Sight]:
    found = sights(filled_by([Batch(events, None)]), CATALOGUE, Families())
    return {each.detector: each for each in found}


def test_what_is_said_to_be_blind_is_what_falls_silent() -> None:
    """Over all simulated attacks, with each field taken out of the log.

    Each variant is a day of its own of one stream, so that all of them take one run. Seen to fail
    with queries, which injections may lie in and need not.
    """
    variants: list[tuple[str, ...]] = [(), UNUSED, *((name,) for name in USED)]
    frames = [without(fields) for fields in variants]
    times = ("timestamp", "effective_time")
    shifted = [
        frame.with_columns(pl.col(name) + number * DAY for name in times)
        for number, frame in enumerate(frames)
    ]
    detection = Detection(CATALOGUE, prompt=False)
    found = detection.process(Batch(pl.concat(shifted), None)) + detection.finish()
    by_day: list[set[str]] = [set() for _ in variants]
    for finding in merge_runs([], found):
        by_day[(finding.first - START) // DAY].add(finding.detector)
    whole, seen = by_day[0], of_events(frames[0])
    assert len(whole) >= 40
    for fields, fired, frame in zip(variants[1:], by_day[1:], frames[1:], strict=True):
        told = of_events(frame)
        blind = {name for name, each in told.items() if each.state == "blind"}
        lessened = {
            name
            for name, each in told.items()
            if each.state == "partly" and set(each.missing) - set(seen[name].missing)
        }
        assert blind & whole <= whole - fired, fields
        assert whole - fired <= blind | lessened, fields
        assert bool(blind | lessened) != (fields == UNUSED), fields


def some(**shares: float) -> Filled:
    """100 events that have all columns, but for some."""
    counts = {name: round(100 * shares.get(name, 1.0)) for name in (*EVENT_SCHEMA, "edge")}
    return Filled(100, counts)


def state(detector: str, **shares: float) -> tuple[str, float, tuple[str, ...]]:
    found = {each.detector: each for each in sights(some(**shares), CATALOGUE, Families())}
    each = found[detector]
    return each.state, each.share, each.missing


def test_states_tell_shares_and_what_is_missing() -> None:
    assert state("login_burst") == ("working", 1.0, ())
    assert state("login_burst", status=0.0) == ("working", 1.0, ())
    assert state("login_burst", method=0.0, path=0.0) == ("blind", 0.0, ("method", "path"))
    assert state("user_attacked", user=0.25) == ("partly", 0.25, ("user",))
    assert state("user_attacked", user=0.995)[0] == "working"
    assert state("sql_injection", query=0.0) == ("partly", 1.0, ("query",))
    assert state("read_rate", edge=0.0) == ("blind", 0.0, ("edge",))
    assert state("clock_skew", path=0.0)[0] == "working"
    assert state("user_first_seen")[0] == "off"


def test_the_owasp_list_is_whole_and_says_what_cannot_be_seen() -> None:
    found = covered(sights(some(), CATALOGUE, Families()))
    assert [row.risk.tag for row in found] == [f"owasp.api{n}" for n in range(1, 11)]
    assert {row.risk.tag: row.state for row in found}["owasp.api10"] == "blind"
    assert all(row.detectors for row in found[:-1])
    assert all(risk.unseen for risk in RISKS)
    nothing = covered(sights(some(**dict.fromkeys(BATCH_SCHEMA, 0.0)), CATALOGUE, Families()))
    assert {row.state for row in nothing} <= {"blind", "off", "working"}
    assert [row.risk.tag for row in nothing if row.state == "working"] == ["owasp.api8"]


# Log formats to paste

REQUEST = {
    "$remote_addr": "203.0.113.7", "$remote_user": "ann",
    "$time_local": "02/Nov/2026:08:00:00 +0000",
    "$request": "GET /a?b=1 HTTP/1.1", "$status": "200", "$body_bytes_sent": "512",
    "$http_referer": "https://a.example/", "$http_user_agent": "curl/8",
    "$request_time": "0.250", "$request_length": "99", "$host": "a.example", "$scheme": "https",
    "$request_id": "abc", "$http_x_api_key": "k1", "$http_cf_ipcountry": "SE",
    "%h": "203.0.113.7", "%l": "-", "%u": "ann", "%t": "[02/Nov/2026:08:00:00 +0000]",
    '\\"%r\\"': '"GET /a?b=1 HTTP/1.1"', "%>s": "200", "%b": "512", "%{Referer}i": "https://a.example/",
    "%{User-Agent}i": "curl/8", "%D": "250000", "%I": "99", "%{Host}i": "a.example",
    "%{X-Forwarded-Proto}i": "https", "%{X-Request-Id}i": "abc", "%{X-Api-Key}i": "k1",
    "%{CF-IPCountry}i": "SE", '\\"': '"',
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%": "203.0.113.7", "%REQ(X-USER-ID)%": "ann",
    "%REQ(X-API-KEY)%": "k1", "%REQ(:METHOD)%": "GET",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%": "/a?b=1", "%PROTOCOL%": "HTTP/1.1",
    "%RESPONSE_CODE%": "200", "%BYTES_RECEIVED%": "99", "%BYTES_SENT%": "512", "%DURATION%": "250",
    "%REQ(USER-AGENT)%": "curl/8", "%REQ(REFERER)%": "https://a.example/",
    "%REQ(:AUTHORITY)%": "a.example", "%REQ(:SCHEME)%": "https", "%REQ(X-REQUEST-ID)%": "abc",
    "%START_TIME%": "2026-11-02T08:00:00.000Z",
}  # fmt: skip


def line_of(pattern: str) -> str:
    """What a server writes for a format."""
    for name in sorted(REQUEST, key=len, reverse=True):
        pattern = pattern.replace(name, REQUEST[name])
    return pattern


def filled_columns(parsed: pl.DataFrame) -> set[str]:
    return {name for name in parsed.columns if parsed[name].count()}


ADDED = ("duration_us", "request_bytes", "host", "scheme", "request_id", "api_key", "country")


@pytest.mark.parametrize("server", ["nginx", "apache"])
@pytest.mark.parametrize("missing", [*((name,) for name in ADDED), ADDED, ("user",)])
def test_log_formats_fill_what_is_missing(server: str, missing: tuple[str, ...]) -> None:
    """The line to paste is the pattern of a source, and its lines have the columns."""
    text = log_formats(missing)[server]
    written = text.split("'")[1] if server == "nginx" else text.split('"', 1)[1].rsplit('"', 1)[0]
    parsed = compile_pattern(server, text).parse(Lines.of(line_of(written).encode()), Reading())
    assert set(missing) <= filled_columns(parsed)
    assert {"client", "path", "status", "user_agent", "timestamp"} <= filled_columns(parsed)


def test_lines_of_envoy_fill_what_is_missing() -> None:
    wanted = [*ADDED[:-1], "user", "method", "path", "query", "status", "referrer", "protocol"]
    wanted += ["response_bytes", "user_agent", "service"]
    text = log_formats([*wanted, "client_ip"])["envoy"]
    line = line_of("{" + text.split("{", 1)[1].rsplit("}", 1)[0].replace("\n", "") + "}")
    parsed = FORMATS["json"].parse(Lines.of(line.encode()), Reading())
    assert {*wanted, "client"} <= filled_columns(parsed)


def test_servers_that_have_a_column_anyway_are_not_told_to_add_it() -> None:
    assert log_formats(["environment"]) == {}
    assert set(log_formats(["duration_us"])) == set(SERVERS)
    assert "X-Api-Key: keep" in log_formats(["api_key"])["traefik"]
    assert "log_credentials" in log_formats(["api_key"])["caddy"]


# The command


def invoke(*arguments: str | Path, stdin: str | None = None) -> tuple[int, Any, str]:
    result = CliRunner().invoke(cli, ["coverage", *map(str, arguments), "--json"], input=stdin)
    return result.exit_code, json.loads(result.stdout or "null"), result.stderr


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_the_command_reads_logs_and_sources(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [combined(n, user="ann") for n in range(20)])
    config = tmp_path / "vedette.toml"
    config.write_text(f'[[sources]]\npaths = ["{log}"]\nservice = "shop"\n')
    status, told, _ = invoke(log)
    assert status == 0
    assert (told["events"], told["fields"]["user"], told["fields"]["service"]) == (20, 1.0, 0.0)
    states = {each["detector"]: each["state"] for each in told["detectors"]}
    assert states["server_errors"] == "blind"
    assert "server_errors" in told["wanted"]["service"]
    for names in (["shop"], [], [log]):
        _, told, _ = invoke(*names, "--config", config)
        assert told["fields"]["service"] == 1.0
    status, _, said = invoke("-", stdin="nothing\n")
    assert status == 1
    assert "no line is an event" in said
    status, _, said = invoke()
    assert status == 2
    assert "no log is named" in said
    shown = CliRunner().invoke(cli, ["coverage", str(log)])
    assert shown.exit_code == 0
    for text in ("OWASP", "server_errors", "log_format vedette", "No access log shows"):
        assert text in shown.stdout
