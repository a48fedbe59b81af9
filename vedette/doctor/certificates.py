"""Certificates: whether one can be used now, and until when."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_STEPS: Final = 8

#: OpenSSL's numbers for what is wrong with a certificate (X509_V_ERR_...).
_NOT_YET: Final = 9
_EXPIRED: Final = 10


class CertificateError(Exception):
    """A certificate or key cannot be used; the message says why, without its content."""


def good_until(certificate: Path, key: Path) -> datetime:
    """Return when a certificate ends, by a handshake with ourselves in memory.

    Raises CertificateError for files that cannot be loaded, for a certificate that is over or
    has not begun, and OSError for files that cannot be read.
    """
    for file in (certificate, key):
        file.open("rb").close()  # the error of this names the file
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # itself is trusted enough
    try:
        server.load_cert_chain(certificate, key, password=lambda: "")
        client.load_verify_locations(certificate)
        found = _presented(server, client)
    except ssl.SSLCertVerificationError as error:
        words = {_NOT_YET: "it is not good yet", _EXPIRED: "it has expired"}
        raise CertificateError(words.get(error.verify_code, error.verify_message)) from error
    except ssl.SSLError as error:
        raise CertificateError(f"it does not fit its key, or is no PEM ({error.reason})") from error
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(found), UTC)


def _presented(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Return when the certificate ends that the server shows."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_side=False)
    theirs = server.wrap_bio(there, back, server_side=True)
    done = set()
    for _ in range(_STEPS):
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
        if len(done) == 2:  # noqa: PLR2004 - both sides
            break
    shown = ours.getpeercert() or {}
    return str(shown.get("notAfter"))
