"""/api/v1/keys: who may use the API. A key's text is in the answer that makes it, and nowhere else.

Only admins get here, and nobody makes a key that may do more than their own: with a key that has
scopes, the keys made have some of these.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from alerts.access.keys import NAME_LENGTH, ApiKey, KeyNameError, KeyReplacedError, Role, Scope
from api.access import Call, RequireRole, refuse
from api.description import API_PREFIX, answers
from api.incident_query import Time

router = APIRouter(prefix=f"{API_PREFIX}/keys", tags=["keys"])

Admin = Annotated[Call, RequireRole.of(Role.ADMIN, "keys")]
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", examples=["0123456789ab"])]

_MISSING: Final = answers({404: "No such key, or it works no more"})


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "firewall", "role": "viewer", "scopes": ["blocklist"]}]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
    role: Annotated[str, Field(pattern="^(viewer|analyst|admin)$")]
    scopes: list[Scope] = Field(default=[], max_length=20)
    expires_at: Time | None = None


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """A key without its secret; no `scopes`: all that the role may do."""

    id: str
    name: str
    role: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyAnswer":
        """Return what may be shown of a key."""
        return cls(
            key.id,
            key.name,
            key.role.label,
            key.scopes,
            key.created_at,
            key.expires_at,
            key.last_used_at,
            key.revoked_at,
            key.replaced_by,
        )


@dataclass(frozen=True, slots=True)
class MadeKey(KeyAnswer):
    """A key that was just made; `key` is its text, shown this once."""

    key: str = ""


@router.get("")
def list_all(call: Admin) -> list[KeyAnswer]:
    """List all keys, the oldest first, without their secrets."""
    call.services.audit.flush()  # when keys were used last
    return [KeyAnswer.of(key) for key in call.services.keys.list_keys()]


@router.post("", status_code=201, responses=answers({409: "It cannot be made so"}))
def create(call: Admin, body: NewKey) -> MadeKey:
    """Make a key. Its text is in this answer, and never shown again."""
    _check_within(call, body.scopes)
    now = call.now()
    if body.expires_at is not None and body.expires_at <= now:
        raise HTTPException(409, "expires_at is past")
    try:
        key, text = call.services.keys.create_key(
            body.name, Role[body.role.upper()], now, body.expires_at, body.scopes
        )
    except KeyNameError as error:
        raise HTTPException(409, str(error)) from error
    detail = {"name": key.name, "role": key.role.label, "scopes": list(key.scopes)}
    call.record(f"key {key.id}", detail)
    return _made(key, text.get_secret_value())


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    responses=_MISSING | answers({409: "It was replaced before; the answer says by which one"}),
)
def rotate(call: Admin, key_id: KeyId) -> MadeKey:
    """Make a key that replaces this one, which works for a day more."""
    _check_known(call, key_id)
    try:
        made = call.services.keys.rotate_key(key_id, call.now())
    except KeyReplacedError as error:
        raise HTTPException(409, str(error)) from error
    if made is None:
        raise HTTPException(404, f"there is no working key {key_id}")
    key, text = made
    call.record(f"key {key_id}", {"replaced_by": key.id})
    return _made(key, text.get_secret_value())


@router.delete("/{key_id}", status_code=204, responses=_MISSING)
def revoke(call: Admin, key_id: KeyId) -> None:
    """End a key at once, and the sessions that began with it."""
    _check_known(call, key_id)
    if not call.services.keys.revoke_key(key_id, call.now()):
        raise HTTPException(404, f"there is no working key {key_id}")
    call.record(f"key {key_id}")


def _check_known(call: Call, key_id: str) -> None:
    """Raise 403 for a key that may do more than the one that asks."""
    key = call.services.keys.find_key(key_id)
    if key is not None:
        _check_within(call, key.scopes)


def _check_within(call: Call, scopes: Collection[Scope]) -> None:
    """Raise 403 for scopes that the one that asks lacks; none are all."""
    own = call.caller.scopes
    if own and not (scopes and own.issuperset(scopes)):
        refuse(call.request, call.services, call.caller, 403)
        raise HTTPException(403, "the key that asks lacks scopes that this one has")


def _made(key: ApiKey, text: str) -> MadeKey:
    shown = KeyAnswer.of(key)
    return MadeKey(**{name: getattr(shown, name) for name in KeyAnswer.__slots__}, key=text)
