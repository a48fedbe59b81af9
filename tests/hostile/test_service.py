"""Hostile text in what the service says: its log, the API, metrics, settings, snapshots."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
import structlog
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine
from typer.testing import CliRunner

from alerts.access.keys import KeyStore, Role
from alerts.database.opening import open_database
from alerts.storage.store import Store
from api.application import create_api
from api.health import HealthReport
from detectors.catalogue import load_catalogue
from detectors.findings import Evidence, Finding, Level
from detectors.kernel import RuleKernel
from detectors.snapshot import Packer, Snapshot
from ingest.formats.registry import FORMATS
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.cli import cli
from vedette.log_lines import log_to_stderr

from .corpus import HOSTILE, LARGE
from .logs import attacks, large_log

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.fixture
def _defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_defaults")
def test_log_lines_stay_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Seen to fail with values as structlog writes them: it escapes newlines and quotes alone."""
    log_to_stderr(logging.INFO)
    log = structlog.get_logger("hostile")
    for text in (*HOSTILE, *LARGE):
        log.warning(text, reason=text, places=[text], found={"a": text}, error=ValueError(text))
    lines = capsys.readouterr().err.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(HOSTILE) + len(LARGE)
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("timestamp=20") and "level=warning" in line for line in lines)
    assert max(map(len, lines)) < 100_000


def finding(number: int, text: str) -> Finding:
    at = NOW + timedelta(hours=number)
    evidence = Evidence(at, text[:1_000], 1, text, text, 404, service=text)
    return Finding(
        "missing_path_scan",
        "user",
        text,
        at,
        at,
        30,
        10,
        "distinct missing paths",
        timedelta(minutes=10),
        Level.HIGH,
        evidence=(evidence,),
        members=frozenset({text}),
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Path]]:
    """A database with an incident about each text."""
    folder = tmp_path_factory.mktemp("hostile-api")
    engine = open_database(f"sqlite:///{folder / 'v.db'}")
    texts = (*HOSTILE, *LARGE)
    Store(engine).record([finding(n, text) for n, text in enumerate(texts)], watermark=None)
    yield engine, folder / "secret"
    engine.dispose()


@pytest.fixture(scope="module")
def client(stored: tuple[Engine, Path]) -> Iterator[TestClient]:
    engine, secret = stored
    told = {text: number for number, text in enumerate(HOSTILE)}
    report = HealthReport(
        healthy=True, problems=tuple(HOSTILE), lag=told, unread=told, quarantined={"unparsed": 1}
    )
    app = create_api(engine, secret, health=lambda: report, now=lambda: NOW)
    _, key = KeyStore(engine, secret).create_key("test", Role.VIEWER, NOW)
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def test_answers_are_json_whatever_the_names(client: TestClient) -> None:
    address, seen = "/api/v1/incidents?limit=50", []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        seen += [item["id"] for item in answer.json()["items"]]
        address = answer.headers.get("link", "").removeprefix("<").removesuffix('>; rel="next"')
    assert len(seen) == len(set(seen)) >= len(HOSTILE)
    for number in seen[::10]:
        answer = client.get(f"/api/v1/incidents/{number}")
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < 400_000


def test_problems_are_json_and_have_no_control_characters(client: TestClient) -> None:
    for text in HOSTILE:
        told = quote(text, safe="", errors="surrogatepass")
        for address in (
            f"/api/v1/incidents/{told}",
            f"/api/v1/incidents?limit={told}&entity={told}&cursor={told}&{told}=1",
            f"/api/v1/{told}",
            f"/{told}",
        ):
            answer = client.get(address, headers={"X-Request-ID": "a" + told[:50]})
            assert answer.status_code < 500, (text, address)
            assert answer.headers["content-type"].partition(";")[0] in {
                "application/json",
                "application/problem+json",
            }
            assert answer.text.isprintable(), (text, answer.text)
            assert all(value.isprintable() for value in answer.headers.values())


def test_metrics_are_read_back_as_they_were(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name in ("vedette_topic_lag_records", "vedette_log_unread_bytes"):
        assert len(families[name].samples) == len(HOSTILE)
        assert sorted(sample.value for sample in families[name].samples) == list(
            range(len(HOSTILE))
        )
    assert [sample.value for sample in families["vedette_healthy"].samples] == [1]
    assert all(line.isprintable() for line in answer.text.split("\n"))


@pytest.mark.parametrize(
    "place",
    [
        "[api]\n{} = 1",
        "[detectors.{}]\nthreshold = 1",
        "[[sources]]\npaths = [{}]\nformat = {}",
        "[[sources]]\npaths = ['a']\nformat = 'nginx'\npattern = {}",
        "[[sources]]\npaths = ['a']\nignore = [{}]",
        "[notify.targets.{}]\nurl = {}",
        "{} = {}",
    ],
)
def test_refused_settings_show_text_only(tmp_path: Path, place: str) -> None:
    """Seen to fail with errors printed as they are."""
    file = tmp_path / "v.toml"
    for text in HOSTILE[:: 1 + len(HOSTILE) // 40]:
        written = json.dumps(text.encode("utf-8", "replace").decode())  # a text of TOML, too
        file.write_text(place.replace("{}", written.replace("\x7f", "\\u007f")), encoding="utf-8")
        result = CliRunner().invoke(cli, ["scan", "--config", str(file), str(tmp_path / "none")])
        assert result.exit_code in {1, 2, 3}, result.output
        assert all(line.isprintable() for line in result.output.split("\n")), (text, result.output)


def test_a_snapshot_of_hostile_events_is_read_back(tmp_path: Path) -> None:
    log = tmp_path / "attacks.log"
    log.write_bytes(attacks())
    kernel = RuleKernel(load_catalogue({}), prompt=False)
    for batch in LogReader([FileSource(paths=(str(log),), format="json")]).batches():
        kernel.process(batch.events, None)
    packed = Packer().pack(kernel.snapshot())
    again = RuleKernel(load_catalogue({}), prompt=False)
    assert again.restore(Snapshot.unpack(packed.manifest, packed.pieces)) == []
    found = [_told(each.finish()) for each in (kernel, again)]
    assert found[0] == found[1]
    assert len(found[0]) > len(HOSTILE) / 2


def _told(findings: list[Finding]) -> list[tuple[object, ...]]:
    return sorted((f.detector, f.entity, f.first, f.last, f.value) for f in findings)


@pytest.mark.parametrize("name", ["combined", "json", "w3c", "haproxy", "envoy_text", "ecs"])
def test_long_texts_stay_bounded(tmp_path: Path, name: str) -> None:
    """Lines beyond the limit are set aside, the others read; what is kept of each is short."""
    log = tmp_path / "large.log"
    log.write_bytes(large_log(name))
    reader = LogReader([FileSource(paths=(str(log),), format=name)])
    events = pl.concat([batch.events for batch in reader.batches()])
    assert reader.tally.quarantine.by_reason()["too_long"] >= 1
    assert events.height >= 100
    assert name in FORMATS
    kept = json.dumps([str(group) for group in reader.tally.quarantine.groups()])
    assert len(kept) < 200_000
