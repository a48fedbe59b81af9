"""Client addresses in one spelling, and the network each belongs to."""

import ipaddress
from functools import lru_cache
from typing import Final

import polars as pl

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_V4: Final = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_REMEMBERED: Final = 1 << 16


def canonical_address(text: str) -> str | None:
    """Return the address in `text`, IPv6 compressed in lower case, or None if it has none.

    A port, brackets and a zone are dropped, ::ffff: addresses become IPv4; of a list the last
    valid address counts: it is the one that the server itself saw.
    """
    for part in reversed(text.split(",")):
        address = _address(part.strip().strip('"'))
        if address is not None:
            return str(address)
    return None


def network_of(address: str) -> str:
    """Return the /24 or /64 of a canonical address, as "203.0.113.0/24"."""
    bits = 64 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def client_columns(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return (client_ip, client_network), both text, for addresses as a log writes them.

    What holds no valid address (a host name, "-", "unknown") gives null in both.
    """
    frame = raw.rename("raw").to_frame()
    plain = frame["raw"].str.contains(_PLAIN_V4).fill_null(value=True)
    network = pl.col("raw").str.strip_chars_end("0123456789") + "0/24"
    if plain.all():
        return frame["raw"], frame.select(network).to_series()
    odd = frame["raw"].filter(~plain).unique()
    pairs = [_odd(text) for text in odd.to_list()]
    known = pl.DataFrame(
        {
            "raw": odd,
            "ip": pl.Series([pair[0] for pair in pairs], dtype=pl.String),
            "network": pl.Series([pair[1] for pair in pairs], dtype=pl.String),
        }
    )
    joined = frame.join(known, on="raw", how="left", maintain_order="left").select(
        ip=pl.when(plain).then("raw").otherwise("ip"),
        network=pl.when(plain).then(network).otherwise("network"),
    )
    return joined["ip"], joined["network"]


@lru_cache(maxsize=_REMEMBERED)
def _odd(text: str) -> tuple[str | None, str | None]:
    address = canonical_address(text)
    return (None, None) if address is None else (address, network_of(address))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
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
