"""uvicorn in a thread: on loopback, unless something in front of it makes it safe."""

import gc
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from api.connections import DirectProtocol, PromptProtocol
from api.hosts import LOOPBACK, is_loopback
from ingest.address_ranges import Network

#: Requests that are worked on at once: they share one interpreter, so more would only take turns.
THREADS: Final = 4

#: Seconds after which a thread lets another one go on that asks for it; Python's own is ten times
#: as much, which beside a busy worker each answer would wait for several times.
_SWITCH_SECONDS: Final = 0.0005

#: Seconds that requests in flight get when the server stops.
_GRACE_SECONDS: Final = 5

#: Seconds that the server may take to begin.
_START_SECONDS: Final = 10.0


class _Server(uvicorn.Server):
    """A server whose routes share a few threads: more would only wait for the interpreter."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)


class ServerError(Exception):
    """The API cannot be served there; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate with its chain, and its key; PEM files."""

    certificate: Path
    key: Path


class ApiServer:
    """A server that runs; `stop` ends it."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket, url: str) -> None:
        self.url = url
        self.port: int = listener.getsockname()[1]
        self._server = server
        self._listener = listener
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="api", daemon=True
        )

    def start(self) -> None:
        """Begin to answer; returns when requests are taken. Raises ServerError."""
        self._thread.start()
        pause = threading.Event()
        for _ in range(int(_START_SECONDS / 0.01)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            pause.wait(0.01)
        self.stop()
        raise ServerError("the API server did not start; its log says why")

    def stop(self) -> None:
        """End requests in flight within a few seconds, and close the port."""
        self._server.should_exit = True
        self._thread.join(_GRACE_SECONDS + 5)
        self._listener.close()


def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    behind_proxy: bool = False,
    proxies: Sequence[Network] = LOOPBACK,
    tls: Tls | None = None,
) -> ApiServer:
    """Serve the API in a thread and return the running server.

    Behind a proxy, those in `proxies` are believed who it is that asks, and whether over TLS.

    Port 0 takes a free one; `port` and `url` of the result are the real ones. Raises ServerError
    for a public address without TLS or a proxy, and for one that cannot be had.
    """
    if not (behind_proxy or tls or is_loopback(host)):
        raise ServerError(
            f"api.host: {host} can be reached from other machines, and keys would travel in the"
            " clear; give api.tls a certificate, set api.behind_proxy = true if a proxy ends TLS,"
            " or keep 127.0.0.1"
        )
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=PromptProtocol if behind_proxy else DirectProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips=[str(network) for network in proxies],
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=200,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    if tls:
        _check_tls(config)
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if tls else 'http'}://{shown}:{listener.getsockname()[1]}"
    server = ApiServer(_Server(config), listener, url)
    sys.setswitchinterval(_SWITCH_SECONDS)
    server.start()
    gc.collect()
    gc.freeze()  # what is there by now stays: looking it through again would stop all for 0.1 s
    return server


def _check_tls(config: uvicorn.Config) -> None:
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ServerError(f"api.tls: the certificate or key cannot be used ({error})") from error


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # By the protocol asyncio knows to send at once; else each answer waits for an ACK, 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise ServerError(f"api.host: {host} is no address of this machine ({error})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServerError(
            f"api.port: cannot listen on {host} port {port} ({error.strerror}); another program"
            " may hold it: choose another api.port, or 0 for any free one"
        ) from error
    return listener
