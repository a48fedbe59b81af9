"""Connections that do nothing, or nearly nothing: who opens many of them shuts nobody out."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event
from time import monotonic
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

from api.server import ApiServer, serve

GET = b"GET /alive HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
CUT = 0.3


async def alive() -> dict[str, str]:
    return {"status": "alive"}


async def body(request: Request) -> dict[str, int]:
    return {"length": len(await request.body())}


async def early() -> Response:
    return Response("no", 413)


async def much() -> StreamingResponse:
    async def parts() -> Any:
        while True:
            yield b"x" * 100_000
            await asyncio.sleep(0)

    return StreamingResponse(parts())


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """An application whose routes need neither a database nor a thread."""
    app = FastAPI()
    app.get("/alive")(alive)
    app.post("/body")(body)
    app.post("/early")(early)
    app.get("/much")(much)
    return app


@pytest.fixture(scope="module")
def server(app: FastAPI) -> Iterator[ApiServer]:
    """A server that is in a greater hurry than ours, and takes five connections of an address."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEAD_SECONDS", "BODY_SECONDS", "STUCK_SECONDS"):
            patch.setattr(f"api.connections.{name}", CUT)
        patch.setattr("api.connections.DirectProtocol.address_cap", 5)
        running = serve(app, "127.0.0.1", 0)
        yield running
        running.stop()


@contextmanager
def connected(server: ApiServer, *sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for part in sent:
            connection.sendall(part)
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server ends the connection; what was sent in vain resets it."""
    found = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            found += part
    return found


def answer(connection: socket.socket) -> bytes:
    """Read the answer to GET."""
    found = b""
    while b"alive" not in found:
        part = connection.recv(65_536)
        assert part, "the connection ended"
        found += part
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /alive HTTP/1.1\r\nHost: x\r\nA: ",
        POST,
        POST + b"1234",
        POST.replace(b"body", b"early"),
    ],
    ids=["nothing", "half a head", "no body", "half a body", "a body after its answer"],
)
def test_who_does_nothing_is_cut_off(server: ApiServer, sent: bytes) -> None:
    with connected(server, sent) as connection:
        assert b" 200 " not in read_all(connection)


@pytest.mark.parametrize("begun", [b"GET /", POST.replace(b"9", b"9999")], ids=["head", "body"])
def test_who_trickles_is_cut_off(server: ApiServer, begun: bytes) -> None:
    with connected(server, begun) as connection:
        connection.settimeout(0.02)
        until = monotonic() + 10
        while monotonic() < until:
            try:
                connection.sendall(b"x")
                if not connection.recv(1_024):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
    pytest.fail("it goes on for ever")


def test_half_a_head_after_an_answer_is_cut_off(server: ApiServer) -> None:
    """uvicorn stops its clock of idle connections at the first byte."""
    with connected(server, GET) as connection:
        answer(connection)
        connection.sendall(b"GET /")
        assert read_all(connection) == b""


def test_half_a_request_behind_another_is_cut_off(server: ApiServer) -> None:
    """It is looked at when the answer before it is complete, not when it comes in."""
    with connected(server, GET + POST) as connection:
        assert b" 200 " in read_all(connection)


def test_who_does_not_read_is_cut_off(server: ApiServer) -> None:
    with connected(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(GET.replace(b"alive", b"much"))
        assert_ends(lambda: count(server) == 0)


def test_who_asks_again_is_not_cut_off(server: ApiServer) -> None:
    """Each request has its time; between them uvicorn waits."""
    with connected(server) as connection:
        until = monotonic() + 3 * CUT
        while monotonic() < until:
            connection.sendall(GET)
            answer(connection)
            connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(5)


def test_an_address_has_so_many_connections(server: ApiServer) -> None:
    assert_ends(lambda: count(server) == 0)
    with held(server, 5):
        with connected(server) as further, suppress(OSError):
            further.sendall(GET)
            assert further.recv(1) == b""
        assert_ends(lambda: count(server) == 5)
    assert_ends(lambda: count(server) == 0)
    with connected(server, GET) as later:
        assert answer(later)


def test_all_come_from_the_proxy(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.connections.DirectProtocol.address_cap", 5)
    running = serve(app, "127.0.0.1", 0, behind_proxy=True)
    try:
        with held(running, 6):
            assert count(running) == 6
    finally:
        running.stop()


@contextmanager
def held(server: ApiServer, number: int) -> Iterator[None]:
    """Hold connections that were answered."""
    with ExitStack() as stack:
        for _ in range(number):
            answer(stack.enter_context(connected(server, GET)))
        yield


def count(server: ApiServer) -> int:
    return len(server._server.server_state.connections)


def assert_ends(condition: Callable[[], bool]) -> None:
    """Wait until something is so, for ten seconds at most."""
    until = monotonic() + 10
    while not condition():
        assert monotonic() < until
        Event().wait(0.01)
