"""The server on a real socket."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from threading import Event, Semaphore

import httpx
import pytest
from fastapi import FastAPI, Request

from alerts.database.opening import open_database
from api.application import create_api
from api.health import HealthReport
from api.hosts import LOOPBACK
from api.server import THREADS, ServerError, Tls, _listen, serve
from ingest.address_ranges import Network


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    engine = open_database(f"sqlite:///{tmp_path / 'v.db'}")
    yield create_api(engine, tmp_path / "secret", health=lambda: HealthReport(healthy=True))
    engine.dispose()


def test_it_answers_on_a_free_port_and_stops(app: FastAPI) -> None:
    server = serve(app, "127.0.0.1", 0)
    try:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        answer = httpx.get(f"{server.url}/healthz", trust_env=False)
        assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
        assert "server" not in answer.headers
        assert httpx.get(f"{server.url}/api/v1/incidents", trust_env=False).status_code == 401
    finally:
        server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz", trust_env=False)


@pytest.mark.parametrize(
    ("proxies", "shown"),
    [(LOOPBACK, ["192.0.2.7", "https"]), ((ip_network("192.0.2.0/24"),), ["127.0.0.1", "http"])],
)
def test_only_a_proxy_that_is_named_says_who_asks(
    proxies: tuple[Network, ...], shown: list[str]
) -> None:
    app = FastAPI()

    @app.get("/")
    def who(request: Request) -> list[str]:
        return [request.client.host if request.client else "", request.url.scheme]

    server = serve(app, "127.0.0.1", 0, behind_proxy=True, proxies=proxies)
    claims = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    try:
        assert httpx.get(server.url, headers=claims, trust_env=False).json() == shown
    finally:
        server.stop()


def test_it_is_alive_while_all_threads_wait(app: FastAPI) -> None:
    """For a database, say: whoever restarts it then makes nothing better."""
    waiting, goes_on = Semaphore(0), Event()

    def hang() -> None:
        waiting.release()
        assert goes_on.wait(30)

    app.get("/hang")(hang)
    server = serve(app, "127.0.0.1", 0)
    get = partial(httpx.get, trust_env=False, timeout=5)
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            hung = [pool.submit(get, f"{server.url}/hang", timeout=40) for _ in range(THREADS)]
            assert all(waiting.acquire(timeout=10) for _ in hung)
            assert get(f"{server.url}/healthz").json() == {"status": "alive"}
        finally:
            goes_on.set()
            for each in hung:
                assert each.result(40).status_code == 200
            server.stop()


def test_a_taken_port_is_said(app: FastAPI) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(ServerError, match=r"another program may hold it: choose another"):
            serve(app, "127.0.0.1", holder.getsockname()[1])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_public_address_is_refused(app: FastAPI, host: str) -> None:
    with pytest.raises(ServerError, match="behind_proxy = true"):
        serve(app, host, 0)


def test_an_address_of_another_machine_is_said(app: FastAPI) -> None:
    with pytest.raises(ServerError, match=r"cannot listen on 192\.0\.2\.1"):
        serve(app, "192.0.2.1", 0, behind_proxy=True)


def test_a_bad_certificate_is_said(app: FastAPI, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    with pytest.raises(ServerError, match=r"api\.tls: the certificate"):
        serve(app, "0.0.0.0", 0, tls=Tls(tmp_path / "c.pem", tmp_path / "c.pem"))


def test_answers_are_sent_at_once() -> None:
    """asyncio switches Nagle's algorithm off only for sockets that name TCP as their protocol.

    Without it a request took 49 ms instead of 7: each answer waited for an acknowledgement.
    """
    listener = _listen("127.0.0.1", 0)
    try:
        assert listener.proto == socket.IPPROTO_TCP
    finally:
        listener.close()
