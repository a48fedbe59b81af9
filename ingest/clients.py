"""The client of a request: the peer, or whom trusted proxies say they forward for."""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

import polars as pl

from ingest.address_ranges import PRIVATE, AddressRanges, Network
from ingest.distinct import Distinct
from ingest.forwarding import Header, end_of, hops
from ingest.networks import client_columns, plain_addresses, read_address

#: Columns with header fields as logged, and how to read them. The first that a row has counts.
HEADERS: Final[Mapping[str, Header]] = {
    "forwarded_for": "list",
    "forwarded": "forwarded",
    "connecting_ip": "list",
}

#: The word for all of PRIVATE among trusted proxies.
PRIVATE_WORD: Final = "private"

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_REMEMBERED: Final = 1 << 16

#: A name with a domain, as Apache's HostnameLookups logs it.
_HOST_NAME: Final = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*\.[A-Za-z][0-9A-Za-z-]*\.?")


class ClientAddresses:
    """Finds clients behind proxies.

    The peer is the last valid address of `client`; what stands left of it is forwarded. Unless
    the peer is a trusted proxy, it is the client: header fields say what the client likes. Else
    X-Forwarded-For (Forwarded if there is none, CF-Connecting-IP or True-Client-IP if there is
    neither) is walked from the right past trusted proxies, and the first other address is the
    client. A hop that cannot be read ends the walk at the hop before it. If all are trusted, the
    leftmost is the client. A row without a peer is taken as one from a trusted proxy, if any
    proxy is trusted; one whose peer is a host name is not: who owns an address names it.
    """

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        """Trust addresses and networks, and all of PRIVATE for the word "private".

        Raises ValueError naming the entry that is neither, and what is expected.
        """
        networks = [network for entry in trusted_proxies for network in trusted_networks(entry)]
        self._trusted = AddressRanges(networks)
        self._walked = lru_cache(maxsize=_REMEMBERED)(self._walk)

    def trusts(self, address: str) -> bool:
        """Whether an address, in any spelling, is one of the trusted proxies."""
        read = read_address(address)
        return read is not None and self._trusted.contains(read)

    def columns(self, parsed: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """Return (client_ip, client_network), both text, for rows of parsed lines.

        `parsed` has the text column `client`, and of HEADERS those that the log has, with "-",
        "" or null for nothing. What has no valid address gives null in both.
        """
        if not self._trusted:
            return client_columns(parsed["client"])
        filled = [
            name
            for name in HEADERS
            if name in parsed.columns and parsed[name].null_count() < parsed.height
        ]
        if not filled:
            return client_columns(parsed["client"], lambda text: self._client(text, None, None))
        distinct = Distinct.of(parsed.select("client", *filled))
        address, network = client_columns(self._clients(distinct.rows, filled))
        return distinct.spread(address), distinct.spread(network)

    def _clients(self, distinct: pl.DataFrame, filled: Sequence[str]) -> pl.Series:
        """Return the client of each row; Python only where client or header are odd."""
        given = {name: pl.when(~pl.col(name).is_in(["", "-"])).then(name) for name in filled}
        said = [
            pl.when(value.is_not_null()).then(pl.lit(HEADERS[name]))
            for name, value in given.items()
        ]
        rows = distinct.select(
            "client", field=pl.coalesce(given.values()), header=pl.coalesce(said)
        ).with_columns(last=pl.col("field").str.extract(r"(?:^|,)[ \t]*([^,\s]+)$"))
        peer, last = self._standing(rows["client"]), self._standing(rows["last"])
        direct = peer == "client"
        forwarded = (
            ((peer == "proxy") | rows["client"].is_null())
            & (last == "client")
            & (rows["header"] == "list")
        )
        clients = rows.select(
            client=pl.when(direct).then("client").when(forwarded).then("last")
        ).to_series()
        odd = (~(direct | forwarded)).arg_true()
        if len(odd):
            # A proxy is where a walk ends that finds nobody, and else says nothing.
            proxy = rows.select(pl.when(peer == "proxy").then("client")).to_series()[odd]
            asked = rows[odd].select(pl.when(proxy.is_null()).then("client"), "header", "field")
            walked = pl.Series([self._client(*row) for row in asked.rows()], dtype=pl.String)
            clients = clients.scatter(odd, pl.select(pl.coalesce(walked, proxy)).to_series())
        return clients

    def _standing(self, texts: pl.Series) -> pl.Series:
        """Return "proxy" or "client" for each plain address, and "odd" for all else."""
        four, six = plain_addresses(texts)
        proxy = self._trusted.contain(texts)
        plain = (four | six).fill_null(value=False)
        standing = pl.when(~plain).then(pl.lit("odd")).when(proxy).then(pl.lit("proxy"))
        return pl.select(standing.otherwise(pl.lit("client"))).to_series()

    def _client(self, client: str | None, header: Header | None, field: str | None) -> str | None:
        return self._walked(
            None if client is None else end_of(client),
            header,
            None if field is None else end_of(field),
        )

    def _walk(self, client: str | None, header: Header | None, field: str | None) -> str | None:
        chained: Iterator[str | None] = hops("list", client or "")
        found = None
        for hop in chained:
            found = None if hop is None else read_address(hop)
            if found is not None:
                break
        if found is None and _HOST_NAME.fullmatch(client or ""):
            return None
        if header is not None and field is not None:
            chained = chain(chained, hops(header, field))
        while found is None or self._trusted.contains(found):
            hop = next(chained, None)
            address = None if hop is None else read_address(hop)
            if address is None:
                break
            found = address
        return None if found is None else str(found)


def trusted_networks(entry: str) -> list[Network]:
    """Return the networks that an entry of trusted proxies means; raises ValueError."""
    text = entry.strip()
    if text.lower() == PRIVATE_WORD:
        return [ipaddress.ip_network(network) for network in PRIVATE]
    expected = (
        f"{entry!r} is no trusted proxy: expected an address (203.0.113.7), a network"
        f' (10.0.0.0/8, 2001:db8::/32) or "{PRIVATE_WORD}"'
    )
    try:
        network = ipaddress.ip_network(text, strict=False)
        exact = ipaddress.ip_interface(text).ip == network.network_address
    except ValueError as error:
        raise ValueError(expected) from error
    if not exact:
        raise ValueError(f"{expected}; did you mean {network}?")
    if network.prefixlen == 0:
        raise ValueError(f"{entry!r} trusts every address, and so what any client says of itself")
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) - int(_MAPPED.network_address)
        return [ipaddress.IPv4Network((first, network.prefixlen - 96))]
    return [network]
