"""What a user changes about a rule in the settings, without copying the rule."""

import re
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from detectors.addresses import in_network
from detectors.documents import LevelName
from detectors.findings import Mode


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _hashed(key: str) -> str:
    """Refuse an API key in plain: events have only the hash, so it would never agree."""
    if re.fullmatch("key-[0-9a-f]{16}", key) is None:
        raise ValueError("must be the key as incidents show it: key- and 16 hexadecimal digits")
    return key


ApiKeyHash = Annotated[str, AfterValidator(_hashed)]


class RuleException(BaseModel):
    """Events that a rule shall not count: all the fields that are given must agree.

    `until` is compared with the time of the event, so that a replay gives the same answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    client: str | None = None
    user: str | None = None
    api_key: ApiKeyHash | None = Field(default=None, description="pseudonym, as incidents show it")
    path: str | None = Field(default=None, description="whole path, or with a trailing * its start")
    route: str | None = Field(
        default=None, description="as incidents show it, or with a trailing * its start"
    )
    service: str | None = Field(default=None, description="service, or with a trailing * its start")
    source: str | None = Field(default=None, description="partition, or with a trailing *")
    network: IPv4Network | IPv6Network | None = None
    until: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _names_something(self) -> "RuleException":
        if not self.names:
            raise ValueError(
                "an exception must name a client, user, api_key, path, route, service, network or"
                " source"
            )
        return self

    @property
    def names(self) -> frozenset[str]:
        """The fields that are given, of those that say what is excepted."""
        fields = type(self).model_fields.keys() - {"until", "why"}
        return frozenset(field for field in fields if getattr(self, field))

    def expression(self) -> pl.Expr:
        """Return the Boolean expression of the events that are excepted, without nulls."""
        parts: list[pl.Expr] = []
        if self.client is not None:
            parts.append(pl.col("client_ip").eq(self.client))
        if self.user is not None:
            parts.append(pl.col("user").eq(self.user))
        if self.api_key is not None:
            parts.append(pl.col("api_key").eq(self.api_key))
        if self.path is not None:
            parts.append(_named("path", self.path) & ~_leaves(self.path))
        if self.route is not None:
            parts.append(_named("route", self.route))
        if self.service is not None:
            parts.append(_named("service", self.service))
        if self.source is not None:
            parts.append(_named("partition", self.source))
        if self.network is not None:
            parts.append(in_network(pl.col("client_ip"), self.network))
        if self.until is not None:
            parts.append(pl.col("timestamp").lt(self.until))
        return pl.all_horizontal(parts).fill_null(value=False)


def _leaves(path: str) -> pl.Expr:
    """Whether a path that begins like another may lead elsewhere: /files/../etc/passwd."""
    steps = pl.col("path").str.contains_any(["..", "%2e"], ascii_case_insensitive=True)
    return steps if path.endswith("*") else pl.lit(value=False)


def _named(column: str, name: str) -> pl.Expr:
    """Return whether a column has a value, or with a trailing * begins with it."""
    prefix = name.removesuffix("*")
    return pl.col(column).eq(name) if prefix == name else pl.col(column).str.starts_with(prefix)


class RuleOverride(BaseModel):
    """Settings of one rule, under [detectors.<name>]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    threshold: int | None = Field(default=None, ge=1)
    level: LevelName | None = None
    mode: Mode = "alert"
    exceptions: tuple[RuleException, ...] = ()
