"""Bearer tokens of an OpenID Connect issuer: who they are about, and which role that has.

A token is a JWT signed with RS256 or ES256 by a key of the issuer. Keys are remembered: they are
asked for anew after FRESH, and when a token names one that is not known, though not more often
than every INTERVAL, whatever strangers send. While the issuer does not answer, those it had last
go on working for KEPT, and nobody who brings one of them waits.
"""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Any, Final

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from alerts.access.keys import NAME_LENGTH, Role
from alerts.storage.writing import PROGRAM
from api.oidc_issuer import SECONDS, IssuerError, fetch_keys
from api.oidc_keys import ALGORITHMS, VerifyingKey, find_key
from api.oidc_settings import OidcRoles, OidcSettings

#: Characters of a token, and of its header.
TOKEN_LIMIT: Final = 8_192
HEADER_LIMIT: Final = 1_024

#: How long keys are good for without asking, and while the issuer does not answer.
FRESH: Final = timedelta(minutes=10)
KEPT: Final = timedelta(hours=24)

#: The issuer is not asked more often.
INTERVAL: Final = timedelta(seconds=30)

#: Requests that wait for the issuer's answer at once; further ones are asked to come again. Half
#: of the API's threads at most: a slow issuer is not to stop those who come with a key.
WAITING: Final = 2

#: Threads that ask at once: those beyond the first are what an issuer without an end has taken.
_THREADS: Final = 3

#: Kinds of tokens (typ); without one it is taken for a JWT.
_KINDS: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})

_SUBJECT_LIMIT: Final = 255
_DOTS: Final = 2

_log: Final = structlog.get_logger(__name__)


class TokenError(Exception):
    """A token that is not accepted; the message says why, without anything of the token."""


class IssuerSilentError(Exception):
    """Nobody can say whether a token is good: there are no keys. Asking again later may help."""

    def __init__(self, seconds: int) -> None:
        super().__init__("the issuer of tokens does not answer")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token is about: an id of 16 characters, a name, and a role if the issuer gave one."""

    id: str
    name: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class _Held:
    keys: tuple[VerifyingKey, ...]
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class _Asking:
    at: datetime
    done: Event = field(default_factory=Event)


class KeyRing:
    """The keys of one issuer, as it last told them."""

    def __init__(self, fetch: Callable[[], tuple[VerifyingKey, ...]]) -> None:
        """`fetch` asks the issuer; it may raise IssuerError."""
        self._fetch = fetch
        self._held: _Held | None = None
        self._asking: _Asking | None = None
        self._lock = Lock()
        self._threads = BoundedSemaphore(_THREADS)
        self._waiting = BoundedSemaphore(WAITING)

    def find(self, name: str | None, algorithm: str, now: datetime) -> VerifyingKey:
        """Return the key that a token names. Raises TokenError and IssuerSilentError."""
        held = self._held
        key = None if held is None else find_key(held.keys, name, algorithm)
        if held is None or key is None or now - held.asked_at >= FRESH:
            held = self._renewed(now, known=held is not None and key is not None)
            key = None if held is None else find_key(held.keys, name, algorithm)
        if held is None or now - held.asked_at >= KEPT:
            raise IssuerSilentError(self._seconds(now))
        if key is None:
            raise TokenError("its key is none of the issuer's")
        return key

    def _renewed(self, now: datetime, *, known: bool) -> _Held | None:
        """Ask, unless that was done just now; wait a little for the answer.

        Who brings a `known` key does not wait while the issuer owes the answer to an earlier
        question: it is slow or silent then.
        """
        if known and self._owed(now):
            self._begin(now)
            return self._held
        asking = self._begin(now)
        if self._waiting.acquire(blocking=False):
            try:
                asking.done.wait(SECONDS)
            finally:
                self._waiting.release()
        return self._held

    def _owed(self, now: datetime) -> bool:
        """Whether the last question is unanswered, and the keys held may yet be used."""
        held, asking = self._held, self._asking
        return (
            held is not None
            and asking is not None
            and asking.at > held.asked_at
            and now - held.asked_at < KEPT
        )

    def _begin(self, now: datetime) -> _Asking:
        with self._lock:
            asking = self._asking
            if asking is not None and now - asking.at < INTERVAL:
                return asking
            if not self._threads.acquire(blocking=False):
                return asking or _Asking(now)
            asking = self._asking = _Asking(now)
        Thread(target=self._ask, args=(asking,), name="oidc", daemon=True).start()
        return asking

    def _ask(self, asking: _Asking) -> None:
        try:
            keys = self._fetch()
        except IssuerError as error:
            _log.warning("keys of the issuer are not renewed", reason=str(error))
        else:
            with self._lock:
                if self._held is None or self._held.asked_at <= asking.at:
                    self._held = _Held(keys, asking.at)
        finally:
            asking.done.set()
            self._threads.release()

    def _seconds(self, now: datetime) -> int:
        asking = self._asking
        left = INTERVAL if asking is None else asking.at + INTERVAL - now
        return max(ceil(left.total_seconds()), 1)


class TokenVerifier:
    """Tells who tokens are about."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._ring = KeyRing(lambda: fetch_keys(settings))

    def verify(self, token: str, now: datetime) -> Subject:
        """Return who a token is about.

        Raises TokenError for one that is not accepted, IssuerSilentError if nobody can say.
        """
        name, algorithm = _named_key(token)
        key = self._ring.find(name, algorithm, now)
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        registry.max_header_length = HEADER_LIMIT
        try:
            claims = jwt.decode(token, key.key, registry=registry).claims
            self._expected(now).validate(claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise TokenError(f"it does not hold ({type(error).__name__})") from error
        return self._subject(claims)

    def _expected(self, now: datetime) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=self._settings.leeway,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def _subject(self, claims: Mapping[str, Any]) -> Subject:
        subject: str = claims["sub"]
        if len(subject) > _SUBJECT_LIMIT:
            raise TokenError("its sub is too long")
        who = f"{self._settings.issuer}\n{subject}".encode(errors="backslashreplace")
        digest = hashlib.sha256(who).hexdigest()
        given = claims.get(self._settings.name_claim)
        name = _shown(given if isinstance(given, str) else "") or _shown(subject) or digest[:16]
        values = _values(claims, self._settings.roles_claim)
        return Subject(digest[:16], name, role_of(values, self._settings.roles))


def is_token(text: str) -> bool:
    """Whether a bearer credential is meant as a token: these have two dots, keys have none."""
    return text.count(".") == _DOTS


def role_of(values: frozenset[str], roles: OidcRoles) -> Role | None:
    """Return the highest role that values of the roles claim give."""
    for role, giving in (
        (Role.ADMIN, roles.admin),
        (Role.ANALYST, roles.analyst),
        (Role.VIEWER, roles.viewer),
    ):
        if not values.isdisjoint(giving):
            return role
    return None


def _named_key(token: str) -> tuple[str | None, str]:
    """Return the name of the key that a token says it is signed with, and the algorithm.

    Raises TokenError. Nothing is verified yet.
    """
    if len(token) > TOKEN_LIMIT or not token.isascii():
        raise TokenError("it is too long, or no token")
    text = token.partition(".")[0]
    if len(text) > HEADER_LIMIT:
        raise TokenError("its header is too long")
    try:
        header = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as error:
        raise TokenError("its header cannot be read") from error
    if not isinstance(header, dict) or "crit" in header:
        raise TokenError("its header asks for what is not understood")
    name, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    if algorithm not in ALGORITHMS:
        raise TokenError("its algorithm is neither RS256 nor ES256")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise TokenError("its typ is neither JWT nor at+jwt")
    if not (name is None or isinstance(name, str)):
        raise TokenError("its kid is no text")
    return name, str(algorithm)


def _values(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the values of a claim, of that name or inside of others: a list, or words."""
    found: object = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset({found, *found.split()})
    if isinstance(found, list):
        return frozenset(value for value in found if isinstance(value, str))
    return frozenset()


def _shown(text: str) -> str:
    """Return a name as timelines show it: printable, short, and not the program's own."""
    name = "".join(char for char in text if char.isprintable()).strip()[:NAME_LENGTH].strip()
    return f"{name} (oidc)" if name == PROGRAM else name
