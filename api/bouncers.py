"""/v1/decisions: the block list as CrowdSec's bouncers ask for it (its LAPI, version 1).

A bouncer has a key with the scope `blocklist`, sent as X-Api-Key. It asks for an address
(`?ip=`), or keeps a copy: all with `startup=true`, then what came and left since it last asked.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.access.keys import Role
from alerts.blocking.blocklist import REMEMBERED, Block
from api.access import Call, RequireRole
from api.blocklist import published

router = APIRouter(prefix="/v1/decisions", tags=["blocklist"])

Bouncer = Annotated[Call, RequireRole.of(Role.VIEWER, "blocklist")]
Text = Annotated[str, Field(max_length=128)]

ORIGIN: Final = "vedette"


@dataclass(frozen=True, slots=True)
class Decision:
    """A ban, in CrowdSec's words: `scope` is Ip or Range, `duration` a Go duration from now."""

    id: int
    origin: str
    type: str
    scope: str
    value: str
    duration: str
    scenario: str

    @classmethod
    def of(cls, block: Block, now: datetime) -> "Decision":
        """Return a block as a decision."""
        scope = "Range" if "/" in block.address else "Ip"
        left = block.until - now if block.removed_at is None else timedelta(seconds=-1)
        return cls(
            block.id,
            ORIGIN,
            "ban",
            scope,
            block.address,
            go_duration(left),
            f"vedette/{block.detector}",
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """What came and what left since a bouncer last asked; null for nothing, as CrowdSec has it."""

    new: tuple[Decision, ...] | None
    deleted: tuple[Decision, ...] | None


class DecisionQuery(BaseModel):
    """Which decisions a bouncer asks for: about an address, a network, of a scope, value, type."""

    ip: Text | None = None
    range: Text | None = None
    scope: Text | None = None
    value: Text | None = None
    type: Text | None = None

    def asks_for(self, decision: Decision) -> bool:
        """Whether a decision is one of those asked for."""
        about = self.ip or self.range
        return (
            (about is None or _covers(decision.value, about))
            and self.scope in {None, decision.scope, decision.scope.lower()}
            and self.value in {None, decision.value}
            and self.type in {None, decision.type}
        )


@router.get("")
def decisions(call: Bouncer, query: Annotated[DecisionQuery, Query()]) -> list[Decision] | None:
    """Return the decisions about an address or network, or all; null if there is none."""
    now = call.now()
    found = [Decision.of(block, now) for block in published(call)]
    return [each for each in found if query.asks_for(each)] or None


class StreamQuery(BaseModel):
    """Which decisions a bouncer keeps a copy of; several values are parted by commas."""

    startup: bool = False
    scopes: Text = "ip,range"
    origins: Text | None = None
    scenarios_containing: Text | None = None
    scenarios_not_containing: Text | None = None

    def asks_for(self, decision: Decision) -> bool:
        """Whether a decision is one of those asked for."""
        wanted, unwanted = (
            _listed(self.scenarios_containing),
            _listed(self.scenarios_not_containing),
        )
        return (
            decision.scope.lower() in _listed(self.scopes.lower())
            and (self.origins is None or decision.origin in _listed(self.origins))
            and (not wanted or any(word in decision.scenario for word in wanted))
            and not any(word in decision.scenario for word in unwanted)
        )


@router.get("/stream")
def stream(call: Bouncer, query: Annotated[StreamQuery, Query()]) -> Stream:
    """Return all with `startup`, else what came and left since this key last asked."""
    now = call.now()
    pulls = call.services.pulls
    since = None if query.startup else pulls.get(call.caller.id)
    listed = published(call)
    pulls[call.caller.id] = now
    if call.services.blocklist.settings.dry_run:
        return Stream(None, None)
    _, left = call.services.blocklist.changes(now - REMEMBERED if since is None else since)
    came = [block for block in listed if since is None or block.since > since]
    return Stream(_decisions(came, now, query), _decisions(left, now, query))


def go_duration(length: timedelta) -> str:
    """Return a length of time as Go writes it: 3h59m0s."""
    seconds = int(length.total_seconds())
    if seconds < 0:
        return f"-{-seconds}s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}h{minutes % 60}m{rest}s"


def _decisions(
    blocks: Iterable[Block], now: datetime, query: StreamQuery
) -> tuple[Decision, ...] | None:
    found = (Decision.of(block, now) for block in blocks)
    return tuple(each for each in found if query.asks_for(each)) or None


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [word for word in text.split(",") if word]


def _covers(value: str, wanted: str) -> bool:
    try:
        network, asked = ipaddress.ip_network(value), ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
    return network.version == asked.version and asked.subnet_of(network)  # type: ignore[arg-type]
