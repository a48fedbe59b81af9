"""A Kafka broker of our own: one node, on loopback, everything in one folder.

    with running_broker(folder) as broker:
        broker.bootstrap  # "127.0.0.1:port"
        broker.kill()  # as kill -9 does
        broker.restart()  # same data, same ports

`secure=True` adds listeners with SASL and TLS; `broker.client(...)` returns what kafka-python
needs to reach each.
"""

import base64
import random
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.broker.certificates import Certificates
from tests.broker.guard import Guard
from tests.broker.jars import ready_jars
from tests.broker.java import command
from tests.broker.properties import (
    ALL_LISTENERS,
    PASSWORD,
    PLAIN_LISTENERS,
    SCRAM,
    USER,
    server_properties,
)

READY_SECONDS: Final = 120
STOP_SECONDS: Final = 30

#: Below the ports that systems give to clients: a client that keeps knocking while the broker is
#: down cannot take the broker's port.
_PORTS: Final = range(20_000, 32_000)


class BrokerError(Exception):
    """A broker could not be started; the message ends with the tail of its log."""


@dataclass(slots=True)
class Broker:
    """One broker. Methods return when the broker is ready, or gone."""

    folder: Path
    java: tuple[str, ...]
    ports: Mapping[str, int]
    certificates: Certificates | None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _guard: Guard | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        """Address of the listener that asks for nothing."""
        return self.address("PLAINTEXT")

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self.folder / "broker.log"

    def address(self, listener: str) -> str:
        """Return host:port of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    def client(self, listener: str = "PLAINTEXT", mechanism: str = "PLAIN") -> dict[str, Any]:
        """Return the keyword arguments with which kafka-python reaches a listener.

        The mechanism counts at SASL listeners only.
        """
        protocol = ALL_LISTENERS[listener]
        found: dict[str, Any] = {
            "bootstrap_servers": self.address(listener),
            "security_protocol": protocol,
        }
        if protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": mechanism,
                "sasl_plain_username": USER,
                "sasl_plain_password": PASSWORD,
            }
        if protocol.endswith("SSL") and self.certificates:
            found["ssl_cafile"] = str(self.certificates.authority)
        if listener == "MUTUAL" and self.certificates:
            found["ssl_certfile"] = str(self.certificates.client)
            found["ssl_keyfile"] = str(self.certificates.client_key)
        return found

    def start(self) -> None:
        """Start, and wait until clients are served.

        :raises BrokerError: it ended, or was not ready in time.
        """
        words = [*self.java, "kafka.Kafka", str(self.folder / "server.properties")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the broker
            )
        self._guard = Guard(self._process.pid)
        try:
            self._await_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End as kill -9 does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same data and ports, whether it runs or not."""
        self.stop()
        self.start()

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._guard:
            self._guard.dismiss()
            self._guard = None

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._listens() and self._answers():
                return
            time.sleep(0.05)
        ended = process.returncode is not None
        what = f"ended with {process.returncode}" if ended else f"not ready in {READY_SECONDS} s"
        raise BrokerError(f"The broker {what}. The end of its log:\n{_tail(self.log)}")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports["PLAINTEXT"]), timeout=1).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5_000)
        except KafkaError:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()


@contextmanager
def running_broker(
    folder: Path, *, secure: bool = False, session_ms: int = 9_000
) -> Iterator[Broker]:
    """Run a broker with its files in a folder that exists; it is stopped in the end.

    session_ms is how long a killed broker counts as alive, and so how long the next start waits:
    less for a broker that is to be killed, but one silent for that long, on a busy machine say,
    is taken for dead for a moment.

    :raises BrokerError: it could not be started.
    :raises JarsDifferError: its jars are not those of the committed list.
    :raises FetchError: Maven could not bring them.
    """
    broker = _prepared(folder, secure=secure, session_ms=session_ms)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def _prepared(folder: Path, *, secure: bool, session_ms: int) -> Broker:
    java = command(folder, ready_jars())
    certificates = Certificates.made_in(folder) if secure else None
    ports = _free_ports([*(ALL_LISTENERS if secure else PLAIN_LISTENERS), "CONTROLLER"])
    text = server_properties(folder, ports, certificates, session_ms)
    (folder / "server.properties").write_text(text, encoding="utf-8")
    broker = Broker(folder, java, ports, certificates)
    _format(broker)
    return broker


def _format(broker: Broker) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = [
        part
        for mechanism in (SCRAM if broker.certificates else ())
        for part in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
    ]
    settings = str(broker.folder / "server.properties")
    tool = [
        *broker.java,
        "kafka.tools.StorageTool",
        "format",
        "-c",
        settings,
        f"--cluster-id={cluster}",
    ]
    with broker.log.open("ab") as log:
        done = subprocess.run(
            [*tool, *users],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=READY_SECONDS,
            check=False,
        )
    if done.returncode:
        raise BrokerError(f"The broker's storage was not formatted:\n{_tail(broker.log)}")


def _free_ports(names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    while len(found) < len(names):
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found.values():
                found[names[len(found)]] = port
    return found


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
