"""A Kafka broker of our own: one node, on loopback, everything in one folder.

    with running_broker(folder) as broker:
        broker.bootstrap  # "127.0.0.1:port"
        broker.kill()  # as kill -9 does
        broker.restart()  # same data, same ports

`secure=True` adds listeners with SASL and TLS; `broker.client(...)` returns what kafka-python
needs to reach each.
"""

import base64
import os
import random
import re
import shutil
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
from tests.broker.jars import are_fetched, ready_jars

#: Who may log in at the SASL listeners, with every mechanism.
USER: Final = "vedette"
PASSWORD: Final = "only for tests"

#: What Kafka 4 runs on.
OLDEST_JAVA: Final = 17
READY_SECONDS: Final = 120
STOP_SECONDS: Final = 30

#: Listener name -> security protocol. MUTUAL asks the client for a certificate too.
PLAIN_LISTENERS: Final = {"PLAINTEXT": "PLAINTEXT"}
ALL_LISTENERS: Final = PLAIN_LISTENERS | {
    "SASL_PLAINTEXT": "SASL_PLAINTEXT",
    "SSL": "SSL",
    "SASL_SSL": "SASL_SSL",
    "MUTUAL": "SSL",
}
SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS: Final = ("PLAIN", *SCRAM)

#: Below the ports that systems give to clients: a client that keeps knocking while the broker is
#: down cannot take the broker's port.
_PORTS: Final = range(20_000, 32_000)
_JAVA_OPTIONS: Final = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker lives for seconds: compile fast rather than well
    "-XX:-UsePerfData",
    "-Dlog4j2.level=INFO",
)
_SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "4194304",
    # After kill -9 a broker comes back only when its former self counts as gone (9 s by default).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "1",
    "num.io.threads": "2",
}


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
        command = [*self.java, "kafka.Kafka", str(self.folder / "server.properties")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
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
def running_broker(folder: Path, *, secure: bool = False) -> Iterator[Broker]:
    """Run a broker with its files in a folder that exists; it is stopped in the end.

    :raises BrokerError: it could not be started.
    :raises JarsDifferError: its jars are not those of the committed list.
    :raises FetchError: Maven could not bring them.
    """
    broker = _prepared(folder, secure=secure)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def obstacle(*, secure: bool) -> str | None:
    """Return why no broker can be started on this machine, or nothing."""
    needed = [java_program()]
    if not are_fetched():
        needed.append("mvn")
    if secure:
        needed.append("openssl")
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        return f"no Kafka broker can be started here without {', '.join(missing)}"
    version = _java_version()
    if version < OLDEST_JAVA:
        return f"no Kafka broker can be started here: Java is {version}, not {OLDEST_JAVA} or newer"
    return None


def _java_version() -> int:
    """Return the major version, 0 if there is only a stub of Java."""
    said = subprocess.run(
        [java_program(), "-version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0


def java_program() -> str:
    """Return the java to run: that of JAVA_HOME, or the first of PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def _prepared(folder: Path, *, secure: bool) -> Broker:
    jars = ready_jars()
    scratch = folder / "scratch"
    scratch.mkdir()
    java = (
        java_program(),
        *_JAVA_OPTIONS,
        f"-Djava.io.tmpdir={scratch}",
        f"-XX:ErrorFile={folder / 'java-error.log'}",
        "-cp",
        os.pathsep.join(map(str, jars)),
    )
    listeners = ALL_LISTENERS if secure else PLAIN_LISTENERS
    certificates = Certificates.made_in(folder) if secure else None
    ports = _free_ports([*listeners, "CONTROLLER"])
    broker = Broker(folder, java, ports, certificates)
    settings = _settings(broker)
    text = "".join(f"{key}={value}\n" for key, value in settings.items())
    (folder / "server.properties").write_text(text, encoding="utf-8")
    _format(broker)
    return broker


def _settings(broker: Broker) -> dict[str, str]:
    protocols = {name: ALL_LISTENERS[name] for name in broker.ports if name != "CONTROLLER"}
    everywhere = ",".join(f"{name}://{broker.address(name)}" for name in broker.ports)
    found = _SETTINGS | {
        "log.dirs": str(broker.folder / "data"),
        "listeners": everywhere,
        "advertised.listeners": ",".join(f"{name}://{broker.address(name)}" for name in protocols),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}"
            for name, protocol in (protocols | {"CONTROLLER": "PLAINTEXT"}).items()
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.voters": f"1@{broker.address('CONTROLLER')}",
    }
    if broker.certificates:
        found |= _security(broker.certificates)
    return found


def _security(certificates: Certificates) -> dict[str, str]:
    module = "org.apache.kafka.common.security"
    found = {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "listener.name.mutual.ssl.client.auth": "required",
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        prefix = f"listener.name.{listener}"
        found[f"{prefix}.plain.sasl.jaas.config"] = (
            f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        )
        for mechanism in SCRAM:
            found[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = (
                f"{module}.scram.ScramLoginModule required;"
            )
    return found


def _format(broker: Broker) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = [
        part
        for mechanism in (SCRAM if broker.certificates else ())
        for part in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
    ]
    settings = str(broker.folder / "server.properties")
    tool = [*broker.java, "kafka.tools.StorageTool", "format", "-c", settings, "-t", cluster]
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
