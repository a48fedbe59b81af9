"""A receiver over HTTP on loopback that keeps what came, and fails as told."""

import json
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs

#: What a receiver may do in place of an answer: nothing until it is closed, drop the connection
#: before it answers, or in the middle of its answer; or answer by one byte now and then.
Misbehaviour = Literal["silent", "drop", "midway", "drip"]

#: Seconds that a slow answer takes.
SLOW = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What came, to the byte."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def xml(self) -> dict[str, str]:
        root = ET.fromstring(self.body)
        return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}

    def form(self) -> dict[str, str]:
        fields = parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        return {name: values[0] for name, values in fields.items()}


class WebReceiver:
    """Answers as `plan` says, then 200; `requests` is what came, answered or not."""

    def __init__(self, port: int = 0) -> None:
        self.plan: list[Answer | Misbehaviour] = []
        self.requests: list[Request] = []
        self.came = threading.Event()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop: from now on the port refuses connections. Does nothing the second time."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def restarted(self) -> "WebReceiver":
        """Stop, and return another on the same port."""
        self.close()
        return WebReceiver(self.port)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.append(Request(handler.path, dict(handler.headers.items()), body))
        self.came.set()
        step = self.plan.pop(0) if self.plan else Answer()
        if isinstance(step, Answer):
            if step.slow:
                self._closing.wait(SLOW)
            _answer(handler, step)
            return
        if step == "silent":
            self._closing.wait(30)
        elif step == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not self._closing.wait(0.05):
                handler.wfile.write(b"x")
        elif step == "midway":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    receiver = WebReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are what tests are about."""


def _handler(receiver: WebReceiver) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


def _answer(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)
