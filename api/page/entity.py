"""/entities/{type}?entity=: one client, user or route: what it did, and what is done about it."""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from alerts.blocking.blocklist import Block, Listing
from alerts.incidents.views import EXAMPLE, IncidentView
from alerts.lists.entities import Entity, entity_of
from alerts.muting.silences import Silence, list_silences
from api.access import Call
from api.page.access import PageViewer, is_fragment
from api.page.faults import PageRoute
from api.page.rendering import render
from detectors.findings import EntityType

router = APIRouter(include_in_schema=False, route_class=PageRoute)

#: What may be on the block list.
_ADDRESSES = ("client", "network")


@router.get("/entities/{entity_type}")
def show(
    call: Annotated[Call, Depends(PageViewer("entities"))],
    entity_type: EntityType,
    entity: Annotated[str, Query(min_length=1, max_length=512)],
) -> Response:
    """Show an entity, also one that no incident is about.

    Its name is no part of the path: browsers take `..` out of one, however it is written.
    """
    known = entity_of(call.engine, entity_type, entity)
    blockable = entity_type in _ADDRESSES and call.caller.may("blocklist")
    listing = call.services.blocklist.listing(call.now()) if blockable else None
    return render(
        call,
        "_entity.html" if is_fragment(call.request) else "entity.html",
        entity_type=entity_type,
        name=entity,
        known=known,
        silences=_silencing(call, entity_type, entity, known),
        blocks=None if listing is None else _about(listing.blocks, entity),
        why_empty=None if listing is None else _why_empty(call, listing),
    )


def _silencing(
    call: Call, entity_type: str, entity: str, known: Entity | None
) -> list[Silence] | None:
    """Return the silences in force or to come that are about it, or about one of its incidents.

    None for who may not see silences.
    """
    if not call.caller.may("silences"):
        return None
    incidents = [_any_incident(entity_type, entity), *(known.incidents if known else ())]
    return [
        silence
        for silence in list_silences(call.engine, call.now())
        if any(silence.matchers.matches(incident) for incident in incidents)
    ]


def _any_incident(entity_type: str, entity: str) -> IncidentView:
    """Return an incident about it of which nothing else is known, to hold matchers against."""
    nothing: tuple[str, ...] = ()
    return replace(
        EXAMPLE,
        severity="critical",
        entity_type=entity_type,
        entity=entity,
        detectors=nothing,
        tags=nothing,
        services=nothing,
        labels=nothing,
    )


def _about(blocks: Sequence[Block], entity: str) -> list[Block]:
    """Return what is on the list and has something to do with an address or network."""
    try:
        mine = ipaddress.ip_network(entity, strict=False)
    except ValueError:
        return []
    return [
        block
        for block in blocks
        if _overlap(ipaddress.ip_network(block.address, strict=False), mine)
    ]


def _overlap(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network,
    other: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.overlaps(other)
    return isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)


def _why_empty(call: Call, listing: Listing) -> str | None:
    if listing.why_empty or not call.services.blocklist.settings.dry_run:
        return listing.why_empty
    return "a dry run: firewalls get an empty list"
