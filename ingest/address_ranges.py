"""Sets of addresses: named networks, tested a column at a time."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

import numpy as np
import polars as pl

from ingest.networks import Address, plain_addresses, read_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What nobody outside an organisation can have: private use (RFC 1918, RFC 4193), loopback,
#: link-local, and the shared addresses of carriers (RFC 6598).
PRIVATE: Final = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
    *("100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"),
)

#: What is nowhere in the world: PRIVATE, and the documentation, benchmark, multicast and reserved
#: ranges of IANA's special-purpose address registries.
SPECIAL: Final = (
    *PRIVATE,
    *("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:10::/28", "2001:20::/28"),
    *("2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10", "ff00::/8"),
)


#: Bits of an IPv6 address after its first two groups.
_REST: Final = 96


class AddressRanges:
    """The addresses of some networks, IPv4 and IPv6."""

    def __init__(self, networks: Iterable[str | Network]) -> None:
        """Raise ValueError for a text that is no network."""
        read = [ipaddress.ip_network(network) for network in networks]
        four = [network for network in read if isinstance(network, ipaddress.IPv4Network)]
        six = [network for network in read if isinstance(network, ipaddress.IPv6Network)]
        merged = list(ipaddress.collapse_addresses(four))
        self._starts = np.array([int(network[0]) for network in merged], dtype=np.int64)
        self._ends = np.array([int(network[-1]) for network in merged], dtype=np.int64)
        spans = [(int(one[0]), int(one[-1])) for one in ipaddress.collapse_addresses(six)]
        self._spans = {
            4: list(zip(self._starts.tolist(), self._ends.tolist(), strict=True)),
            6: sorted(spans),
        }

    def __bool__(self) -> bool:
        return bool(self._spans[4] or self._spans[6])

    def contains(self, address: Address) -> bool:
        """Whether the address is in one of the networks."""
        number = int(address)
        spans = self._spans[address.version]
        at = bisect_right(spans, number, key=itemgetter(0)) - 1
        return at >= 0 and number <= spans[at][1]

    def contain(self, addresses: pl.Series) -> pl.Series:
        """Return whether each address is in one of the networks; what is no address is not."""
        found = np.zeros(len(addresses), dtype=np.bool_)
        four = plain_addresses(addresses)[0].fill_null(value=False)
        at = four.arg_true()
        if len(at) and len(self._starts):
            numbers = _numbers(addresses.gather(at))
            nearest = np.searchsorted(self._starts, numbers, side="right") - 1
            found[at.to_numpy()] = (nearest >= 0) & (numbers <= self._ends[nearest])
        six = (~four & addresses.is_not_null()).arg_true()
        six = six.filter(self._may_be_in(addresses.gather(six)))
        if len(six):
            found[six.to_numpy()] = [self._text_is_in(text) for text in addresses.gather(six)]
        return pl.Series(addresses.name, found)

    def _may_be_in(self, six: pl.Series) -> pl.Series:
        """Return which texts begin as an address of one of the IPv6 networks does, or oddly."""
        beginnings = _beginnings(six)
        starts = np.array([start >> _REST for start, _ in self._spans[6]], dtype=np.int64)
        ends = np.array([end >> _REST for _, end in self._spans[6]], dtype=np.int64)
        near = np.zeros(len(six), dtype=np.bool_)
        if len(starts):
            at = np.searchsorted(starts, beginnings, side="right") - 1
            near = (at >= 0) & (beginnings <= ends[at])
        return pl.Series(near | (beginnings <= 0))

    def _text_is_in(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and self.contains(address)


def _beginnings(six: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the first 32 bits of IPv6 addresses, -1 for texts that begin with no group."""
    groups = six.str.extract_groups(r"^([0-9A-Fa-f]{1,4}):(?:([0-9A-Fa-f]{1,4}):|:)").struct
    first, second = (
        groups.field(name).str.to_integer(base=16, dtype=pl.Int64) for name in ("1", "2")
    )
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        (first * 65_536 + second.fill_null(0)).fill_null(-1).to_numpy()
    )
    return numbers


def _numbers(four: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    octets = four.str.split_exact(".", 3).struct.unnest().cast(pl.Int64)
    whole = pl.lit(0, pl.Int64)
    for name in octets.columns:
        whole = whole * 256 + pl.col(name)
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        octets.select(whole).to_series().to_numpy()
    )
    return numbers
