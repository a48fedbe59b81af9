"""Without a broker tests are skipped on a laptop and fail in continuous integration."""

import os
import subprocess
import sys
from pathlib import Path

from kafka.admin import KafkaAdminClient

ROOT = Path(__file__).parents[2]
LINES_COME_BACK = "tests/broker/test_broker.py::test_lines_come_back[gzip]"
EVERY_LISTENER = "tests/broker/test_broker.py::test_lines_go_through_every_listener[SSL-]"


def tried(tmp_path: Path, *tests: str, **environment: str) -> tuple[int, str]:
    """Run tests in a process of their own."""
    left = {
        name: text
        for name, text in os.environ.items()
        if name not in {"CI", "KAFKA_BOOTSTRAP", "JAVA_HOME"}
    }
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env=left | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_laptop_without_java_skips(tmp_path: Path) -> None:
    status, said = tried(tmp_path, LINES_COME_BACK, PATH=str(tmp_path))
    assert status == 0
    assert "1 skipped" in said
    assert "no Kafka broker can be started here without java" in said
    assert "KAFKA_BOOTSTRAP=host:port" in said


def test_continuous_integration_without_java_fails(tmp_path: Path) -> None:
    status, said = tried(tmp_path, LINES_COME_BACK, PATH=str(tmp_path), CI="true")
    assert status == 1
    assert "no Kafka broker can be started here without java" in said


def test_old_java_is_not_enough(tmp_path: Path) -> None:
    for name, said in (("java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2"),
                       ("mvn", "exit 1"), ("openssl", "exit 1")):  # fmt: skip
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{said}\n", encoding="utf-8")
        program.chmod(0o755)
    status, shown = tried(tmp_path, LINES_COME_BACK, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert status == 0
    assert "Java is 11, not 17 or newer" in shown


def test_a_broker_of_the_user_is_used_and_left_clean(
    bootstrap: str, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    before = set(admin.list_topics())
    status, said = tried(
        tmp_path, LINES_COME_BACK, EVERY_LISTENER, PATH=str(tmp_path), KAFKA_BOOTSTRAP=bootstrap
    )
    assert status == 0, said
    assert "1 passed, 1 skipped" in said
    assert "KAFKA_BOOTSTRAP names another" in said
    assert set(admin.list_topics()) == before
