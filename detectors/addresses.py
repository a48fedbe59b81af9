"""Tests of client addresses against networks, worked out once per distinct address."""

from ipaddress import IPv4Network, IPv6Network, ip_address

import polars as pl


def in_network(addresses: pl.Expr, network: IPv4Network | IPv6Network) -> pl.Expr:
    """Return whether each address (String) lies in the network; null and nonsense do not."""

    def member(column: pl.Series) -> pl.Series:
        distinct = column.unique().drop_nulls()
        members = [address for address in distinct if inside(address, network)]
        return column.is_in(members).fill_null(value=False)

    return addresses.map_batches(member, return_dtype=pl.Boolean(), is_elementwise=True)


def inside(address: str, network: IPv4Network | IPv6Network) -> bool:
    """Return whether an address lies in a network; what is no address does not."""
    try:
        return ip_address(address) in network
    except ValueError:
        return False
