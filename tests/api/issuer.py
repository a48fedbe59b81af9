"""An OpenID Connect issuer on loopback, with real keys, that can do whatever a bad one would."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final, Literal

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from api.oidc_issuer import ANSWER_LIMIT, DOCUMENT
from api.oidc_settings import OidcSettings
from tests.api.calls import NOW

KEYS: Final = "/keys"
AUDIENCE: Final = "vedette"
ROLES: Final = {"viewer": ("readers",), "analyst": ("soc", "on-call"), "admin": ("soc-leads",)}

Behaviour = Literal["well", "redirect", "giant", "slow", "broken"]


@cache
def rsa(name: str, bits: int = 2_048) -> RSAKey:
    """A key by its name, made once for all tests."""
    return RSAKey.generate_key(bits, {"kid": name})


@cache
def ec(name: str, curve: str = "P-256") -> ECKey:
    return ECKey.generate_key(curve, {"kid": name})


def public(key: RSAKey | ECKey, **more: Any) -> dict[str, Any]:
    """What an issuer publishes of a key."""
    return {**key.as_dict(private=False), **more}


@dataclass
class Issuer:
    """`keys` is what it publishes, `asked` the paths that it was asked for."""

    address: str
    keys: list[Any] = field(default_factory=lambda: [public(rsa("one")), public(ec("two"))])
    behaviour: Behaviour = "well"
    document: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    @property
    def settings(self) -> OidcSettings:
        return OidcSettings.model_validate(
            {"issuer": self.address, "audience": AUDIENCE, "roles": ROLES}
        )

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Claims that are accepted; None takes one out."""
        now = int(NOW.timestamp())
        claims = {
            "iss": self.address,
            "aud": [AUDIENCE, "others"],
            "sub": "248289761001",
            "iat": now - 5,
            "nbf": now - 5,
            "exp": now + 300,
            "preferred_username": "mia",
            "roles": ["soc", "everybody"],
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        key: RSAKey | ECKey | None = None,
        header: dict[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        """A token signed by a key of the issuer, or by another."""
        key = key or rsa("one")
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        given = {"typ": "JWT", "alg": algorithm, "kid": key.kid, **(header or {})}
        head = {name: value for name, value in given.items() if value is not None}
        payload = json.dumps(self.claims(**changed)).encode()
        return jws.serialize_compact(head, payload, key, algorithms=[head["alg"]])

    def begin_again(self) -> None:
        """Be as at the start; whoever still waits for an answer gets it."""
        self.ended.set()
        vars(self).update(vars(Issuer(self.address)))

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == KEYS:
            return {"keys": self.keys}
        if path == DOCUMENT:
            return {"issuer": self.address, "jwks_uri": self.address + KEYS, **self.document}
        return None


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Run an issuer until the block ends."""
    issuer = Issuer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            _answer(self, issuer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, issuer: Issuer) -> None:
    content = issuer.answer(handler.path)
    if issuer.behaviour == "redirect":
        handler.send_response(302)
        handler.send_header("Location", f"{issuer.address}/elsewhere")
        handler.end_headers()
        return
    if content is None or issuer.behaviour == "broken":
        handler.send_error(500)
        return
    handler.send_response(200)
    handler.end_headers()
    try:
        ended = issuer.ended
        if issuer.behaviour == "slow":
            while not ended.wait(0.02):
                handler.wfile.write(b" ")
        if issuer.behaviour == "giant":
            handler.wfile.write(b" " * (2 * ANSWER_LIMIT))
        handler.wfile.write(json.dumps(content).encode())
    except OSError:
        handler.close_connection = True  # it hung up, as it should
