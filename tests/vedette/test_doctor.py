"""vedette doctor: every check within its time, none ends another, no secret is shown."""

import json
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from typer.testing import CliRunner

from ingest.geo import GeoSettings
from tests.docs.pages import page, rows
from tests.ingest.mmdb_files import write_mmdb
from vedette.cli import cli
from vedette.doctor.examination import examine, examined
from vedette.doctor.geo import check_geo
from vedette.doctor.registry import CHECKS, SETTINGS, Check
from vedette.doctor.remark import STATUSES, Remark, ok, warn
from vedette.doctor.surroundings import Surroundings

from .doctor_places import installation
from .scans import combined, written

SECRETS = ("geheim", "TIiajkdnlazkcOXrIdevi7FQ", "T1JJ3T3L2", "h4nd")

#: All kinds of things that can be wrong at once, with secrets wherever one can be.
WRONG = """
[[sources]]
paths = ["{folder}/nothing-*.log", "{folder}/gone.log", "{folder}/odd.log"]
[[sources]]
bootstrap_servers = ["127.0.0.1:9"]
topics = ["access"]
security_protocol = "SASL_PLAINTEXT"
sasl_mechanism = "PLAIN"
username = "reader"
password = "geheim"
[targets.hook]
url = "json://user:geheim@127.0.0.1:9/h4nd"
[targets.slack]
url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
[targets.odd]
url = "nosuch://geheim@h4nd"
[api]
host = "0.0.0.0"
port = 0
[geo]
country = "{folder}/odd.log"
[detectors.request_rate]
exceptions = [{{ client = "192.0.2.1", why = "x", until = 2020-01-01T00:00:00Z }}]
"""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names are not looked up, and no proxy is asked."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    real = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> Any:
        if address[0] != "127.0.0.1":
            raise socket.gaierror
        return real(address, timeout)

    monkeypatch.setattr(socket, "create_connection", connect)


@pytest.fixture
def wrong(tmp_path: Path) -> Surroundings:
    written(tmp_path / "odd.log", ["what is this?"] * 20)
    return installation(tmp_path, WRONG.format(folder=tmp_path))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of an installation that has not been started yet, and is well."""
    log = written(tmp_path / "access.log", [combined(second) for second in range(5)])
    file = tmp_path / "vedette.toml"
    file.write_text(
        f'sources = [{{ paths = ["{log}"] }}]\nstore = {{ url = "sqlite:///{tmp_path}/v.db" }}\n'
        "api = { port = 0 }\n",
        encoding="utf-8",
    )
    return file


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
def test_contract(check: Check, wrong: Surroundings, tmp_path: Path) -> None:
    """Failed when a check raised, showed a secret, or gave no advice."""
    before = sorted(path.name for path in tmp_path.iterdir())
    for at in (wrong, installation(tmp_path)):
        (found,) = examined(at, [check])
        assert found.remarks
        assert found.status in STATUSES
        for remark in found.remarks:
            text = remark.seen + remark.advice
            assert not any(secret in text for secret in SECRETS)
            assert "this check broke" not in text
            assert bool(remark.advice) == (remark.status in {"warn", "fail"})
            assert "\n" not in remark.seen
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "it makes no file"


def test_what_is_wrong_is_found(wrong: Surroundings) -> None:
    found = {entry.name: entry.status for entry in examined(wrong)}
    assert {name for name, status in found.items() if status == "fail"} == {
        "logs",
        "brokers",
        "geo",
        "targets",
        "api",
    }
    assert found["rules"] == "warn"


def test_every_check_is_documented() -> None:
    table = rows(page("operations.md").partition("## vedette doctor")[2].partition("\n## ")[0])
    assert list(table) == [check.name for check in CHECKS]


def test_one_that_breaks_or_hangs_does_not_end_the_others(tmp_path: Path) -> None:
    """Failed when an error got through; did not end for a minute without a limit of time."""
    release = Event()

    def breaks(_: Surroundings) -> Iterator[Remark]:
        yield ok("until here")
        raise ValueError("with a secret: geheim")

    def hangs(_: Surroundings) -> Iterable[Remark]:
        release.wait(60)
        return [ok("at last")]

    checks = [
        Check("breaks", breaks),
        *(Check(f"hangs {n}", hangs) for n in range(5)),
        Check("says nothing", lambda _: []),
        Check("works", lambda _: [ok("fine"), warn("not so", "do this")]),
    ]
    found = examined(installation(tmp_path), checks, seconds=0.2)
    release.set()
    assert [entry.name for entry in found] == [check.name for check in checks]
    assert [entry.status for entry in found] == ["fail"] * 6 + ["skipped", "warn"]
    assert "ValueError" in found[0].remarks[0].seen
    assert "geheim" not in str(found)
    assert "no answer within 0.2 s" in found[1].remarks[0].seen


def test_settings_that_cannot_be_read_are_said_and_the_rest_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "vedette.toml"
    file.write_text("[api]\nprot = 1\n", encoding="utf-8")
    first, *others = examine(file)
    assert (first.name, first.status) == (SETTINGS, "fail")
    assert "api.prot" in first.remarks[0].seen
    assert {entry.status for entry in others} == {"skipped"}


def test_the_command_shows_a_table_that_fits_and_its_status(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    result = CliRunner().invoke(cli, ["doctor", "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert re.search(r"logs +ok ", result.output)
    assert "there is no target" in result.output
    config.write_text("[api]\nprot = 1\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["doctor", "--config", str(config)])
    assert result.exit_code == 1
    assert "api.prot" in result.output


def test_json_has_an_object_a_check(config: Path) -> None:
    result = CliRunner().invoke(cli, ["doctor", "--config", str(config), "--json"])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["check"] for entry in found] == [check.name for check in CHECKS]
    (logs,) = [entry for entry in found if entry["check"] == "logs"]
    assert logs["status"] == "ok"
    assert logs["remarks"][0]["advice"] is None


def test_variables_are_named_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_NOTIFY__URL", "json://geheim@127.0.0.1:9")
    at = replace(installation(tmp_path), variables=("VEDETTE_NOTIFY__URL",))
    (found,) = examined(at, [CHECKS[0]])
    assert any("VEDETTE_NOTIFY__URL" in remark.seen for remark in found.remarks)
    assert "geheim" not in str(found)


@pytest.mark.parametrize(
    ("record", "status", "said"),
    [
        ({"location": {"latitude": 52.1, "longitude": 5.1}}, "ok", "cities have coordinates"),
        ({}, "skipped", "no coordinates of cities"),
    ],
)
def test_whether_cities_have_coordinates_is_said(
    tmp_path: Path, record: dict[str, object], status: str, said: str
) -> None:
    city = write_mmdb(tmp_path / "c.mmdb", {"5.0.0.0/8": {"country": "NL", "city": "X"} | record})
    at = installation(tmp_path)
    settings = at.settings.model_copy(update={"geo": GeoSettings(city=city)})
    remarks = list(check_geo(replace(at, settings=settings)))
    assert [r.status for r in remarks if r.seen.startswith(said)] == [status]
