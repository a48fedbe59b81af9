"""Each check of the doctor: what it says of an installation that is well, and of others."""

import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, insert, text

from alerts.access.secret import server_secret
from alerts.database.models import DeliveryRow, table_of
from alerts.recovery.checkpoint import Checkpoint
from alerts.recovery.lease import Lease
from alerts.routing.target import Target
from alerts.sending.endpoint import Endpoint, endpoint_of
from alerts.storage.store import Store
from ingest.gaps import Gap
from ingest.quarantine import Quarantine
from ingest.topics.memory import MemoryCluster
from tests.broker.fixtures import MakeTopic
from vedette.doctor import brokers, clock
from vedette.doctor.brokers import check_brokers
from vedette.doctor.certificates import CertificateError, good_until
from vedette.doctor.clock import check_clock
from vedette.doctor.configuration import check_settings
from vedette.doctor.database import check_database, check_integrity
from vedette.doctor.disk import check_disk
from vedette.doctor.logs import check_logs
from vedette.doctor.rules import check_rules
from vedette.doctor.secret import check_secret
from vedette.doctor.server import check_api
from vedette.doctor.stored import check_gaps, check_lease, check_messages, check_quarantine
from vedette.doctor.surroundings import Surroundings
from vedette.doctor.targets import check_targets

from .doctor_places import NOW, installation, statuses
from .scans import combined, written

NOON = int(NOW.timestamp()) * 1_000_000


@pytest.fixture
def at(tmp_path: Path, database_url: str, engine: Engine) -> Surroundings:
    """An installation with a database that the service has used."""
    return installation(tmp_path, database=database_url)


def test_a_database_that_is_well(at: Surroundings) -> None:
    found = statuses(check_database, at)
    assert {status for status, _ in found} == {"ok"}
    assert any("as this program wants it" in seen for _, seen in found)
    assert {status for status, _ in statuses(check_integrity, at)} <= {"ok", "skipped"}


@pytest.mark.parametrize(("revision", "status"), [("0001", "warn"), ("9999", "fail")])
def test_a_schema_of_another_time_is_said_and_left_as_it_is(
    at: Surroundings, engine: Engine, revision: str, status: str
) -> None:
    """Failed when the doctor migrated what it looks at."""
    with engine.begin() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{revision}'"))
    assert status in {found for found, _ in statuses(check_database, at)}
    for check in (check_lease, check_gaps, check_quarantine, check_messages):
        assert [found for found, _ in statuses(check, at)] == ["skipped"]
    with engine.connect() as connection:
        assert connection.execute(text("select version_num from alembic_version")).scalar() == (
            revision
        )


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    assert [status for status, _ in statuses(check_database, installation(tmp_path))] == ["ok"]
    assert not (tmp_path / "v.db").exists()
    away = installation(tmp_path, database="postgresql://u:geheim@127.0.0.1:9/vedette")
    ((status, seen),) = statuses(check_database, away)
    assert status == "fail"
    assert "geheim" not in seen


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "v.db").write_bytes(b"no database at all, however long it may be" * 100)
    at = installation(tmp_path)
    assert statuses(check_database, at)[-1][0] == "fail"
    assert statuses(check_integrity, at)[-1][0] == "fail"
    assert [status for status, _ in statuses(check_gaps, at)] == ["skipped"]


def test_a_journal_that_is_not_wal(tmp_path: Path) -> None:
    at = installation(tmp_path)
    with sqlite3.connect(tmp_path / "v.db") as connection:
        connection.execute("create table t (a)")
    connection.close()
    assert any("not WAL" in seen for _, seen in statuses(check_database, at))


def test_who_does_the_work(at: Surroundings, engine: Engine) -> None:
    assert "no process" in statuses(check_lease, at)[0][1]
    lease = Lease(engine)
    term = lease.acquire()
    assert term is not None
    assert f"{term.holder.name} does the work" in statuses(check_lease, at)[0][1]
    lease.release(term)
    assert "nobody does the work now" in statuses(check_lease, at)[0][1]


def test_gaps_of_the_last_day(at: Surroundings, engine: Engine) -> None:
    assert statuses(check_gaps, at) == [("ok", "none within a day")]
    gap = Gap("web-0", 4, "deleted", "records", 6, NOON + 120_000_000, NOON + 2_400_000_000)
    for hours, known in ((30, replace(gap, position=9)), (1, gap)):
        store = Store(engine, now=lambda past=hours: NOW - timedelta(hours=past))  # type: ignore[misc]
        store.record([], watermark=None, checkpoint=Checkpoint(2, "f", None), gaps=[known])
    assert statuses(check_gaps, at) == [
        ("warn", "web-0: blind from 2026-11-02 08:02 to 08:40: deleted")
    ]


def test_lines_that_were_set_aside(at: Surroundings, engine: Engine) -> None:
    quarantine = Quarantine()
    quarantine.add("web-0", "unparsed", range(30))
    Store(engine, now=lambda: NOW - timedelta(hours=1)).record(
        [], watermark=None, checkpoint=Checkpoint(2, "f", None), quarantine=quarantine.changed()
    )
    ((status, seen),) = statuses(check_quarantine, at)
    assert status == "warn"
    assert "30 unparsed in web-0" in seen
    later = replace(at, now=NOW + timedelta(days=2))
    assert [status for status, _ in statuses(check_quarantine, later)] == ["ok"]


def test_messages_that_wait_and_that_were_given_up(at: Surroundings, engine: Engine) -> None:
    assert [status for status, _ in statuses(check_messages, at)] == ["ok"]
    with engine.begin() as connection:
        for target, state in (("mail", "dead"), ("mail", "pending"), ("gone", "pending")):
            row = {
                "target": target,
                "group_key": "g",
                "idempotency_key": target + state,
                "digest": False,
                "title": "t",
                "created_at": NOW,
                "state": state,
                "attempts": 1,
                "next_attempt_at": NOW - timedelta(minutes=16),
            }
            connection.execute(insert(table_of(DeliveryRow)).values(row))
    url = at.settings.store.url.get_secret_value()
    known = installation(at.state, '[targets.mail]\nurl = "json://127.0.0.1:9"', database=url)
    found = {(status, seen.partition(":")[0]) for status, seen in statuses(check_messages, known)}
    assert found == {("warn", "gone"), ("warn", "mail"), ("fail", "mail")}


def test_clocks(at: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {status for status, _ in statuses(check_clock, at)}
    assert "fail" not in found

    class Early(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Early":
            return cls.fromtimestamp(datetime.now(UTC).timestamp() - 3600, tz)

    if not at.settings.store.url.get_secret_value().startswith("sqlite"):
        monkeypatch.setattr(clock, "datetime", Early)
        assert "fail" in {status for status, _ in statuses(check_clock, at)}


def test_the_secret(tmp_path: Path) -> None:
    at = installation(tmp_path)
    assert [status for status, _ in statuses(check_secret, at)] == ["ok"]
    assert not at.secret.exists(), "it makes none"
    server_secret(at.secret)
    assert "mode 0600" in statuses(check_secret, at)[0][1]
    at.secret.chmod(0o644)
    assert statuses(check_secret, at)[0][0] == "fail"


def test_settings_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "vedette.toml"
    file.write_text('[notify]\nurl = "json://u:geheim@127.0.0.1"\n', encoding="utf-8")
    file.chmod(0o644)
    at = replace(installation(tmp_path), config=file)
    assert ("warn", f"{file}: others than its owner can read it, and it holds secrets") in (
        statuses(check_settings, at)
    )
    file.chmod(0o600)
    assert ("ok", str(file)) in statuses(check_settings, at)


def test_rules_that_are_refused_and_exceptions_that_are_over(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "bad.yml").write_text("title: no rule\n", encoding="utf-8")
    refused = installation(tmp_path, f'rules = {{ folders = ["{folder}"] }}')
    ((status, seen),) = statuses(check_rules, refused)
    assert status == "fail"
    assert "bad.yml" in seen
    over = '{ client = "192.0.2.1", why = "test", until = 2026-01-01T00:00:00Z }'
    text_ = f"[detectors.request_rate]\nexceptions = [{over}]\n[detectors.login_slow]\n"
    found = statuses(check_rules, installation(tmp_path, text_))
    assert [status for status, _ in found] == ["ok", "warn", "warn"]
    unknown = installation(tmp_path, "[detectors.nosuch]\nthreshold = 3")
    assert statuses(check_rules, unknown)[0][0] == "fail"


def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        total, free = 100 << 30, 50 << 30

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    found = []
    for free in (50 << 30, 4 << 30, 50 << 20):
        Usage.free = free
        found.append(statuses(check_disk, installation(tmp_path))[0][0])
    assert found == ["ok", "warn", "fail"]


def test_logs(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [combined(second) for second in range(20)])
    odd = written(tmp_path / "odd.log", ["what is this?"] * 20)
    mixed = written(tmp_path / "mixed.log", [combined(second) for second in range(20)] + ["?"] * 3)

    def said(*paths: object, more: str = "") -> list[tuple[str, str]]:
        listed = ", ".join(f'"{path}"' for path in paths)
        return statuses(
            check_logs, installation(tmp_path, f"[[sources]]\npaths = [{listed}]\n{more}")
        )

    assert said(log) == [("ok", f"{log}: combined, 0 of its first 20 lines set aside")]
    ((status, seen),) = said(mixed)
    assert (status, "3 of its first 23 lines cannot be read" in seen) == ("warn", True)
    ((status, seen),) = said(odd)
    assert (status, "unknown format" in seen) == ("fail", True)
    assert [status for status, _ in said(tmp_path / "*.nothing")] == ["warn"]
    assert [status for status, _ in said(tmp_path / "gone.log")] == ["fail"]
    assert [status for status, _ in said("-")] == ["fail"]
    if os.geteuid():
        log.chmod(0)
        ((status, seen),) = said(log)
        assert (status, "permission denied" in seen) == ("fail", True)


KAFKA = """
[[sources]]
bootstrap_servers = ["kafka-1:9092"]
topics = ["access", "gone"]
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
username = "reader"
password = "geheim"
"""


def test_topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = MemoryCluster()
    cluster.create("access", 3)
    cluster.send("access", b"x", b"y", time_ms=int(NOW.timestamp() * 1000))
    monkeypatch.setattr(brokers, "connect_to_kafka", cluster.connect)
    at = installation(tmp_path, KAFKA)
    assert statuses(check_brokers, at) == [
        ("ok", "kafka-1:9092: answers to 'reader' (SASL_SSL, PLAIN)"),
        ("ok", "topic access: 3 partitions, about 2 records kept"),
        ("fail", "topic gone: there is no such topic"),
    ]
    assert statuses(brokers.check_topic_times, at)[0][0] == "ok"
    cluster.send("access", b"z", time_ms=int((NOW + timedelta(hours=1)).timestamp() * 1000))
    assert statuses(brokers.check_topic_times, at)[0][0] == "warn"


def test_topics_that_forget_too_soon() -> None:
    hour = timedelta(hours=1)
    assert brokers.kept("access", 2 * hour, 3 * hour).status == "warn"
    assert brokers.kept("access", 3 * hour, 3 * hour).status == "ok"
    assert brokers.kept("access", None, 3 * hour).status == "ok"


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A web server that gives the same answer to all."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_who_has_the_port(tmp_path: Path) -> None:
    def said(port: int) -> tuple[str, str]:
        return statuses(check_api, installation(tmp_path, f"api = {{ port = {port} }}"))[0]

    with answering(b'{"status":"alive"}') as port:
        assert said(port) == ("ok", f"127.0.0.1 port {port}: a Vedette answers")
    assert said(port)[0] == "ok"
    with answering(b"hello") as port:
        assert said(port)[0] == "fail"


def made(folder: Path, days: str) -> tuple[Path, Path]:
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-subj", "/CN=vedette", "-days", days,
         "-keyout", "key.pem", "-out", "crt.pem"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder / "crt.pem", folder / "key.pem"


def test_certificates(tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "10")
    left = good_until(certificate, key) - datetime.now(UTC)
    assert timedelta(days=9) < left <= timedelta(days=10)
    settings = f'api = {{ port = 0, tls = {{ certificate = "{certificate}", key = "{key}" }} }}'
    at = replace(installation(tmp_path, settings), now=datetime.now(UTC))
    assert statuses(check_api, at)[0][0] == "warn"
    made(tmp_path, "100")
    assert statuses(check_api, at)[0][0] == "ok"
    key.write_text("no key", encoding="ascii")
    with pytest.raises(CertificateError):
        good_until(certificate, key)
    assert statuses(check_api, at)[0][0] == "fail"
    key.unlink()
    assert statuses(check_api, at)[0][0] == "fail"


def test_a_certificate_that_is_over(tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "1")
    subprocess.run(
        ["openssl", "x509", "-in", "crt.pem", "-signkey", "key.pem", "-days", "-1",
         "-out", "crt.pem"],
        cwd=tmp_path, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    with pytest.raises(CertificateError, match="expired"):
        good_until(certificate, key)


def test_targets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        text_ = f'targets.hook.url = "json://u:geheim@127.0.0.1:{port}/x"'
        assert statuses(check_targets, installation(tmp_path, text_)) == [
            ("ok", f"hook: 127.0.0.1:{port} answers")
        ]
    ((status, seen),) = statuses(check_targets, installation(tmp_path, text_))
    assert (status, "geheim" in seen) == ("fail", False)
    template = f'{text_}\ntargets.hook.template = "{tmp_path}/none.j2"'
    assert len(statuses(check_targets, installation(tmp_path, template))) == 2


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("json://h.example/x", Endpoint("h.example", 80, "http")),
        ("jsons://u:p@h.example:8443/x", Endpoint("h.example", 8443, "https")),
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            Endpoint("hooks.slack.com", 443, "https"),
        ),
        ("mailto://u:p@mail.example", Endpoint("mail.example", 25)),
        ("alertmanagers://token@am.example/x", Endpoint("am.example", 443, "https")),
        ("ntfy://secrettopic", None),
        ("syslog://", None),
    ],
)
def test_where_messages_go(url: str, endpoint: Endpoint | None) -> None:
    """Failed when a token, which stands where other addresses have a host, was taken for one."""
    assert endpoint_of(Target("t", SecretStr(url))) == endpoint


def test_a_real_broker_is_asked_for_its_topics(
    tmp_path: Path, bootstrap: str, make_topic: MakeTopic
) -> None:
    topic = make_topic(2, **{"retention.ms": "60000"})
    text_ = f'[[sources]]\nbootstrap_servers = ["{bootstrap}"]\ntopics = ["{topic}", "nosuch"]\n'
    at = installation(tmp_path, text_)
    assert statuses(check_brokers, at) == [
        ("ok", f"{bootstrap}: answers (PLAINTEXT)"),
        ("ok", f"topic {topic}: 2 partitions, about 0 records kept"),
        ("fail", "topic nosuch: there is no such topic"),
    ]
    ((status, seen),) = statuses(brokers.check_retention, at)
    assert status == "warn"
    assert seen.startswith(f"topic {topic}: keeps records for 1m;")
    assert [status for status, _ in statuses(brokers.check_topic_times, at)] == ["ok"]
