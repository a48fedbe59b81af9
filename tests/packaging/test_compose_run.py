"""What docker-compose.yml starts, started without Docker: same commands, settings, environment."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.broker.fixtures import MakeTopic
from tests.packaging.compose import ROOT, command_of, environment_of, settings_file

PATIENCE = 90.0
PASSWORD = {"POSTGRES_PASSWORD": "only for this test"}


@contextmanager
def started(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, ended by SIGTERM as `docker compose down` does."""
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "vedette", *arguments],
            env=inherited | environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def waited_for(pattern: str, log: Path, process: subprocess.Popen[bytes]) -> re.Match[str]:
    """The first match in what the program prints."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = re.search(pattern, log.read_text(encoding="utf-8"))
        if found:
            return found
        assert process.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.1)
    raise AssertionError(f"no {pattern!r} in:\n{log.read_text(encoding='utf-8')}")


def answer(url: str, key: str | None = None) -> str:
    request = urllib.request.Request(url, headers={"X-API-Key": key} if key else {})
    with urllib.request.urlopen(request, timeout=5) as response:
        text: str = response.read().decode()
        return text


def test_the_services_work_together(bootstrap: str, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(4)
    config = tmp_path / "vedette.toml"
    text = settings_file("vedette").read_text(encoding="utf-8")
    for written, here in (("kafka:9092", bootstrap), ("vedette.access", topic)):
        assert written in text
        text = text.replace(written, here)
    config.write_text(text, encoding="utf-8")
    service = environment_of(
        "vedette",
        PASSWORD,
        VEDETTE_STORE__URL=f"sqlite:///{tmp_path / 'vedette.db'}",
        VEDETTE_API__PORT="0",
        XDG_STATE_HOME=str(tmp_path),
    )
    places = {"kafka:9092": bootstrap, "vedette.access": topic}
    produce = [places.get(word, word) for word in command_of("demo")]
    log, other = tmp_path / "vedette.log", tmp_path / "demo.log"
    with started(command_of("vedette", config=config), service, log) as vedette:
        url = waited_for(r"Incident API: (\S+)/api/v1/incidents", log, vedette)[1]
        port = url.rpartition(":")[2]
        key = waited_for(r"(vdt_\S+)", log, vedette)[1]
        with started(produce, environment_of("demo", PASSWORD), other) as demo:
            waited_for(r"opened", log, vedette)
            assert demo.poll() is None, other.read_text(encoding="utf-8")
        assert demo.returncode == 0, other.read_text(encoding="utf-8")
        here = f"http://127.0.0.1:{port}"
        assert "ready" in answer(f"{here}/readyz")
        lag = f'vedette_topic_lag_records{{partition="{topic}-0"}}'
        assert lag in answer(f"{here}/metrics", key)
        assert '"detectors"' in answer(f"{here}/api/v1/incidents", key)
    assert vedette.returncode == 0, log.read_text(encoding="utf-8")
