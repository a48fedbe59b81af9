"""Header fields in which proxies say whom they forward for, as lists of hops."""

import re
from collections.abc import Iterator
from typing import Final, Literal

#: X-Forwarded-For and the like: a list of addresses; Forwarded: the elements of RFC 7239.
Header = Literal["list", "forwarded"]

#: Characters of a field that are looked at, from its end. Proxies append, so that what is cut off
#: on the left is what a client made up.
FIELD_LIMIT: Final = 1024

#: Addresses are the only hops, so that this is more than FIELD_LIMIT can hold of most.
HOP_LIMIT: Final = 64

_PAIR: Final = re.compile(
    r"\s*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})\s*=\s*"
    r"(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",;=\\]*)))?\s*(?:;|$)"
)
_ESCAPED_QUOTE: Final = re.compile(r"\\x22|\\x5[Cc]")


def end_of(field: str) -> str:
    """Return a field cut to its last whole hops in FIELD_LIMIT characters."""
    return field if len(field) <= FIELD_LIMIT else field[-FIELD_LIMIT:].partition(",")[2]


def hops(header: Header, field: str) -> Iterator[str | None]:
    """Yield what each hop of a field says, from the right; None for a hop that cannot be read.

    A field is split at every comma, quoted or not. No address holds one; and a quotation mark
    that a client sent cannot hide what a proxy appended after it.
    """
    if header == "forwarded":
        # As nginx writes quotation marks and backslashes in a log.
        field = _ESCAPED_QUOTE.sub(lambda match: '"' if match[0] == "\\x22" else "\\", field)
    parts = [part for part in field.split(",") if part.strip()]
    for part in parts[: -HOP_LIMIT - 1 : -1]:
        if header == "list":
            yield part
        else:
            yield from _element(part)


def _element(text: str) -> Iterator[str | None]:
    """Yield the `for` parameters of one element from the right; None if it is not well formed."""
    found: list[str | None] = []
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None or pair.end() == at:
            yield None
            return
        if pair[1] is not None and pair[1].lower() == "for":
            found.append(pair[3] if pair[2] is None else pair[2])
        at = pair.end()
    yield from reversed(found or [None])
