"""Client addresses in one spelling, and the network each belongs to."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import polars as pl

from ingest.distinct import Distinct

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_V4: Final = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"

#: Eight groups as RFC 5952 writes them, none to compress, and a network that ends in no zero.
_GROUP: Final = "(?:0|[1-9a-f][0-9a-f]{0,3})"
_PLAIN_V6: Final = rf"^(?:{_GROUP}:){{3}}[1-9a-f][0-9a-f]{{0,3}}:(?:{_GROUP}:){{3}}{_GROUP}$"
_REMEMBERED: Final = 1 << 16

#: Longer texts hold no address.
_TEXT_LIMIT: Final = 128


def read_address(text: str) -> Address | None:
    """Return the one address in `text`, or None if it has none.

    Quotes, a port, brackets and a zone are dropped, ::ffff: addresses become IPv4.
    """
    text = text.strip(" \t\"'")
    return None if len(text) > _TEXT_LIMIT else _read(text)


@lru_cache(maxsize=_REMEMBERED)
def _read(text: str) -> Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def canonical_address(text: str) -> str | None:
    """Return the address in `text`, IPv6 compressed in lower case, or None if it has none.

    Read as by `read_address`; of a list the last valid address counts: it is the one that the
    server itself saw.
    """
    for part in reversed(text.split(",")):
        address = read_address(part)
        if address is not None:
            return str(address)
    return None


@lru_cache(maxsize=_REMEMBERED)
def network_of(address: str) -> str:
    """Return the /24 or /64 of a canonical address, as "203.0.113.0/24"."""
    bits = 64 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def plain_addresses(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return whether each text is a canonical IPv4 address, and whether it is one of IPv6.

    The second is a screen: IPv6 addresses with groups to compress are not found. Null for null.
    """
    four = texts.str.contains(_PLAIN_V4)
    six = texts.str.contains(_PLAIN_V6) & ~texts.str.contains(r"(?:^|:)0:0(?::|$)")
    return four, six


def client_columns(
    raw: pl.Series, read: Callable[[str], str | None] = canonical_address
) -> tuple[pl.Series, pl.Series]:
    """Return (client_ip, client_network), both text, for addresses as a log writes them.

    What holds no valid address (a host name, "-", "unknown") gives null in both. `read` returns
    the canonical address in a text that is not just one; null stays null.
    """
    distinct = Distinct.of(raw.rename("raw").to_frame())
    texts = distinct.rows["raw"]
    four, six = plain_addresses(texts)
    of_four = pl.col("raw").str.strip_chars_end("0123456789") + "0/24"
    of_six = pl.col("raw").str.extract(r"^((?:[^:]*:){3}[^:]*)") + "::/64"
    addresses, networks = distinct.rows.select(
        ip="raw", network=pl.when(four).then(of_four).when(six).then(of_six)
    )
    odd = (~(four | six)).fill_null(value=False).arg_true()
    if len(odd):
        found = [read(text) for text in texts.gather(odd)]
        theirs = [None if address is None else network_of(address) for address in found]
        addresses = addresses.scatter(odd, pl.Series(found, dtype=pl.String))
        networks = networks.scatter(odd, pl.Series(theirs, dtype=pl.String))
    return (
        distinct.spread(addresses).rename("client_ip"),
        distinct.spread(networks).rename("client_network"),
    )
