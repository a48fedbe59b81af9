"""SIGHUP: settings read anew while the service runs, all of them or none."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.durability.process import READY, Service
from vedette import service
from vedette.orders import Orders, orders
from vedette.reload import Reload
from vedette.settings import Settings, settings_from

SETTINGS = """
[[sources]]
paths = [{logs}]
format = "combined"
[store]
url = "sqlite:///{folder}/v.db"
[api]
port = {port}
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def probes(log: Path, client: str, hours: int) -> None:
    """Append a look, hours ago, for what is not there, and what is calm long after."""
    begin = datetime.now(UTC) - timedelta(hours=hours)
    asked = [(second, client, f"/none-{second}", 404) for second in range(60)]
    asked += [(3600 + second, "198.51.100.9", "/", 200) for second in range(6)]
    with log.open("a", encoding="utf-8") as out:
        for second, who, path, status in asked:
            clock = f"{begin + timedelta(seconds=second):%d/%b/%Y:%H:%M:%S} +0000"
            out.write(f'{who} - - [{clock}] "GET {path} HTTP/1.1" {status} 512 "-" "Mozilla"\n')


def found(folder: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{folder / 'v.db'}")
    with engine.connect() as connection:
        entities = connection.execute(text("select entity from incidents")).scalars()
        names = set(entities)
    engine.dispose()
    return names


def test_settings_are_taken_all_or_none(tmp_path: Path) -> None:
    """Failed when settings were taken without being tried: it stopped for them, and went back."""
    old, new, port = tmp_path / "old.log", tmp_path / "new.log", free_port()
    old.touch()
    new.touch()
    file = tmp_path / "vedette.toml"

    def settings(*logs: Path) -> str:
        named = ", ".join(f'"{log}"' for log in logs)
        return SETTINGS.format(logs=named, folder=tmp_path, port=port)

    service = Service(tmp_path, settings(old))
    service.start()
    try:
        service.ready()
        probes(old, "203.0.113.7", 6)
        service.wait(lambda: "203.0.113.7" in found(tmp_path), "that the first is found")
        for number, wrong in enumerate(
            ('[apis]\nhost = "x"', "[detectors.recon_of_nothing]\nenabled = false"), start=1
        ):
            file.write_text(f"{settings(new)}\n{wrong}\n", encoding="utf-8")
            os.kill(service.pid, signal.SIGHUP)
            service.wait(
                lambda said=number: service.words().count("those before stay") == said,  # type: ignore[misc]
                "that settings are refused",
            )
        assert service.words().count(READY) == 1
        file.write_text(settings(old, new), encoding="utf-8")
        os.kill(service.pid, signal.SIGHUP)
        service.wait(lambda: service.words().count(READY) == 2, "that it began anew")
        probes(new, "203.0.113.8", 3)
        service.wait(lambda: "203.0.113.8" in found(tmp_path), "that the second is found")
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
        assert answer.status_code == 200
        assert service.words().count("First key") == 1
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("early", "ports"), [(True, [9000, 9001, 9002]), (False, [9000, 9001, 9001])]
)
def test_who_asks_twice_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, early: bool, ports: list[int]
) -> None:
    """Failed when what was asked for while settings were taken was lost, or ended the service."""
    told = Orders()
    ran: list[int] = []
    waiting: list[Settings] = []

    class Asked(Reload):
        def take(self) -> Settings | None:
            taken = waiting.pop() if waiting else None
            if early and len(ran) == 1:
                waiting.append(settings_from("[api]\nport = 9002"))
                told.stop.set()
            return taken

    @contextmanager
    def given(*_: object) -> Iterator[Orders]:
        yield told

    def run(settings: Settings, *_: object, **__: object) -> None:
        ran.append(settings.api.port)
        if len(ran) == 1:
            waiting.append(settings_from("[api]\nport = 9001"))
            told.stop.set()
        elif len(ran) == 2 and not early:
            told.stop.set()  # of one who asked before the settings were taken
        elif not told.stop.is_set():
            told.end()

    for name, instead in (("Reload", Asked), ("orders", given), ("_run", run)):
        monkeypatch.setattr(service, name, instead)
    monkeypatch.setattr(service, "log_to_stderr", lambda *_, **__: None)
    monkeypatch.setattr(service, "return_large_blocks", lambda: None)
    first = settings_from("[api]\nport = 9000")
    service.run_until_stopped(
        first, tmp_path / "s", announce=print, ready=print, anew=lambda: first
    )
    assert ran == ports


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_that_nobody_expected_leaves_no_service_that_cannot_be_stopped() -> None:
    """Failed when the thread that listens to signals ended with it, and nothing else did."""

    def wrong() -> bool:
        raise RuntimeError("nobody expected it")

    with orders(None, hang_up=wrong) as given:
        os.kill(os.getpid(), signal.SIGHUP)
        assert given.stop.wait(5)
        assert given.for_good
