"""Why no broker answers: the library says only, and late, that none did in time."""

import socket
import ssl
from typing import Final

from ingest.sources import KafkaSource
from ingest.topics.connection import encrypted, tls_context

_SECONDS: Final = 3.0
_PORT: Final = 9092


def why_unreachable(source: KafkaSource) -> tuple[str, str] | None:
    """Knock at the brokers: None if one opens, else what is wrong with the first, and what to do.

    Raises OSError if certificates cannot be loaded.
    """
    context = tls_context(source) if encrypted(source) else None
    wrong: list[tuple[str, str]] = []
    for server in source.bootstrap_servers:
        found = _why_closed(server, context)
        if found is None:
            return None
        wrong.append(found)
    return wrong[0]


def why_silent(source: KafkaSource) -> tuple[str, str]:
    """Return what may be wrong, and what to do, if a broker opens and says nothing of use."""
    if source.sasl_mechanism is not None:  # the library loses what a broker says as it hangs up
        return (
            f"the brokers take connections and end them: is {source.username!r} let in?",
            "check username, password and sasl_mechanism, then security_protocol",
        )
    return (
        "the brokers take connections but do not answer as Kafka does",
        "check security_protocol, and that these are brokers, not controllers",
    )


def _why_closed(server: str, context: ssl.SSLContext | None) -> tuple[str, str] | None:
    host, port = address_of(server)
    try:
        with socket.create_connection((host, port), _SECONDS) as connection:
            if context is not None:
                context.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return (
            f"{server}: its certificate is not believed: {error.verify_message}",
            "set ca_file to the authority that signed it; bootstrap_servers must name it alike",
        )
    except ssl.SSLError as error:
        return (
            f"{server}: no TLS connection: {error.reason or type(error).__name__}",
            "check security_protocol and the port: this one may not speak TLS",
        )
    except TimeoutError:
        return f"{server}: no answer", "check the address, and that no firewall drops it"
    except OSError as error:
        return (
            f"{server}: {error.strerror or type(error).__name__}",
            "check bootstrap_servers, and that the broker is up",
        )
    return None


def address_of(server: str) -> tuple[str, int]:
    """Split host:port, [address]:port or a host alone."""
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit():
        return server.strip("[]"), _PORT
    return host.strip("[]"), int(port)
