"""API keys: made here, shown once, kept only as a keyed digest."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Engine, RowMapping, insert, or_, select, update

from alerts.database import for_writing
from alerts.models import ApiKeyRow, table_of
from alerts.secret import SECRET_BYTES, server_secret

#: How often the last use of a key is written down.
USE_INTERVAL: Final = timedelta(minutes=1)

#: Characters of a whole key text; a longer one is not looked at.
_TEXT_LIMIT: Final = 128


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
    """A key without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class KeyStore:
    """The API keys of one database under one server secret."""

    def __init__(self, engine: Engine, secret_path: Path) -> None:
        """Read the server's secret, or make it (0600). Raises SecretError."""
        self._engine = for_writing(engine)
        self._reading = engine
        self._secret = server_secret(secret_path)

    def create_key(
        self,
        name: str,
        role: Role,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, SecretStr]:
        """Make a key; the text returned beside it is never shown again."""
        key = ApiKey(secrets.token_hex(6), name, role, now, expires_at)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        values = {
            "id": key.id,
            "name": name,
            "role": role.label,
            "mac": self._mac(key.id, secret),
            "created_at": now,
            "expires_at": expires_at,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(ApiKeyRow).values(values))
        return key, SecretStr(f"vdt_{key.id}_{secret}")

    def verify_key(self, text: str, now: datetime) -> ApiKey | None:
        """Return the key that the text is, unless it is unknown, expired or revoked.

        Takes as long for a wrong secret as for a right one.
        """
        identity, secret = _parts(text)
        table = table_of(ApiKeyRow)
        with self._reading.connect() as connection:
            row = connection.execute(select(table).where(table.c.id == identity)).mappings().first()
        stored = row["mac"] if row is not None else bytes(hashlib.sha256().digest_size)
        right = hmac.compare_digest(stored, self._mac(identity, secret))
        if row is None or not right:
            return None
        key = _key(row)
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= USE_INTERVAL:
            self._note_use(key.id, now)
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
        table = table_of(ApiKeyRow)
        query = select(table).order_by(table.c.created_at, table.c.id)
        with self._reading.connect() as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

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
    )
