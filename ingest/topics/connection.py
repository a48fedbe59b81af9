"""A source's settings as keyword arguments of kafka-python; secrets are unwrapped here only."""

import ssl
from typing import Any

from ingest.sources import KafkaSource


def connection_settings(source: KafkaSource) -> dict[str, Any]:
    """Return the arguments that say where the brokers are and who we are.

    They suit consumers, producers and admin clients. Do not log them: they hold the password.
    Raises OSError (ssl.SSLError is one) if certificates cannot be loaded.
    """
    settings: dict[str, Any] = {
        "bootstrap_servers": list(source.bootstrap_servers),
        "client_id": source.group_id,
        "security_protocol": source.security_protocol,
    }
    if source.sasl_mechanism is not None and source.password is not None:
        settings |= {
            "sasl_mechanism": source.sasl_mechanism,
            "sasl_plain_username": source.username,
            "sasl_plain_password": source.password.get_secret_value(),
        }
    if encrypted(source):
        settings["ssl_context"] = tls_context(source)
    return settings


def encrypted(source: KafkaSource) -> bool:
    """Return whether the brokers are spoken to over TLS."""
    return source.security_protocol.endswith("SSL")


def tls_context(source: KafkaSource) -> ssl.SSLContext:
    """Return what certificates to believe and to show; the broker's name is checked.

    Raises OSError (ssl.SSLError is one) if a file cannot be loaded.
    """
    for file in (source.ca_file, source.certificate_file, source.key_file):
        if file is not None:
            file.open("rb").close()  # the error of this names the file
    context = ssl.create_default_context(cafile=source.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if source.certificate_file is not None:
        password = source.key_password.get_secret_value() if source.key_password else ""
        context.load_cert_chain(source.certificate_file, source.key_file, password)
    return context


def servers(source: KafkaSource) -> str:
    """Return the brokers' addresses, for messages."""
    return ", ".join(source.bootstrap_servers)
