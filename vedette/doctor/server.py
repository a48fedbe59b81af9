"""The API: may it be where it is wanted, is its port free or ours, is its certificate good."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from api.hosts import is_loopback
from vedette.doctor.certificates import CertificateError, good_until
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

SECONDS: Final = 2.0

#: A certificate that ends sooner than this should be renewed.
SOON: Final = timedelta(days=21)

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what settings may say


def check_api(at: Surroundings) -> Iterator[Remark]:
    """Look at the address of the API, at who answers there, and at its certificate."""
    api = at.settings.api
    if not api.enabled:
        yield skipped("switched off by api.enabled")
        return
    if not (api.tls or api.behind_proxy or is_loopback(api.host)):
        yield fail(
            f"{api.host} can be reached from other machines, and there is no TLS",
            "set api.tls, or api.behind_proxy = true if a proxy ends TLS",
        )
    if api.tls is not None:
        yield _certificate(api.tls.certificate, api.tls.key, at)
    if api.port == 0:
        yield ok("takes any free port")
    else:
        yield _port(api.host, api.port, tls=api.tls is not None)


def _certificate(certificate: Path, key: Path, at: Surroundings) -> Remark:
    try:
        end = good_until(certificate, key)
    except CertificateError as error:
        return fail(f"{certificate}: {error}", "renew it, and give its key and chain (PEM)")
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}", "let the user of this program read it")
    seen = f"{certificate}: good until {end:%Y-%m-%d}"
    return warn(seen, "renew it soon") if end - at.now < SOON else ok(seen)


def _port(host: str, port: int, *, tls: bool) -> Remark:
    place = f"{host} port {port}"
    try:
        socket.create_connection((_ANYWHERE.get(host, host), port), SECONDS).close()
    except OSError:
        return _free(host, port, place)
    if _is_ours(_ANYWHERE.get(host, host), port, tls=tls):
        return ok(f"{place}: a Vedette answers")
    return fail(f"{place}: another program answers there", "choose another api.port, or stop it")


def _free(host: str, port: int, place: str) -> Remark:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        return fail(f"{place}: {error.strerror}", "choose another api.host or api.port")
    return ok(f"{place}: free; the service is not running here")


def _is_ours(host: str, port: int, *, tls: bool) -> bool:
    """Whether /healthz answers as ours does; what it is sent holds nothing secret."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # who answers is asked, and told nothing
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse().read(1_000)
        return bool(json.loads(answer) == {"status": "alive"})
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
