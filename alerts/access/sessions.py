"""Sessions of the page, and the single-use codes that begin them; stored are only digests.

A code is 256 random bits, valid for some minutes, and works once: whoever sees it later, in a
history or over a shoulder, has nothing. It is bound to the key that it was made with, so that a
session ends when its key does. A session has a token, which is the cookie, and a token against
forged requests, derived from it under the server's secret.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from alerts.access.keys import Later, Role, Scope, at_once, known_scopes
from alerts.access.secret import SECRET_BYTES, server_secret
from alerts.database.models import ApiKeyRow, LoginCodeRow, SessionRow, table_of
from alerts.database.opening import for_one_statement, for_writing

#: How long a code may wait.
CODE_LIFE: Final = timedelta(minutes=10)

#: How long a session lasts at most, and without a request.
SESSION_LIFE: Final = timedelta(hours=12)
IDLE_LIFE: Final = timedelta(hours=2)

#: Codes and sessions that there may be at once; the oldest go first.
CODES: Final = 100
SESSIONS: Final = 1_000

#: How often the last use of a session is written down.
USE_INTERVAL: Final = timedelta(minutes=1)

_TOKEN_LIMIT: Final = 128

_CODES: Final = table_of(LoginCodeRow)
_SESSIONS: Final = table_of(SessionRow)
_KEYS: Final = table_of(ApiKeyRow)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the page: whose name, role and scopes, and the token that forms must bring."""

    id: str
    name: str
    role: Role
    csrf: str
    expires_at: datetime
    scopes: tuple[Scope, ...] = ()


class SessionStore:
    """The sessions of one database under one server secret."""

    def __init__(self, engine: Engine, secret_path: Path) -> None:
        """Read the server's secret, or make it (0600). Raises SecretError."""
        self._reading = for_one_statement(engine)
        self._engine = for_writing(engine)
        self._secret = server_secret(secret_path)

    def create_code(self, key_id: str, now: datetime) -> SecretStr:
        """Make a code that begins one session in the name of a key; shown once."""
        code = secrets.token_urlsafe(SECRET_BYTES)
        values = {"mac": self._mac("code", code), "key_id": key_id, "expires_at": now + CODE_LIFE}
        with self._engine.begin() as connection:
            connection.execute(delete(_CODES).where(_CODES.c.expires_at <= now))
            _keep_newest(connection, _CODES, CODES)
            connection.execute(insert(LoginCodeRow).values(values))
        return SecretStr(code)

    def begin(self, code: str, now: datetime) -> tuple[Session, SecretStr] | None:
        """Use up a code; return the session and its token, None if the code does not work."""
        if len(code) > _TOKEN_LIMIT:
            return None
        token = secrets.token_urlsafe(SECRET_BYTES)
        with self._engine.begin() as connection:
            used = connection.execute(
                delete(_CODES)
                .where(_CODES.c.mac == self._mac("code", code), _CODES.c.expires_at > now)
                .returning(_CODES.c.key_id)
            ).scalar()
            if used is None:
                return None
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_at <= now))
            _keep_newest(connection, _SESSIONS, SESSIONS)
            connection.execute(
                insert(SessionRow).values(
                    id=secrets.token_hex(6),
                    mac=self._mac("session", token),
                    key_id=used,
                    created_at=now,
                    expires_at=now + SESSION_LIFE,
                    last_used_at=now,
                )
            )
        session = self.find(token, now)
        return None if session is None else (session, SecretStr(token))

    def find(self, token: str, now: datetime, later: Later = at_once) -> Session | None:
        """Return the session that a cookie is; None if it is over, or its key is.

        `later` is given a name, and what writes down that the session was used.
        """
        if not token or len(token) > _TOKEN_LIMIT or not token.isascii():
            return None
        query = (
            select(_SESSIONS, _KEYS.c.name, _KEYS.c.role, _KEYS.c.scopes)
            .join_from(_SESSIONS, _KEYS, _KEYS.c.id == _SESSIONS.c.key_id)
            .where(
                _SESSIONS.c.mac == self._mac("session", token),
                _SESSIONS.c.expires_at > now,
                _SESSIONS.c.last_used_at > now - IDLE_LIFE,
                _KEYS.c.revoked_at.is_(None),
                _KEYS.c.expires_at.is_(None) | (_KEYS.c.expires_at > now),
            )
        )
        with self._reading.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        if now - row["last_used_at"] >= USE_INTERVAL:
            later(f"session {row['id']}", partial(self._note_use, row["id"], now))
        csrf = self._mac("csrf", token).hex()
        role = Role[row["role"].upper()]
        scopes = known_scopes(row["scopes"])
        return Session(row["id"], row["name"], role, csrf, row["expires_at"], scopes)

    def end(self, identity: str) -> None:
        """End a session at once."""
        with self._engine.begin() as connection:
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.id == identity))

    def _note_use(self, identity: str, now: datetime) -> None:
        statement = update(SessionRow).where(SessionRow.id == identity).values(last_used_at=now)
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _mac(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}:{text}".encode(), "sha256")


def _keep_newest(connection: Connection, table: Table, most: int) -> None:
    """Delete the rows that end first, so that there is room for one more."""
    count = connection.execute(select(func.count()).select_from(table)).scalar_one()
    if count >= most:
        eldest = select(table.c.mac).order_by(table.c.expires_at).limit(count - most + 1)
        connection.execute(delete(table).where(table.c.mac.in_(eldest)))
