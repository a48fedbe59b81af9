"""Certificates of an authority of our own, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_CONFIG: Final = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Vedette tests
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: an authority, a server (key and certificate) and a client that it vouches for."""

    authority: Path
    server: Path
    client: Path
    client_key: Path

    @classmethod
    def made_in(cls, folder: Path) -> Self:
        """Make them; server.pem is for 127.0.0.1 and localhost."""
        (folder / "openssl.cnf").write_text(_CONFIG, encoding="ascii")
        _openssl(folder, *_NEW_KEY, "-keyout", "authority.key", "-out", "authority.pem",
                 "-x509", "-days", "2", "-extensions", "authority")  # fmt: skip
        for role in ("server", "client"):
            _signed(folder, role)
        both = [(folder / f"server.{part}").read_text(encoding="ascii") for part in ("key", "crt")]
        (folder / "server.pem").write_text("".join(both), encoding="ascii")
        return cls(
            folder / "authority.pem",
            folder / "server.pem",
            folder / "client.crt",
            folder / "client.key",
        )


_NEW_KEY: Final = (
    "req", "-config", "openssl.cnf", "-subj", "/CN=Vedette tests", "-nodes",
    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
)  # fmt: skip


def _signed(folder: Path, role: str) -> None:
    _openssl(folder, *_NEW_KEY, "-keyout", f"{role}.key", "-out", f"{role}.csr")
    _openssl(
        folder, "x509", "-req", "-in", f"{role}.csr", "-out", f"{role}.crt", "-days", "2",
        "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
        "-extfile", "openssl.cnf", "-extensions", role,
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
