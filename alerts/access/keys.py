"""API keys: made here, shown once, kept only as a keyed digest."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, RowMapping, bindparam, insert, or_, select, update

from alerts.access.secret import SECRET_BYTES, server_secret
from alerts.database.models import ApiKeyRow, table_of
from alerts.database.opening import for_one_statement, for_writing
from alerts.storage.writing import PROGRAM

#: Parts of the API that a key may be limited to.
Scope = Literal[
    "incidents",
    "entities",
    "detectors",
    "silences",
    "deliveries",
    "traffic",
    "gaps",
    "endpoints",
    "blocklist",
    "audit",
    "keys",
    "metrics",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

#: Characters of a key's name.
NAME_LENGTH: Final = 64

#: How long the key that a rotated one replaces goes on working.
OVERLAP: Final = timedelta(hours=24)

#: How often the last use of a key is written down.
USE_INTERVAL: Final = timedelta(minutes=1)

#: Characters of a whole key text; a longer one is not looked at.
_TEXT_LIMIT: Final = 128

_KEYS: Final = table_of(ApiKeyRow)

#: Made once: every request asks it, and making it takes longer than asking.
_BY_ID: Final = select(_KEYS).where(_KEYS.c.id == bindparam("identity"))

#: Calls what writes something that need not be written at once; by a name that it replaces.
Later = Callable[[str, Callable[[], None]], None]


def at_once(_name: str, write: Callable[[], None]) -> None:
    """Write it."""
    write()


class KeyNameError(ValueError):
    """A key cannot have such a name; the message says which it can."""


class KeyReplacedError(ValueError):
    """A key was replaced before; the message says by which one."""


class Role(IntEnum):
    """What a key holder may do; each role may do what those before it may."""

    VIEWER = 1
    ANALYST = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The role's name in settings and answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Without `scopes` it is for all that its role may do."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    scopes: tuple[Scope, ...] = ()
    replaced_by: str | None = None

    def works(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        expired = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not expired


class KeyStore:
    """The API keys of one database under one server secret."""

    def __init__(self, engine: Engine, secret_path: Path) -> None:
        """Read the server's secret, or make it (0600). Raises SecretError."""
        self._engine = for_writing(engine)
        self._reading = for_one_statement(engine)
        self._secret = server_secret(secret_path)

    def create_key(
        self,
        name: str,
        role: Role,
        now: datetime,
        expires_at: datetime | None = None,
        scopes: Iterable[Scope] = (),
    ) -> tuple[ApiKey, SecretStr]:
        """Make a key; the text returned beside it is never shown again. Raises KeyNameError."""
        key = ApiKey(
            secrets.token_hex(6),
            _checked(name),
            role,
            now,
            expires_at,
            scopes=tuple(dict.fromkeys(scopes)),
        )
        with self._engine.begin() as connection:
            return key, self._insert(connection, key)

    def rotate_key(
        self, identity: str, now: datetime, overlap: timedelta = OVERLAP
    ) -> tuple[ApiKey, SecretStr] | None:
        """Make a key that replaces another, which ends after `overlap`: till then both work.

        It has the other's name, role, scopes and length of life. None if the other does not work.
        Raises KeyReplacedError of one that was replaced before: its own end is no length of life.
        """
        with self._engine.begin() as connection:
            row = connection.execute(_BY_ID, {"identity": identity}).mappings().first()
            old = None if row is None else _key(row)
            if old is None or not old.works(now):
                return None
            if old.replaced_by is not None:
                raise KeyReplacedError(
                    f"key {old.id} was replaced by {old.replaced_by} before; rotate that one"
                )
            key = _successor(old, now)
            ends = min(now + overlap, old.expires_at or now + overlap)
            connection.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == old.id)
                .values(expires_at=ends, replaced_by=key.id)
            )
            return key, self._insert(connection, key)

    def find_key(self, identity: str) -> ApiKey | None:
        """Return a key by its id, whether it works or not."""
        row = self._row(identity)
        return None if row is None else _key(row)

    def verify_key(self, text: str, now: datetime, later: Later = at_once) -> ApiKey | None:
        """Return the key that the text is, unless it is unknown, expired or revoked.

        Takes as long for a wrong secret as for a right one. `later` is given a name, and what
        writes down that the key was used.
        """
        identity, secret = _parts(text)
        row = self._row(identity)
        stored = row["mac"] if row is not None else bytes(hashlib.sha256().digest_size)
        right = hmac.compare_digest(stored, self._mac(identity, secret))
        if row is None or not right:
            return None
        key = _key(row)
        if not key.works(now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= USE_INTERVAL:
            later(f"key {key.id}", partial(self._note_use, key.id, now))
        return key

    def revoke_key(self, identity: str, now: datetime) -> bool:
        """End a key at once; false if there is none that still works."""
        statement = (
            update(ApiKeyRow)
            .where(ApiKeyRow.id == identity, ApiKeyRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def list_keys(self) -> list[ApiKey]:
        """Return all keys, the oldest first."""
        query = select(_KEYS).order_by(_KEYS.c.created_at, _KEYS.c.id)
        with self._reading.connect() as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

    def _insert(self, connection: Connection, key: ApiKey) -> SecretStr:
        """Store a key; return its text, which is kept nowhere."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        values = {
            "id": key.id,
            "name": key.name,
            "role": key.role.label,
            "mac": self._mac(key.id, secret),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "scopes": list(key.scopes),
        }
        connection.execute(insert(ApiKeyRow).values(values))
        return SecretStr(f"vdt_{key.id}_{secret}")

    def _row(self, identity: str) -> RowMapping | None:
        with self._reading.connect() as connection:
            return connection.execute(_BY_ID, {"identity": identity}).mappings().first()

    def _note_use(self, identity: str, now: datetime) -> None:
        statement = (
            update(ApiKeyRow)
            .where(
                ApiKeyRow.id == identity,
                or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at <= now - USE_INTERVAL),
            )
            .values(last_used_at=now)
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _mac(self, identity: str, secret: str) -> bytes:
        message = f"{identity}:{secret}".encode()
        return hmac.digest(self._secret, message, "sha256")


def known_scopes(stored: Collection[str]) -> tuple[Scope, ...]:
    """Return those that there are of stored scopes."""
    return tuple(scope for scope in SCOPES if scope in stored)


def _parts(text: str) -> tuple[str, str]:
    parts = text.split("_", 2) if len(text) <= _TEXT_LIMIT and text.isascii() else []
    if len(parts) != 3 or parts[0] != "vdt":  # noqa: PLR2004 - prefix, id, secret
        return "", ""
    return parts[1], parts[2]


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        role=Role[row["role"].upper()],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        scopes=known_scopes(row["scopes"]),
        replaced_by=row["replaced_by"],
    )


def _successor(old: ApiKey, now: datetime) -> ApiKey:
    until = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    return replace(
        old, id=secrets.token_hex(6), created_at=now, expires_at=until, last_used_at=None
    )


def _checked(name: str) -> str:
    name = name.strip()
    if not (name.isprintable() and 0 < len(name) <= NAME_LENGTH) or name == PROGRAM:
        raise KeyNameError(
            f"a key's name has 1 to {NAME_LENGTH} printable characters and is not {PROGRAM!r}:"
            " the timeline shows it as who did something"
        )
    return name
