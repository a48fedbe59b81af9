"""Asks an OpenID Connect issuer for its keys: its document, then the key set that this names.

Only the address of the settings is asked, and the one in its own document. No redirect is
followed, an answer is cut off at ANSWER_LIMIT bytes, both together at SECONDS, and nothing is
sent but the question. The environment's proxy is used, but not for an issuer on this machine.
"""

import json
from time import monotonic
from typing import Any, Final

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from api.oidc_keys import VerifyingKey, verifying_keys
from api.oidc_settings import OidcSettings, address_problem

#: Where an issuer says where its keys are; https://openid.net/specs/openid-connect-discovery-1_0.html
DOCUMENT: Final = "/.well-known/openid-configuration"

#: Bytes of an answer.
ANSWER_LIMIT: Final = 262_144

#: Seconds that both answers may take, and that nothing may come.
SECONDS: Final = 4.0
_SILENCE: Final = 3.0

_PIECE: Final = 16_384
_OK: Final = 200


class IssuerError(Exception):
    """The issuer cannot be asked, or not be believed; the message says why, without its words."""


def fetch_keys(settings: OidcSettings, seconds: float = SECONDS) -> tuple[VerifyingKey, ...]:
    """Return the issuer's keys that tokens may be verified with, at least one.

    Raises IssuerError.
    """
    until = monotonic() + seconds
    with requests.Session() as session:
        session.auth = _Nobody()
        session.trust_env = not settings.plain
        document = _json(session, settings.issuer.rstrip("/") + DOCUMENT, until)
        if document.get("issuer") != settings.issuer:
            raise IssuerError("its document names another issuer than api.oidc.issuer")
        place = document.get("jwks_uri")
        if not isinstance(place, str):
            raise IssuerError("its document has no jwks_uri")
        problem = address_problem(place, plain=settings.plain)
        if problem is not None:
            raise IssuerError(f"jwks_uri {problem}")
        listed = _json(session, place, until).get("keys")
    keys = verifying_keys(listed if isinstance(listed, list) else ())
    if not keys:
        raise IssuerError("it has no key for RS256 or ES256")
    return keys


class _Nobody(AuthBase):
    """Sends no password, also if some file of the machine has one for the host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _json(session: requests.Session, address: str, until: float) -> dict[str, Any]:
    try:
        text = _answer(session, address, until)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise IssuerError(f"it cannot be asked ({type(error).__name__})") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IssuerError("its answer is not JSON") from error
    if not isinstance(found, dict):
        raise IssuerError("its answer is no JSON object")
    return found


def _answer(session: requests.Session, address: str, until: float) -> bytes:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    silence = max(min(_SILENCE, until - monotonic()), 0.01)
    with session.get(
        address, headers=headers, timeout=silence, allow_redirects=False, stream=True
    ) as answer:
        if answer.status_code != _OK:
            raise IssuerError(f"it answers {answer.status_code}")
        text = b""
        # read1 returns what is there: read would wait for a whole piece, however slowly it comes.
        while piece := answer.raw.read1(_PIECE):
            text += piece
            if len(text) > ANSWER_LIMIT:
                raise IssuerError(f"its answer is longer than {ANSWER_LIMIT} bytes")
            if monotonic() > until:
                raise IssuerError("its answer takes too long")
        return text
