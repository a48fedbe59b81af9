"""Whose tokens the API takes beside its own keys, as the settings say."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from api.hosts import is_loopback

#: Seconds by which clocks may differ, at most.
LEEWAY_LIMIT: Final = 60

Text = Annotated[str, Field(min_length=1, max_length=512)]


class OidcRoles(BaseModel):
    """Which values of the roles claim give which role; somebody with several has the highest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    viewer: tuple[Text, ...] = Field(default=(), description="values that let people read")
    analyst: tuple[Text, ...] = Field(default=(), description="and change incidents")
    admin: tuple[Text, ...] = Field(default=(), description="and manage keys, and see the audit")

    @model_validator(mode="after")
    def _name_somebody(self) -> "OidcRoles":
        if not (self.viewer or self.analyst or self.admin):
            raise ValueError("no value of the claim gives a role; name some in viewer or above")
        return self


class OidcSettings(BaseModel):
    """An OpenID Connect issuer, and what its tokens must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Text = Field(description="its address, exactly as in its tokens (iss)")
    audience: Text = Field(description="whom its tokens must be for (aud)")
    roles: OidcRoles = Field(description="which values of the roles claim give which role")
    roles_claim: Text = Field(
        default="roles", description="where the values are; realm_access.roles: inside of another"
    )
    name_claim: Text = Field(
        default="preferred_username", description="the name in timelines; without it, sub"
    )
    leeway: int = Field(
        default=30, ge=0, le=LEEWAY_LIMIT, description="seconds by which clocks may differ"
    )

    @field_validator("issuer")
    @classmethod
    def _can_be_trusted(cls, issuer: str) -> str:
        problem = address_problem(issuer, plain=True)
        if problem is not None:
            raise ValueError(problem)
        return issuer

    @property
    def plain(self) -> bool:
        """Whether the issuer is on this machine, and so may be asked without TLS."""
        return urlsplit(self.issuer).scheme == "http"


def address_problem(address: str, *, plain: bool) -> str | None:
    """Say why keys cannot be taken from an address; None if they can.

    With `plain`, http:// does if only this machine can reach it.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in {"https", "http"} or not host:
        return "must be an https:// address"
    if parts.scheme == "http" and not (plain and is_loopback(host)):
        return "must be an https:// address: over http:// anybody on the way could make tokens"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "must be an address without user, query and fragment"
    return None
