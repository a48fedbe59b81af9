"""/api/v1/blocklist: addresses to be blocked, as JSON, text and for nginx; and the kill switch."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from alerts.access.keys import Role
from alerts.blocking.blocklist import Block, Listing
from api.access import Call, RequireRole
from api.description import API_PREFIX

router = APIRouter(prefix=f"{API_PREFIX}/blocklist", tags=["blocklist"])

Viewer = Annotated[Call, RequireRole.of(Role.VIEWER, "blocklist")]
Admin = Annotated[Call, RequireRole.of(Role.ADMIN, "blocklist")]


@dataclass(frozen=True, slots=True)
class BlockListAnswer:
    """The list. In a `dry_run` the other forms are empty; `why_empty` says what keeps it so.

    `waiting` addresses come later, as only some are added in a minute.
    """

    dry_run: bool
    why_empty: str | None
    waiting: int
    blocks: tuple[Block, ...]


@router.get("")
def as_json(call: Viewer) -> BlockListAnswer:
    """Return the list with the reasons."""
    return _answer(call, _listing(call))


@router.get("/text", response_class=PlainTextResponse)
def as_text(call: Viewer) -> str:
    """Return one address or network a line."""
    return "".join(f"{block.address}\n" for block in published(call))


@router.get("/nginx", response_class=PlainTextResponse)
def as_nginx(call: Viewer) -> str:
    """Return a `deny` directive a line, for nginx's ngx_http_access_module."""
    return "".join(f"deny {block.address};\n" for block in published(call))


@router.post("/off")
def switch_off(call: Admin) -> BlockListAnswer:
    """Empty the list at once, until it is switched on again: the kill switch."""
    return _switched(call, off=True)


@router.post("/on")
def switch_on(call: Admin) -> BlockListAnswer:
    """Let the list fill again, as the settings say."""
    return _switched(call, off=False)


def published(call: Call) -> tuple[Block, ...]:
    """Return what others are asked to block now: nothing in a dry run."""
    listing = _listing(call)
    return () if call.services.blocklist.settings.dry_run else listing.blocks


def _listing(call: Call) -> Listing:
    return call.services.blocklist.listing(call.now())


def _answer(call: Call, listing: Listing) -> BlockListAnswer:
    dry_run = call.services.blocklist.settings.dry_run
    return BlockListAnswer(dry_run, listing.why_empty, listing.waiting, listing.blocks)


def _switched(call: Call, *, off: bool) -> BlockListAnswer:
    blocklist = call.services.blocklist
    blocklist.switch(off=off, by=call.caller.name, now=call.now())
    call.record("block list", {"switched": "off" if off else "on"})
    return _answer(call, blocklist.listing(call.now()))
