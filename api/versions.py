"""Versions of incidents as entity tags: ETag, If-None-Match, If-Match (RFC 9110, section 13)."""

import re
from typing import Final

from fastapi import HTTPException

_TAG: Final = re.compile(r'"([1-9][0-9]{0,18})-([0-9]{1,18})"')


def etag(identity: int, version: int) -> str:
    """Return the tag of an incident's version."""
    return f'"{identity}-{version}"'


def same_version(given: str, tag: str) -> bool:
    """Whether an If-None-Match names a tag; weak ones compare alike there."""
    tags = {each.strip().removeprefix("W/") for each in given.split(",")}
    return tag in tags or "*" in tags


def wanted_version(if_match: str | None, identity: int) -> int | None:
    """Return the version that If-Match asks for, None for any (`*`).

    Raises 428 without one: who changes an incident must have seen it. Raises 412 for a tag that
    is not of this incident.
    """
    if if_match is None:
        raise HTTPException(
            428, "send If-Match with the ETag that you saw, so that nobody's change is lost"
        )
    if if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None or int(found[1]) != identity:
        raise HTTPException(412, "If-Match is no ETag of this incident; read it and send that")
    return int(found[2])
