"""How the broker is set: one node that is broker and controller, with the listeners asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.broker.certificates import Certificates

#: Who may log in at the SASL listeners, with every mechanism.
USER: Final = "vedette"
PASSWORD: Final = "only for tests"

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
    "broker.heartbeat.interval.ms": "500",
    "metadata.max.idle.interval.ms": "10000",  # half a second: a third of an idle broker's work
    "num.network.threads": "1",
    "num.io.threads": "2",
}


def server_properties(
    folder: Path, ports: Mapping[str, int], certificates: Certificates | None, session_ms: int
) -> str:
    """Return the text of server.properties; ports: of the listeners by name, and of CONTROLLER."""
    protocols = {name: ALL_LISTENERS[name] for name in ports if name != "CONTROLLER"}
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    found = _SETTINGS | {
        "broker.session.timeout.ms": str(session_ms),
        "log.dirs": str(folder / "data"),
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(addresses[name] for name in protocols),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}"
            for name, protocol in (protocols | {"CONTROLLER": "PLAINTEXT"}).items()
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
    }
    if certificates:
        found |= _security(certificates)
    return "".join(f"{key}={value}\n" for key, value in found.items())


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
